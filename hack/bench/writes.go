package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// written counts the writes of records that the API server has answered.
func (b *bench) written(ctx context.Context) (int, error) {
	raw, err := b.kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, verb := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		n, err := total(bytes.NewReader(raw), "apiserver_request_total",
			map[string]string{"group": "api.storageos.com", "resource": "volumes", "verb": verb})
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return int(sum), nil
}

// counted counts the writes while something is done.
func (b *bench) counted(ctx context.Context, n int, what, wanted string, do func() error) error {
	before, err := b.written(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := b.written(ctx)
	if err != nil {
		return err
	}
	b.row(row{"writes, " + what, n, fmt.Sprint(after - before), "-", "-", wanted})
	return nil
}

// writes counts what the API server is asked to write.
func (b *bench) writes(ctx context.Context, c *controller, n int) error {
	if err := b.counted(ctx, n, "10 steady polls", "0", func() error { return c.polls(ctx, 10) }); err != nil {
		return err
	}
	if err := b.counted(ctx, n, "one status has changed", "1", func() error {
		if err := b.fail(b.filled[0]); err != nil {
			return err
		}
		return c.atRest(ctx)
	}); err != nil {
		return err
	}
	const polls = 5 // all within the 30 s of -progress-interval
	return b.counted(ctx, n, fmt.Sprintf("a replica syncs, %d polls", polls), "≤ 1", func() error {
		for left := range uint64(polls) {
			if err := b.sync(1 + left); err != nil {
				return err
			}
			if err := c.polls(ctx, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// sync says how many bytes a replica has still to receive.
func (b *bench) sync(left uint64) error {
	i := slices.IndexFunc(b.filled, func(f simulator.Filled) bool { return f.Replicas > 0 })
	return b.sim.UpdateVolume(b.filled[i].NamespaceID, b.filled[i].ID, func(v *simulator.Volume) {
		v.Replicas[0].SyncProgress = &simulator.SyncProgress{BytesRemaining: left, ThroughputBytes: 1, EstimatedSecondsRemaining: left}
	})
}

// churn changes many volumes at once, and writes as many statuses by a bare loop, in
// turns where their time is compared.
func (b *bench) churn(ctx context.Context, c *controller, n int) error {
	churn, turns := n/100, 1
	var loop *bareLoop // nil: they are too few to time one
	if n > largestPaced {
		turns, loop = 4, &bareLoop{b: b, turn: churn, patches: true}
		if err := loop.run(ctx); err != nil {
			return err
		}
	}
	var took, bare []time.Duration
	if err := b.counted(ctx, n, "1 % of the volumes have changed"+timesOver(turns), thousands(turns*churn), func() error {
		for range turns {
			d, err := b.changed(ctx, c, churn)
			if err != nil {
				return err
			}
			took = append(took, d)
			if loop == nil {
				continue
			}
			if d, err = loop.again(ctx); err != nil {
				return err
			}
			bare = append(bare, d)
		}
		return c.atRest(ctx)
	}); err != nil {
		return err
	}
	const what = "time of a poll that shows 1 % of the volumes changed, until they are written"
	measured := ms(mean(took))
	if turns > 1 {
		measured += fmt.Sprintf(", %v to %v", ms(slices.Min(took)), ms(slices.Max(took)))
	}
	b.row(row{what, n, measured, fmt.Sprintf("%v, the poll interval", usualInterval), times(mean(took).Seconds(), usualInterval.Seconds()), "≤ 1"})
	if loop == nil {
		return nil
	}
	b.row(row{
		what + ", against as many patches", n, measured,
		fmt.Sprintf("%v, %v to %v, by a loop that only patches as many statuses", ms(mean(bare)), ms(slices.Min(bare)), ms(slices.Max(bare))),
		times(mean(took).Seconds(), mean(bare).Seconds()), "-",
	})
	return b.deleteAll(ctx, loop.client)
}

// changed changes so many volumes right after a listing, so that the next one shows
// them all, and tells how long that one takes until they are written.
func (b *bench) changed(ctx context.Context, c *controller, churn int) (time.Duration, error) {
	if err := c.polls(ctx, 1); err != nil {
		return 0, err
	}
	for _, f := range b.filled[:churn] {
		if err := b.fail(f); err != nil {
			return 0, err
		}
	}
	return c.longestListing(ctx, c.atRest)
}

func timesOver(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", %d times", n)
}

func mean(all []time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(len(all))
}
