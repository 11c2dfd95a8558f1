// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// A mutant that has the tests wait for ever is noticed, too: they may take so much longer than
// without one, while other mutants are tried beside.
const (
	timesLonger = 4
	leastTime   = 10 * time.Second
	mostTime    = 5 * time.Minute // without a mutant
)

// round is a part of the tests: the quickest come first, and the first to fail ends it.
type round struct {
	name  string
	dir   string // empty: the mutant's own package
	flags []string
}

// noEnd is what notices a mutant under which the tests do not end.
const noEnd = "no end"

// The searches and the random histories are left out: tests and lives alone are asked.
const leftOut = "^(TestSearch|TestModel|TestCount|Fuzz)"

var rounds = []round{
	{"its own tests", "", []string{"-test.skip", leftOut}},
	{"the lives", controller, []string{"-test.run", "^TestLives"}},
	{"the tests of the controller", controller, []string{"-test.skip", leftOut + "|^TestLives"}},
}

// judge runs the tests under each mutant that they reach, until a test fails.
func (b *built) judge(ctx context.Context) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	work := make(chan *judged)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range runtime.NumCPU() {
		wg.Go(func() {
			for m := range work {
				if err := b.judgeOne(ctx, m); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	begun, said := time.Now(), time.Now()
	for i, m := range b.mutants {
		if time.Since(said) > 20*time.Second {
			said = time.Now()
			fmt.Fprintf(os.Stderr, "mutants: %d of %d after %v\n", i, len(b.mutants), time.Since(begun).Round(time.Second))
		}
		work <- m
	}
	close(work)
	wg.Wait()
	return errors.Join(failed, ctx.Err())
}

func (b *built) judgeOne(ctx context.Context, m *judged) error {
	for _, r := range rounds {
		t := b.of(r, m)
		if t == nil || !t.reached[m.id] || ctx.Err() != nil {
			continue
		}
		m.reached = true
		limit := max(leastTime, timesLonger*t.took[r.name])
		begun := time.Now()
		passed, _, err := t.run(ctx, r, limit, "MUTANT="+strconv.Itoa(m.id))
		if err != nil {
			return err
		}
		if !passed {
			if m.noticed = r.name; time.Since(begun) >= limit {
				m.noticed = noEnd
			}
			return nil
		}
	}
	return nil
}

// of returns the tests of a round for a mutant.
func (b *built) of(r round, m *judged) *tests {
	if r.dir != "" {
		return b.tests[r.dir]
	}
	return b.tests[filepath.Dir(m.file)]
}

// reach runs every test once without a mutant, and notes which mutants it comes by.
func (b *built) reach(ctx context.Context) error {
	for _, r := range rounds {
		for dir, t := range b.tests {
			if r.dir == "" && dir == controller || r.dir != "" && r.dir != dir {
				continue
			}
			note := filepath.Join(b.dir, "reached")
			begun := time.Now()
			passed, out, err := t.run(ctx, r, mostTime, "MUTANTS_REACHED="+note)
			if err != nil {
				return err
			}
			if !passed {
				return fmt.Errorf("without a mutant %s of %s fail:\n%s", r.name, dir, out)
			}
			t.took[r.name] = time.Since(begun)
			if err := t.read(note); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tests) read(note string) error {
	f, err := os.Open(note)
	if errors.Is(err, os.ErrNotExist) {
		return nil // they reach none
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, err := strconv.Atoi(lines.Text())
		if err != nil {
			return fmt.Errorf("what the tests of %s reach: %w", t.dir, err)
		}
		t.reached[id] = true
	}
	return errors.Join(lines.Err(), os.Remove(note))
}

// run runs the tests of a round, for so long at most, with that in their environment.
func (t *tests) run(ctx context.Context, r round, limit time.Duration, set string) (passed bool, output []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.binary, append([]string{"-test.failfast", "-test.timeout", limit.String()}, r.flags...)...)
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), set)
	cmd.WaitDelay = time.Second // for what the tests have started
	output, err = cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, output, nil
	case errors.As(err, &exit), ctx.Err() != nil:
		return false, output, nil
	}
	return false, output, err
}
