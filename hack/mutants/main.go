// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

// subject is what is mutated: the files of a package, and the share of its mutants that has
// to be noticed, in percent.
type subject struct {
	name, dir string
	files     *regexp.Regexp // nil: all
	least     int
}

const controller = "pkg/controller"

// What has to be right, or a record of a living volume goes.
var subjects = []subject{
	{name: "policy", dir: "pkg/controller/internal/policy", least: 95},
	{name: "source", dir: "pkg/controller/internal/source", least: 85},
	{name: "writer", dir: "pkg/controller/internal/writer", least: 85},
	{name: "fence", dir: "cmd/volume-sync-controller/app", files: regexp.MustCompile(`^(fence|lock)\.go$`), least: 85},
}

func main() {
	only := flag.String("only", "", "mutate only in files whose path matches this regular `expression`")
	output := flag.String("o", "", "write the report to this `file` too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, *only, *output)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, only, output string) (ok bool, err error) {
	filter, err := regexp.Compile(only)
	if err != nil {
		return false, fmt.Errorf("-only: %w", err)
	}
	excused, err := readExcuses("hack/mutants/equivalent.txt")
	if err != nil {
		return false, err
	}
	w := io.Writer(os.Stdout)
	if output != "" { // what cannot be written is to be known before half an hour of work
		if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
			return false, err
		}
		f, err := os.Create(output)
		if err != nil {
			return false, err
		}
		defer f.Close()
		w = io.MultiWriter(w, f)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	b, err := build(ctx, dir, filter)
	if err != nil {
		return false, err
	}
	interrupted := b.judge(ctx)
	if interrupted != nil && ctx.Err() == nil {
		return false, interrupted
	}
	return b.report(w, excused, only == "" && interrupted == nil), interrupted // what is known until then
}
