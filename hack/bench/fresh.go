package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// How rarely StorageOS is listed while it is measured how fresh records are without that, and
// how old a change may become.
const (
	rareInterval = 30 * time.Second
	freshWithin  = 1500 * time.Millisecond
)

// fresh measures how long it takes from a change of which Kubernetes tells to its record, while
// StorageOS is rarely listed.
func (b *bench) fresh(ctx context.Context, n int) error {
	return b.withClaims(ctx, rareInterval, func(_ *controller, made *claimed) error {
		claims, err := made.claims(ctx, rareInterval)
		if err != nil {
			return err
		}
		attachments, err := made.ofFilled(ctx, "attachments", made.attach)
		if err != nil {
			return err
		}
		resizes, err := made.ofFilled(ctx, "resizes", made.expand)
		if err != nil {
			return err
		}
		b.row(freshRow("a claim is made", n, claims))
		b.row(freshRow("a volume is attached", n, attachments))
		b.row(freshRow("a volume has grown", n, resizes))
		return nil
	})
}

// ofFilled changes volumes one by one, each another one.
func (c *claimed) ofFilled(ctx context.Context, what string, change func(context.Context, simulator.Filled, begun) error) ([]span, error) {
	c.b.say("%d %s", changesOneByOne, what)
	which := rand.Perm(len(c.b.filled))
	return c.oneByOne(ctx, rareInterval, func(ctx context.Context, i int, begun begun) error {
		return change(ctx, c.b.filled[which[i]], begun)
	})
}

func freshRow(what string, n int, took []span) row {
	return row{
		fmt.Sprintf("time to the record with -api-poll-interval=%v, 99th percentile: %s", rareInterval, what), n, latency(took),
		ms(rareInterval) + ", the poll interval", times(p99(took).Seconds(), rareInterval.Seconds()),
		fmt.Sprintf("≤ %v: %.2f", freshWithin, freshWithin.Seconds()/rareInterval.Seconds()),
	}
}
