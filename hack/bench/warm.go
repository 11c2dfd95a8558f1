package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// How often it polls while polls are what is measured, so that there are enough of
// them, how often by default, and over how many polls is measured.
const (
	interval      = time.Second
	usualInterval = 5 * time.Second
	steadyPolls   = 20
	shuffledPolls = 5
	decodedPolls  = 5
	restingPolls  = 10
)

// step is something that is measured of a running controller.
type step func(ctx context.Context, c *controller, n int) error

// warmStart starts the controller where every record is right already, and measures
// what follows: first what is about polls, then what is about all else.
func (b *bench) warmStart(ctx context.Context, n int) error {
	if err := b.warm(ctx, n, interval, b.caches, b.steady, b.writes, b.changes); err != nil {
		return err
	}
	return b.warm(ctx, n, usualInterval, b.churn, b.joins)
}

func (b *bench) warm(ctx context.Context, n int, interval time.Duration, steps ...step) error {
	c, err := b.controller(interval)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := c.atRest(ctx); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx, c, n); err != nil {
			return err
		}
	}
	return nil
}

// caches measures what the caches take.
func (b *bench) caches(ctx context.Context, c *controller, n int) error {
	_, most, err := c.memory()
	if err != nil {
		return err
	}
	if err := c.polls(ctx, restingPolls); err != nil {
		return err
	}
	now, _, err := c.memory() // with the garbage of these polls
	if err != nil {
		return err
	}
	heap, err := c.heap()
	if err != nil {
		return err
	}
	rival, err := b.rival(ctx, "informers", "-kubeconfig", b.kubeconfig)
	if err != nil {
		return err
	}
	b.row(row{
		"memory, heap after a collection", n, fmt.Sprintf("%s, %d bytes a volume", mib(heap), heap/int64(n)),
		mib(rival.Heap) + " by default informers", times(float64(heap), float64(rival.Heap)), "≤ 1,024 bytes a volume at 100,000",
	})
	beside := func(rival int64) string { return replacedLimit + "; " + mib(rival) + " by default informers" }
	b.row(row{"memory, resident at rest", n, mib(now), beside(rival.Rest), times(float64(now), replacedBytes), "≤ 1 at 100,000"})
	b.row(row{"memory, the most in a warm start", n, mib(most), beside(rival.Most), times(float64(most), replacedBytes), "≤ 1.5 at 100,000"})
	return nil
}

// steady measures a poll that shows nothing new, and those that do.
func (b *bench) steady(ctx context.Context, c *controller, n int) error {
	floor, err := b.rival(ctx, "floor", "-endpoint", b.endpoint, "-polls", strconv.Itoa(steadyPolls))
	if err != nil {
		return err
	}
	decode, err := b.rival(ctx, "decode", "-endpoint", b.endpoint, "-polls", strconv.Itoa(decodedPolls))
	if err != nil {
		return err
	}
	poll, err := c.perPoll(ctx, steadyPolls, interval)
	if err != nil {
		return err
	}
	b.row(row{
		"processor time of a steady poll", n, ms(poll), ms(floor.CPU) + " to read and hash the same bytes",
		times(poll.Seconds(), floor.CPU.Seconds()), "≤ 2 at 100,000",
	})
	b.row(row{
		"processor time of a steady poll, against decoding", n, ms(poll), ms(decode.CPU) + " to decode them into the go-api types",
		times(decode.CPU.Seconds(), poll.Seconds()), "≥ 20 at 100,000",
	})
	if err := b.changing(ctx, c, n, poll); err != nil {
		return err
	}
	return b.reordered(ctx, c, n, poll, decode.CPU)
}

// changing measures polls of which each shows one change, beside a steady one.
func (b *bench) changing(ctx context.Context, c *controller, n int, steady time.Duration) error {
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				ended <- nil
				return
			case <-ticker.C:
			}
			if err := b.resize(b.filled[i%len(b.filled)]); err != nil {
				ended <- err
				return
			}
		}
	}()
	poll, err := c.perPoll(ctx, steadyPolls, interval)
	close(stop)
	if err := <-ended; err != nil {
		return err
	}
	if err != nil {
		return err
	}
	b.row(row{
		"processor time of a poll that shows one change, its writes included", n, ms(poll), ms(steady) + " for a steady one",
		times(poll.Seconds(), steady.Seconds()), "-",
	})
	return c.atRest(ctx)
}

// reordered measures polls of which each shows every list in another order, beside
// decoding them, and counts what they queue.
func (b *bench) reordered(ctx context.Context, c *controller, n int, steady, decode time.Duration) error {
	const queued = "workqueue_adds_total"
	before, err := c.metric(queued)
	if err != nil {
		return err
	}
	b.sim.SetShuffle(true)
	poll, err := c.perPoll(ctx, shuffledPolls, interval)
	b.sim.SetShuffle(false)
	if err != nil {
		return err
	}
	if err := c.polls(ctx, 1); err != nil {
		return err
	}
	after, err := c.metric(queued)
	if err != nil {
		return err
	}
	b.row(row{
		"processor time of a poll that shows all lists in another order", n, ms(poll), ms(decode) + " to decode them into the go-api types; " + ms(steady) + " for a steady one",
		times(decode.Seconds(), poll.Seconds()), "-",
	})
	b.row(row{fmt.Sprintf("IDs queued by %d polls that show all lists in another order", shuffledPolls), n, thousands(int(after - before)), "-", "-", "0"})
	return nil
}

// resize makes a volume larger.
func (b *bench) resize(f simulator.Filled) error {
	return b.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes += 1 << 30 })
}

// fail lets the master of a volume go offline, or brings it back: only its status
// changes.
func (b *bench) fail(f simulator.Filled) error {
	return b.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) {
		if v.Master.Health == "offline" {
			v.Master.Health = "online"
		} else {
			v.Master.Health = "offline"
		}
	})
}
