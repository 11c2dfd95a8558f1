// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// switchFile is what each package needs for its mutants.
//
//go:embed switch.go.txt
var switchFile string

// built is the program with all its mutants, as tests.
type built struct {
	dir     string
	mutants []*judged
	tests   map[string]*tests // by the folder of the package
}

// judged is a mutant and what became of it.
type judged struct {
	mutant
	subject string
	noticed string // by which tests; empty: by none
	reached bool
	asked   bool // all tests that reach it; if not, it was interrupted
}

// tests are those of a package, compiled.
type tests struct {
	dir, binary string
	all         []*test // the quickest first
}

// build mutates the subjects and compiles their tests, and those of the package above them.
func build(ctx context.Context, dir string, only *regexp.Regexp) (*built, error) {
	b := &built{dir: dir, tests: map[string]*tests{}}
	overlay := map[string]string{}
	folders := []string{controller}
	for _, s := range subjects {
		n := len(b.mutants)
		if err := b.mutate(s, only, overlay); err != nil {
			return nil, err
		}
		if len(b.mutants) > n {
			folders = append(folders, s.dir)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, text, 0o600); err != nil {
		return nil, err
	}
	for i, folder := range folders {
		fmt.Fprintf(os.Stderr, "mutants: compiling the tests of %s (%d of %d)\n", folder, i+1, len(folders))
		t := &tests{dir: folder, binary: filepath.Join(dir, strings.ReplaceAll(folder, "/", "_")+".test")}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlayFile, "-o", t.binary, "./"+folder)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
		b.tests[folder] = t
	}
	return b, nil
}

// mutate puts the mutants of a subject into the overlay.
func (b *built) mutate(s subject, only *regexp.Regexp, overlay map[string]string) error {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.go"))
	if err != nil {
		return err
	}
	found := false
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, "_test.go") || s.files != nil && !s.files.MatchString(name) || !only.MatchString(file) {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text, mutants, err := mutate(file, src, len(b.mutants)+1)
		if err != nil {
			return err
		}
		for _, m := range mutants {
			b.mutants = append(b.mutants, &judged{mutant: m, subject: s.name})
		}
		if err := b.replace(overlay, file, text); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return nil
	}
	text := strings.Replace(switchFile, "PACKAGE", filepath.Base(s.dir), 1)
	return b.replace(overlay, filepath.Join(s.dir, "mutant_switch.go"), []byte(text))
}

// replace has the compiler read a text in the place of a file.
func (b *built) replace(overlay map[string]string, file string, text []byte) error {
	path := filepath.Join(b.dir, strings.ReplaceAll(file, "/", "_"))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	overlay[full] = path
	return nil
}
