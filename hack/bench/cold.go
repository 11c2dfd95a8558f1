package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// largestPaced is up to how many volumes the pace of a cold start is compared.
const largestPaced = 10_000

// longestTurn is for how long at most the controller goes on before it is looked at.
const longestTurn = 5 * time.Second

// coldStart measures what memory it takes to make every record, and how fast that is
// beside a loop that does nothing but that. The two take turns, the controller standing
// still while the loop writes, and what counts is the median of the turns: a machine
// does not stay as fast as it was.
func (b *bench) coldStart(ctx context.Context, n int) error {
	if err := b.deleteAll(ctx, b.records.StorageOSV1().Volumes()); err != nil {
		return err
	}
	c, err := b.controller(usualInterval)
	if err != nil {
		return err
	}
	defer c.stop()
	turn := max(n/40, 50)
	usual, same := &bareLoop{b: b, turn: turn}, &bareLoop{b: b, turn: turn, patches: true}
	watched := &bareLoop{b: b, turn: turn, patches: true, watched: true}
	paces, err := c.records(ctx, n, func(ctx context.Context) error {
		if n > largestPaced {
			return nil
		}
		return c.still(func() error { return errors.Join(usual.run(ctx), same.run(ctx), watched.run(ctx)) })
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
	pace := row{"cold start, volumes recorded", n, perSecond(percentile(paces, 50)), "-", "-", "≥ 0.9 at 10,000"}
	if len(usual.paces) == 0 {
		b.row(pace)
		return nil
	}
	pace.beside, pace.ratio = usual.beside("only creates and sets the status", paces)
	b.row(pace)
	what := pace.what
	pace.what, pace.target = what+", against the same requests", "-"
	pace.beside, pace.ratio = same.beside("only creates and patches the status", paces)
	b.row(pace)
	pace.what = what + ", against the same requests, watched"
	pace.beside, pace.ratio = watched.beside("does that while somebody watches", paces)
	b.row(pace)
	return b.deleteAll(ctx, usual.client)
}

func perSecond(pace float64) string { return fmt.Sprintf("%.0f/s", pace) }

// records waits until n records are made, each by two writes, and lets something else
// happen after every turn. It looks seldom: looking takes time from what is measured. It
// tells how many records were made in a second of each turn but the last, which ends
// before its time is over.
func (c *controller) records(ctx context.Context, n int, pause func(context.Context) error) ([]float64, error) {
	const writes = "storageos_volume_writes_total"
	before := 0.0
	if err := c.until(ctx, "a record is written", time.Minute, 50*time.Millisecond, func() (bool, error) {
		var err error
		before, err = c.metric(writes)
		return before > 0, err
	}); err != nil {
		return nil, err
	}
	turn := min(time.Duration(n)*time.Millisecond, longestTurn)
	var paces []float64
	still := 0
	for begun := time.Now(); ; begun = time.Now() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(turn):
		}
		now, err := c.metric(writes)
		if err != nil {
			return nil, err
		}
		if still++; now > before {
			still = 0
		}
		if time.Duration(still)*turn > time.Minute {
			return nil, fmt.Errorf("nothing has been written for a minute, after %.0f writes", now)
		}
		pace := (now - before) / 2 / time.Since(begun).Seconds()
		before = now
		if int(now) >= 2*n {
			if len(paces) == 0 {
				paces = append(paces, pace)
			}
			return paces, nil
		}
		paces = append(paces, pace)
		c.b.say("%s of %s writes", thousands(int(now)), thousands(2*n))
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

// ratios are those of turns to the turns that followed them.
func ratios(these, those []float64) []float64 {
	var all []float64
	for i := range min(len(these), len(those)) {
		all = append(all, these[i]/those[i])
	}
	return all
}
