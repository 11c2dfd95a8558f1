package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"path/filepath"
	"text/template"
)

const (
	pluginProgram    = "kubectl-storageos_volumes"
	pluginCompletion = "kubectl_complete-storageos_volumes"
)

// platform is an operating system and an architecture that the plugin is for.
type platform struct {
	OS, Arch string
	Program  string // its name there
	Archive  string
	Sum      string // of the archive
	Script   bool   // whether completion, which is a shell script, does anything there
}

func platforms() []platform {
	var all []platform
	for _, system := range []string{"darwin", "linux", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			p := platform{OS: system, Arch: arch, Program: pluginProgram, Script: true}
			p.Archive = pluginProgram + "-" + system + "-" + arch + ".tar.gz"
			if system == "windows" {
				p.Program, p.Script = pluginProgram+".exe", false
				p.Archive = pluginProgram + "-" + system + "-" + arch + ".zip"
			}
			all = append(all, p)
		}
	}
	return all
}

//go:embed krew.yaml.tmpl
var krewText string

var krew = template.Must(template.New("krew").Option("missingkey=error").Parse(krewText))

// plugin packs the plugin for each platform, and writes the manifest by which krew
// installs it.
func (r release) plugin() error {
	all := platforms()
	for i, p := range all {
		entries, err := r.pluginFiles(p)
		if err != nil {
			return err
		}
		pack := gzipped
		if filepath.Ext(p.Archive) == ".zip" {
			pack = zipped
		}
		if err := r.write(p.Archive, pack, entries); err != nil {
			return err
		}
		archive, err := os.ReadFile(r.file(p.Archive))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(archive)
		all[i].Sum = hex.EncodeToString(sum[:])
	}
	f, err := os.OpenFile(r.file("storageos-volumes.yaml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	return krew.Execute(f, map[string]any{"Version": "v" + semantic(r.version), "URL": r.url, "Platforms": all})
}

func (r release) pluginFiles(p platform) ([]entry, error) {
	files := []struct {
		entry
		from string
	}{
		{entry{name: p.Program, program: true}, filepath.Join(r.bin, p.OS+"-"+p.Arch, p.Program)},
		{entry{name: "LICENSE"}, filepath.Join(r.source, "LICENSE")},
		{entry{name: pluginCompletion, program: true}, filepath.Join(r.source, "cmd", pluginProgram, pluginCompletion)},
	}
	if !p.Script {
		files = files[:2]
	}
	var entries []entry
	for _, f := range files {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		f.content = content
		entries = append(entries, f.entry)
	}
	return entries, nil
}

// licences packs the licences of what is in the programs, which hack/release.sh has
// gathered.
func (r release) licences() error {
	entries, err := folder(filepath.Join(r.bin, "licences"))
	if err != nil {
		return err
	}
	return r.write("licences.tar.gz", gzipped, entries)
}
