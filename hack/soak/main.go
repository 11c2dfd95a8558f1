// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Soak checks the history of a long run, which `make soak` has written.
//
// Usage: go run ./hack/soak FILE
package main

import (
	"fmt"
	"os"

	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: soak FILE")
		os.Exit(2)
	}
	violations, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if violations > 0 {
		os.Exit(1)
	}
}

// check says what breaks a rule, and returns how much does.
func check(path string) (violations int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	events, err := history.Read(f)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	all := history.Check(events)
	for _, v := range all {
		fmt.Println(v)
	}
	fmt.Printf("%d events, %d violations\n", len(events), len(all))
	return len(all), nil
}
