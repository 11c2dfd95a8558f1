package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How many changes are made one by one, at any moment of how many poll intervals, how many
// claims at once, and over how many polls it is counted what those take.
const (
	changesOneByOne = 200
	earlyPolls      = 4
	burstClaims     = 200
	burstPolls      = 3
	earlyChurn      = time.Minute
	pollsOfMinute   = int(earlyChurn / usualInterval)
)

// earlyRun is what was measured of a controller that reads early, or that does not.
type earlyRun struct {
	claims  []span
	resting int // reads until something happened
	churn   churn
	burst   burst
}

// burst is what it took to record many claims that were made at once.
type burst struct {
	processor       time.Duration
	reads           int
	listings, early traffic
	most            int // volumes that were read within a second, early or not
	others          int // that were not read early, but because a record could not be written at once
}

// churn is what 1 % of the volumes in a minute, made or attached, brought.
type churn struct {
	made, attached  int
	reads           int
	listings, early traffic // as many listings as there are in a minute
}

// earlyReads measures what early reads bring and cost.
func (b *bench) earlyReads(ctx context.Context, n int) error {
	m := newMeter(b.sim)
	endpoint, err := b.sim.StartHandler("127.0.0.1:0", m)
	if err != nil {
		return err
	}
	var with, without earlyRun
	if err := b.withClaims(ctx, usualInterval, func(c *controller, made *claimed) error {
		return with.measure(ctx, c, m, n, made)
	}, "-api-endpoint", endpoint); err != nil {
		return err
	}
	if err := b.withClaims(ctx, usualInterval, func(c *controller, made *claimed) (err error) {
		if without.claims, err = made.claims(ctx, earlyPolls*usualInterval); err != nil {
			return err
		}
		without.burst, err = made.atOnce(ctx, c, m)
		return err
	}, "-api-endpoint", endpoint, "-early-reads=false"); err != nil {
		return err
	}
	for _, r := range earlyRows(n, with, without) {
		b.row(r)
	}
	return nil
}

// withClaims starts a controller where every record is right already, and unmakes in the end
// what was made meanwhile.
func (b *bench) withClaims(ctx context.Context, interval time.Duration, do func(*controller, *claimed) error, flags ...string) error {
	c, err := b.controller(interval, flags...)
	if err != nil {
		return err
	}
	made := &claimed{b: b}
	err = c.atRest(ctx)
	if err == nil {
		err = do(c, made)
	}
	c.stop()
	return errors.Join(err, made.unmake(ctx))
}

func (r *earlyRun) measure(ctx context.Context, c *controller, m *meter, n int, made *claimed) (err error) {
	if err := c.polls(ctx, restingPolls); err != nil {
		return err
	}
	if r.resting, err = c.earlyReads(); err != nil {
		return err
	}
	if r.claims, err = made.claims(ctx, earlyPolls*usualInterval); err != nil {
		return err
	}
	if r.churn, err = made.churn(ctx, c, m, n/100); err != nil {
		return err
	}
	r.burst, err = made.atOnce(ctx, c, m)
	return err
}

// earlyRows are the rows of the two runs.
func earlyRows(n int, with, without earlyRun) []row {
	const of = "in a minute in which 1 % of the volumes are made or attached"
	listings, early := with.churn.listings, with.churn.early
	per := func(early, polls int) string { return fmt.Sprintf("%.4f", float64(early)/float64(max(polls, 1))) }
	rows := []row{
		{
			"time from a PersistentVolume's creation to its record, 99th percentile", n, latency(with.claims),
			latency(without.claims) + " with -early-reads=false", times(p99(with.claims).Seconds(), p99(without.claims).Seconds()), "-",
		},
		{fmt.Sprintf("early reads, %d steady polls", restingPolls), n, thousands(with.resting), "-", "-", "0"},
		{
			"requests of early reads " + of, n,
			fmt.Sprintf("%s: %s reads for %s made and %s attached, and answers of the cluster", thousands(early.requests),
				thousands(with.churn.reads), thousands(with.churn.made), thousands(with.churn.attached)),
			fmt.Sprintf("%s of the %d polls", thousands(listings.requests), pollsOfMinute), per(early.requests, listings.requests), "-",
		},
		{
			"bytes of early reads " + of, n, kib(early.bytes),
			fmt.Sprintf("%s of the %d polls", kib(listings.bytes), pollsOfMinute), per(early.bytes, listings.bytes), "-",
		},
	}
	a, b := with.burst, without.burst
	what := fmt.Sprintf("%d claims made at once", burstClaims)
	return append(
		rows,
		row{"the most volumes that are read in a second, " + what, n, a.mostText(), b.mostText() + " with -early-reads=false", "-", "≤ 20 early ones"},
		row{
			"requests of early reads, " + what, n,
			fmt.Sprintf("%s: %s reads, and answers of the cluster", thousands(a.early.requests), thousands(a.reads)),
			fmt.Sprintf("%s of the %d polls meanwhile", thousands(a.listings.requests), burstPolls), per(a.early.requests, a.listings.requests), "-",
		},
		row{
			"bytes of early reads, " + what, n, kib(a.early.bytes),
			fmt.Sprintf("%s of the %d polls meanwhile", kib(a.listings.bytes), burstPolls), per(a.early.bytes, a.listings.bytes), "-",
		},
		row{
			fmt.Sprintf("processor time of %d polls and the writes, ", burstPolls) + what, n, ms(a.processor),
			ms(b.processor) + " with -early-reads=false", times(a.processor.Seconds(), b.processor.Seconds()), "-",
		},
	)
}

func (b burst) mostText() string {
	return fmt.Sprintf("%s, of %s early reads and %s for writes", thousands(b.most), thousands(b.reads), thousands(b.others))
}

// earlyReads is how many volumes it has read early.
func (c *controller) earlyReads() (int, error) {
	n, err := c.metric("storageos_sync_volume_early_reads_total")
	return int(n), err
}

func kib(n int) string { return thousands((n+512)/1024) + " KiB" }
