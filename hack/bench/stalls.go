package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A virtual machine's processors may be taken away from it for tens of milliseconds, and
// nothing in it can help that. On each of them a thread that comes before all others
// sleeps for a nap at a time: if it wakes up later than that, so did everybody.
const (
	nap        = time.Millisecond
	standstill = 2 * time.Millisecond // later than this
	foremost   = 50                   // of the priorities 1 to 99 that come before all usual threads
)

// span is when something began and ended.
type span struct{ Begun, Ended time.Time }

func (s span) took() time.Duration { return s.Ended.Sub(s.Begun) }

func durations(spans []span) []time.Duration {
	var all []time.Duration
	for _, s := range spans {
		all = append(all, s.took())
	}
	return all
}

// without leaves out what was going on in one of some other times.
func without(spans, others []span) []span {
	return slices.DeleteFunc(slices.Clone(spans), func(s span) bool {
		return slices.ContainsFunc(others, func(o span) bool {
			return o.Begun.Before(s.Ended) && o.Ended.After(s.Begun)
		})
	})
}

// printStalls prints when the machine stood still, until the input ends. It is for a
// process of its own, in which no goroutine has to wait for another.
func printStalls(in io.Reader, out io.Writer) error {
	var processors unix.CPUSet
	if err := unix.SchedGetaffinity(0, &processors); err != nil {
		return err
	}
	runtime.GOMAXPROCS(processors.Count() + 1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	found := make(chan stallsOfOne)
	for i := range len(processors) * bits.UintSize {
		if processors.IsSet(i) {
			go func() { found <- watchProcessor(ctx, i) }()
		}
	}
	_, err := io.Copy(io.Discard, in)
	stop()
	all := []span{}
	for range processors.Count() {
		one := <-found
		all, err = append(all, one.stalls...), errors.Join(err, one.err)
	}
	return errors.Join(err, json.NewEncoder(out).Encode(all))
}

type stallsOfOne struct {
	stalls []span
	err    error
}

// watchProcessor tells when one processor was not to be had.
func watchProcessor(ctx context.Context, processor int) (all stallsOfOne) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	var only unix.CPUSet
	only.Set(processor)
	first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: foremost}
	if err := errors.Join(unix.SchedSetaffinity(0, &only), unix.SchedSetAttr(0, &first, 0)); err != nil {
		all.err = fmt.Errorf("a thread that comes before all others on processor %d: %w", processor, err)
		return all
	}
	pause := unix.NsecToTimespec(int64(nap))
	for ctx.Err() == nil {
		begun := time.Now()
		_ = unix.Nanosleep(&pause, nil) // too short a sleep is none that was too long
		if ended := time.Now(); ended.Sub(begun) > nap+standstill {
			all.stalls = append(all.stalls, span{begun.Add(nap), ended})
		}
	}
	return all
}

// stalls watches for the machine to stand still until it is asked when it did.
func (b *bench) stalls(ctx context.Context) (when func() ([]span, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-stalls")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() ([]span, error) {
		in.Close()
		var stalls []span
		err := json.NewDecoder(out).Decode(&stalls)
		return stalls, errors.Join(cmd.Wait(), err)
	}, nil
}
