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
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A mutant that has the tests wait for ever is noticed, too: they may take so much longer than
// without one, while other mutants are tried beside.
const (
	timesLonger = 5
	leastTime   = 10 * time.Second
	mostTime    = 5 * time.Minute // without a mutant
)

// What notices a mutant.
const (
	byOwn   = "its own tests"
	byLife  = "the lives"
	byAbove = "the tests of the controller"
	byNoEnd = "no end"
)

var byAll = []string{byOwn, byLife, byAbove, byNoEnd}

// leftOut are tests that are not asked: searches and random histories, and what counts, which
// the switches of the mutants would change.
var leftOut = regexp.MustCompile(`^(TestSearch|TestModel|TestCount|Fuzz|Example|Benchmark)`)

const lives = "TestLives"

// How many tests run in one process, of which the first to fail ends it, and for how long they
// take together without a mutant; one test may take longer. Of the package above only those are
// asked that do not: a mutant that only they notice counts as one that none does.
const (
	atOnce   = 16
	together = 4 * time.Second
)

// test is one of a package's, and what it does without a mutant.
type test struct {
	name    string
	took    time.Duration
	reached map[int]bool // mutants that it comes by
}

// group are tests that run together.
type group struct {
	by    string
	of    *tests
	tests []*test
}

// judge runs the tests under each mutant that they reach, until one fails.
func (b *built) judge(ctx context.Context) error {
	for _, t := range b.tests {
		if err := t.reach(ctx, b.dir); err != nil {
			return err
		}
	}
	return each(ctx, "mutants", b.mutants, func(m *judged) error { return b.judgeOne(ctx, m) })
}

// each does something with all of these, some at a time, and says how far it is.
func each[T any](ctx context.Context, what string, all []T, do func(T) error) error {
	work, failed := make(chan T), make(chan error, len(all))
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for one := range work {
				if err := do(one); err != nil {
					failed <- err
				}
			}
		})
	}
	begun, said := time.Now(), time.Now()
	for i, one := range all {
		if time.Since(said) > 20*time.Second {
			said = time.Now()
			fmt.Fprintf(os.Stderr, "mutants: %d of %d %s after %v\n", i, len(all), what, time.Since(begun).Round(time.Second))
		}
		if ctx.Err() != nil {
			break
		}
		work <- one
	}
	close(work)
	wg.Wait()
	close(failed)
	errs := []error{ctx.Err()}
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (b *built) judgeOne(ctx context.Context, m *judged) error {
	for _, g := range b.groups(m) {
		m.reached = true
		var limit time.Duration
		for _, t := range g.tests {
			limit += timesLonger * t.took
		}
		limit = max(leastTime, limit)
		begun := time.Now()
		passed, _, err := g.of.run(ctx, limit, g.tests, "MUTANT="+strconv.Itoa(m.id))
		if err != nil || ctx.Err() != nil {
			return err
		}
		if !passed {
			if m.noticed = g.by; time.Since(begun) >= limit {
				m.noticed = byNoEnd
			}
			break
		}
	}
	m.asked = true
	return nil
}

// groups are the tests that reach a mutant, the nearest and the quickest first.
func (b *built) groups(m *judged) []group {
	var groups []group
	add := func(by string, of *tests, is func(*test) bool) {
		if of == nil {
			return
		}
		g, took := group{by: by, of: of}, time.Duration(0)
		for _, t := range of.all {
			if !t.reached[m.id] || !is(t) {
				continue
			}
			if n := len(g.tests); n > 0 && (n == atOnce || took+t.took > together) {
				groups = append(groups, g)
				g.tests, took = nil, 0
			}
			g.tests, took = append(g.tests, t), took+t.took
		}
		if len(g.tests) > 0 {
			groups = append(groups, g)
		}
	}
	add(byOwn, b.tests[filepath.Dir(m.file)], func(*test) bool { return true })
	add(byLife, b.tests[controller], func(t *test) bool { return t.name == lives })
	add(byAbove, b.tests[controller], func(t *test) bool { return t.name != lives && t.took <= together })
	return groups
}

// reach runs each test once without a mutant, and notes which it comes by and how long it
// takes.
func (t *tests) reach(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, t.binary, "-test.list", ".")
	cmd.Dir = t.dir
	names, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("listing the tests of %s: %w", t.dir, err)
	}
	for _, name := range strings.Fields(string(names)) {
		if !leftOut.MatchString(name) {
			t.all = append(t.all, &test{name: name})
		}
	}
	err = each(ctx, "tests of "+t.dir, t.all, func(one *test) error {
		note := filepath.Join(dir, "reached-by-"+one.name)
		begun := time.Now()
		passed, out, err := t.run(ctx, mostTime, []*test{one}, "MUTANTS_REACHED="+note)
		if err != nil {
			return err
		}
		if !passed {
			return fmt.Errorf("without a mutant %s of %s fails:\n%s", one.name, t.dir, out)
		}
		one.took = time.Since(begun)
		return one.read(note)
	})
	slices.SortFunc(t.all, func(a, b *test) int { return int(a.took - b.took) })
	return err
}

func (t *test) read(note string) error {
	t.reached = map[int]bool{}
	f, err := os.Open(note)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it reaches none
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, err := strconv.Atoi(lines.Text())
		if err != nil {
			return fmt.Errorf("what %s reaches: %w", t.name, err)
		}
		t.reached[id] = true
	}
	return errors.Join(lines.Err(), os.Remove(note))
}

// run runs tests, for so long at most, with that in their environment.
func (t *tests) run(ctx context.Context, limit time.Duration, some []*test, set string) (passed bool, output []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var names []string
	for _, one := range some {
		names = append(names, one.name)
	}
	cmd := exec.CommandContext(ctx, t.binary, "-test.failfast", "-test.timeout", limit.String(), "-test.run", "^("+strings.Join(names, "|")+")$")
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
