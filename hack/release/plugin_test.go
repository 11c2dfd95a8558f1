package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// unpacked are the files of an archive, and a line for each that tells what only a
// listing shows.
func unpacked(t *testing.T, name string, archive []byte) (map[string][]byte, []string) {
	t.Helper()
	var listed []string
	files := map[string][]byte{}
	add := func(mode, name string, at int64, content io.Reader) {
		b, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, mode+" "+name)
		files[name] = b
		if at != releasedAt {
			t.Errorf("%s is of the time %d, the commit of %d", name, at, releasedAt)
		}
	}
	if path.Ext(name) == ".zip" {
		z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Mode().String(), f.Name, f.Modified.Unix(), content)
		}
		return files, listed
	}
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, listed
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname+h.Gname != "" {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		add(h.FileInfo().Mode().String(), h.Name, h.ModTime.Unix(), r)
	}
}

// Each archive has the plugin for its platform, of this version and commit. The one for
// this machine runs.
func TestPlugin(t *testing.T) {
	t.Parallel()
	m := released(t)
	for system, machines := range map[string]map[string]any{
		"linux":   {"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64},
		"darwin":  {"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64},
		"windows": {"amd64": uint16(pe.IMAGE_FILE_MACHINE_AMD64), "arm64": uint16(pe.IMAGE_FILE_MACHINE_ARM64)},
	} {
		for arch, machine := range machines {
			t.Run(system+"-"+arch, func(t *testing.T) {
				t.Parallel()
				archive, program, want := "kubectl-storageos_volumes-"+system+"-"+arch+".tar.gz", "kubectl-storageos_volumes", []string{
					"-rw-r--r-- LICENSE", "-rwxr-xr-x kubectl-storageos_volumes", "-rwxr-xr-x kubectl_complete-storageos_volumes",
				}
				if system == "windows" {
					archive, program = strings.Replace(archive, ".tar.gz", ".zip", 1), program+".exe"
					want = []string{"-rw-r--r-- LICENSE", "-rwxr-xr-x kubectl-storageos_volumes.exe"}
				}
				files, listed := unpacked(t, archive, m.read(t, archive))
				if !slices.Equal(want, listed) {
					t.Fatalf("the archive has %q, want %q", listed, want)
				}
				content := bytes.NewReader(files[program])
				if got, err := machineOf(system, content); err != nil || got != machine {
					t.Errorf("it is for the machine %v, %v, want %v", got, err, machine)
				}
				info, err := buildinfo.Read(content)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range info.Settings {
					if want := map[string]string{"GOOS": system, "GOARCH": arch, "CGO_ENABLED": "0"}[s.Key]; want != "" && s.Value != want {
						t.Errorf("it was built with %s=%s, want %s", s.Key, s.Value, want)
					}
				}
				if !bytes.Contains(files[program], []byte(m.commit)) {
					t.Errorf("it does not know its commit %s", m.commit)
				}
				if system == runtime.GOOS && arch == runtime.GOARCH {
					said := runProgram(t, bytes.NewReader(files[program]), "--version")
					if want := m.version + " (commit " + m.commit + ", "; !strings.Contains(said, want) {
						t.Errorf("--version says %q, want %q", said, want)
					}
				}
			})
		}
	}
}

// machineOf is the machine that a program is for, if it is one for that system.
func machineOf(system string, content io.ReaderAt) (any, error) {
	switch system {
	case "linux":
		f, err := elf.NewFile(content)
		if err != nil {
			return nil, err
		}
		if f.Section(".interp") != nil {
			return f.Machine, errors.New("it is not static")
		}
		return f.Machine, nil
	case "darwin":
		f, err := macho.NewFile(content)
		if err != nil {
			return nil, err
		}
		return f.Cpu, nil
	case "windows":
		f, err := pe.NewFile(content)
		if err != nil {
			return nil, err
		}
		return f.Machine, nil
	}
	return nil, fmt.Errorf("what is %s?", system)
}
