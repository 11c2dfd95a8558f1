// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// excuses are reasons why mutants cannot be noticed, by "file: kind: text".
type excuses map[string]string

// readExcuses reads lines of the form "file: kind: text # reason".
func readExcuses(path string) (excuses, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := excuses{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		of, reason, ok := strings.Cut(line, " # ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: no reason behind \" # \"", path, n)
		}
		all[strings.TrimSpace(of)] = reason
	}
	return all, lines.Err()
}

func (m *judged) key() string { return fmt.Sprintf("%s: %s: %s", m.file, m.kind, m.text) }

// report writes the table and the survivors. It is false if too many have survived, or, if
// everything was mutated, something is excused that is not there or is noticed.
func (b *built) report(w io.Writer, excused excuses, all bool) bool {
	ok, unused := true, maps.Clone(excused)
	fmt.Fprintf(w, "| package | mutants | no change | noticed | of the others | wanted | by: %s |\n|---|---|---|---|---|---|%s\n",
		strings.Join(byAll, " | "), strings.Repeat("---|", len(byAll)))
	var survivors []string
	for _, s := range subjects {
		total, same, noticed, counts := 0, 0, 0, map[string]int{}
		for _, m := range b.mutants {
			if m.subject != s.name || !m.asked {
				continue
			}
			total++
			switch {
			case m.noticed != "":
				noticed++
				counts[m.noticed]++
			case excused[m.key()] != "":
				same++
				delete(unused, m.key())
			case m.reached:
				survivors = append(survivors, m.String())
			default:
				survivors = append(survivors, m.String()+" (no test comes by)")
			}
		}
		if total == 0 {
			continue
		}
		share := 100 * float64(noticed) / float64(max(total-same, 1))
		ok = ok && share >= float64(s.least)
		fmt.Fprintf(w, "| %s | %d | %d | %d | %.1f %% | %d %% |", s.name, total, same, noticed, share, s.least)
		for _, name := range byAll {
			fmt.Fprintf(w, " %d |", counts[name])
		}
		fmt.Fprintln(w)
	}
	if len(survivors) > 0 {
		fmt.Fprintf(w, "\n%d have survived:\n\n", len(survivors))
		for _, s := range survivors {
			fmt.Fprintln(w, s)
		}
	}
	if all && len(unused) > 0 {
		ok = false
		fmt.Fprintf(w, "\nexcused in equivalent.txt, and noticed or not there:\n\n")
		for _, key := range slices.Sorted(maps.Keys(unused)) {
			fmt.Fprintln(w, key)
		}
	}
	return ok
}
