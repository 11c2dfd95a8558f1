package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// largestPaced is up to how many volumes every turn of a cold start is compared: with
// more it would take too long, and of ten times as many volumes every tenth turn is.
const largestPaced = 10_000

// longestTurn is for how long at most the controller goes on before it is looked at.
const longestTurn = 5 * time.Second

// pace is how many volumes were recorded in how long, over all turns.
type pace struct {
	volumes float64
	took    time.Duration
}

func (p *pace) add(volumes float64, took time.Duration) {
	p.volumes += volumes
	p.took += took
}

func (p pace) perSecond() float64 { return p.volumes / p.took.Seconds() }

func (p pace) String() string { return fmt.Sprintf("%.0f/s", p.perSecond()) }

// coldStart measures what memory it takes to make every record, and how fast that is
// beside loops that do nothing but that. They take turns, the controller standing still
// while a loop writes: a machine does not stay as fast as it was. All turns count, and
// not their median: how fast one is depends on how much of the API server's garbage is
// collected during it.
func (b *bench) coldStart(ctx context.Context, n int) error {
	if err := b.deleteAll(ctx, b.records.StorageOSV1().Volumes()); err != nil {
		return err
	}
	c, err := b.controller(usualInterval)
	if err != nil {
		return err
	}
	defer c.stop()
	usual := &bareLoop{b: b, turn: max(min(n, largestPaced)/20, 50)} // more would take too long
	same := &bareLoop{b: b, turn: usual.turn, patches: true, watches: true}
	first, second := usual, same
	turn, every := 0, max(n/largestPaced, 1)
	ours, err := c.records(ctx, n, func(ctx context.Context) error {
		if turn++; turn%every != 0 {
			return nil
		}
		// Who comes first meets what the controller has left the API server to do.
		first, second = second, first
		return c.still(func() error { return errors.Join(first.run(ctx), second.run(ctx)) })
	})
	if err != nil {
		return err
	}
	if usual.client == nil {
		return errors.New("all records were made before a loop had its turn: that is too fast to be compared")
	}
	_, most, err := c.memory()
	if err != nil {
		return err
	}
	spent, err := c.processor()
	if err != nil {
		return err
	}
	c.stop()
	b.row(row{
		"memory, the most in a cold start", n, mib(most), replacedLimit, times(float64(most), replacedBytes), "≤ 1.5 at 100,000",
	})
	own, all := spent/time.Duration(n), time.Duration(float64(runtime.NumCPU())/ours.perSecond()*float64(time.Second))
	b.row(row{
		"processor time of a cold start, for each volume", n, ms(own), ms(all) + " that all cores have for one", times(own.Seconds(), all.Seconds()), "-",
	})
	const what = "cold start, volumes recorded"
	b.row(row{
		what, n, ours.String(), usual.pace.String() + " by a loop that only creates and updates the status",
		times(ours.perSecond(), usual.pace.perSecond()), "≥ 0.9 at 10,000",
	})
	b.row(row{
		what + ", against the same requests and events", n, ours.String(),
		same.pace.String() + " by a loop that only creates and patches the status, its events thrown away",
		times(ours.perSecond(), same.pace.perSecond()), "≥ 0.9 at 10,000",
	})
	return b.deleteAll(ctx, usual.client)
}

// records waits until n records are made, each by two writes, and lets something else
// happen after every turn. It looks seldom: looking takes time from what is measured. It
// tells how fast they were made in all turns but the last, which ends before its time is
// over.
func (c *controller) records(ctx context.Context, n int, pause func(context.Context) error) (pace, error) {
	const writes = "storageos_volume_writes_total"
	before, all := 0.0, pace{}
	if err := c.until(ctx, "a record is written", time.Minute, 50*time.Millisecond, func() (bool, error) {
		var err error
		before, err = c.metric(writes)
		return before > 0, err
	}); err != nil {
		return all, err
	}
	turn := min(time.Duration(n)*time.Millisecond, longestTurn)
	still := 0
	for begun := time.Now(); ; begun = time.Now() {
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(turn):
		}
		now, err := c.metric(writes)
		if err != nil {
			return all, err
		}
		if still++; now > before {
			still = 0
		}
		if time.Duration(still)*turn > time.Minute {
			return all, fmt.Errorf("nothing has been written for a minute, after %.0f writes", now)
		}
		last := int(now) >= 2*n
		if !last || all.took == 0 {
			all.add((now-before)/2, time.Since(begun))
		}
		if last {
			return all, nil
		}
		before = now
		c.b.say("%s of %s writes", thousands(int(now)), thousands(2*n))
		if err := pause(ctx); err != nil {
			return all, err
		}
	}
}

// still stops the controller while something else is done.
func (c *controller) still(do func() error) error {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := do()
	return errors.Join(err, c.cmd.Process.Signal(syscall.SIGCONT))
}
