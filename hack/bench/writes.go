package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
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
	return b.counted(ctx, n, "one status has changed", "1", func() error {
		if err := b.fail(b.filled[0]); err != nil {
			return err
		}
		return c.atRest(ctx)
	})
}

// churn changes many volumes at once, and writes as many statuses by a bare loop.
func (b *bench) churn(ctx context.Context, c *controller, n int) error {
	churn := n / 100
	var took time.Duration
	if err := b.counted(ctx, n, "1 % of the volumes have changed", thousands(churn), func() error {
		// They are changed right after a listing, so that the next one shows them all.
		if err := c.polls(ctx, 1); err != nil {
			return err
		}
		for _, f := range b.filled[:churn] {
			if err := b.fail(f); err != nil {
				return err
			}
		}
		var err error
		took, err = c.longestListing(ctx, c.atRest)
		return err
	}); err != nil {
		return err
	}
	const what = "time of a poll that shows 1 % of the volumes changed, until they are written"
	b.row(row{what, n, ms(took), fmt.Sprintf("%v, the poll interval", usualInterval), times(took.Seconds(), usualInterval.Seconds()), "≤ 1"})
	if n <= largestPaced {
		return nil // too few to time a loop
	}
	loop := &bareLoop{b: b, turn: churn, patches: true}
	if err := loop.run(ctx); err != nil {
		return err
	}
	bare, err := loop.again(ctx)
	if err := errors.Join(err, b.deleteAll(ctx, loop.client)); err != nil {
		return err
	}
	b.row(row{
		what + ", against as many patches", n, ms(took),
		ms(bare) + " by a loop that only patches as many statuses", times(took.Seconds(), bare.Seconds()), "-",
	})
	return nil
}
