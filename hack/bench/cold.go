package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// largestPaced is up to how many volumes the pace of a cold start is compared.
const largestPaced = 10_000

// longestTurn is for how long at most the controller goes on before it is looked at.
const longestTurn = 10 * time.Second

// coldStart measures what memory it takes to make every record, and how fast that is
// beside a loop that does nothing but that. The two take turns, the controller standing
// still while the loop writes: a machine does not stay as fast as it was.
func (b *bench) coldStart(ctx context.Context, n int) error {
	if err := b.deleteAll(ctx, b.records.StorageOSV1().Volumes()); err != nil {
		return err
	}
	c, err := b.controller(5 * time.Second)
	if err != nil {
		return err
	}
	defer c.stop()
	usual, same := &bareLoop{b: b, turn: n / 20}, &bareLoop{b: b, turn: n / 20, patches: true}
	looks, err := c.records(ctx, n, func(ctx context.Context) error {
		if n > largestPaced {
			return nil
		}
		return c.still(func() error { return errors.Join(usual.run(ctx), same.run(ctx)) })
	})
	if err != nil {
		return err
	}
	_, most, err := c.memory()
	if err != nil {
		return err
	}
	c.stop()
	b.row(row{
		"memory, the most in a cold start", n, mib(most), "190 MiB, the limit", times(float64(most), 190<<20), "≤ 1.5 at 100,000",
	})
	took := atPace(looks, float64(2*n))
	pace := row{"cold start, volumes recorded", n, perSecond(n, took), "-", "-", "≥ 0.9 at 10,000"}
	if usual.made == 0 {
		b.row(pace)
		return nil
	}
	pace.beside, pace.ratio = usual.beside("only creates and sets the status", n, took)
	b.row(pace)
	pace.what += ", against the same requests"
	pace.beside, pace.ratio = same.beside("only creates and patches the status", n, took)
	pace.target = "-"
	b.row(pace)
	return b.deleteAll(ctx, usual.client)
}

func perSecond(n int, took time.Duration) string {
	return fmt.Sprintf("%.0f/s", float64(n)/took.Seconds())
}

// look is how many writes there were after the controller has worked for so long.
type look struct {
	at     time.Duration
	writes float64
}

// records waits until n records are made, each by two writes, and lets something else
// happen every so often. It looks seldom: looking takes time from what is measured.
func (c *controller) records(ctx context.Context, n int, pause func(context.Context) error) ([]look, error) {
	const writes = "storageos_volume_writes_total"
	if err := c.until(ctx, "a record is written", time.Minute, 50*time.Millisecond, func() (bool, error) {
		n, err := c.metric(writes)
		return n > 0, err
	}); err != nil {
		return nil, err
	}
	turn := min(time.Duration(n)*time.Millisecond, longestTurn)
	var looks []look
	for worked := time.Duration(0); ; {
		begun := time.Now()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(turn):
		}
		now, err := c.metric(writes)
		if err != nil {
			return nil, err
		}
		looks = append(looks, look{worked + time.Since(begun), now})
		if int(now) >= 2*n {
			return looks, nil
		}
		c.b.say("%s of %s writes", thousands(int(now)), thousands(2*n))
		worked += time.Since(begun)
		if err := pause(ctx); err != nil {
			return nil, err
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

// atPace tells how long so many writes take at the pace between the first look and the
// last that did not find all, if there are two such.
func atPace(looks []look, all float64) time.Duration {
	part := slices.DeleteFunc(slices.Clone(looks), func(l look) bool { return l.writes >= all })
	if len(part) < 2 {
		part = looks
	}
	if len(part) == 0 {
		return 0
	}
	first, last := part[0], part[len(part)-1]
	return time.Duration(float64(last.at-first.at) * all / max(last.writes-first.writes, 1))
}
