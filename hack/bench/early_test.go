package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is said of the two runs, of the polls and of the early reads.
func TestEarlyRows(t *testing.T) {
	t.Parallel()
	spans := func(took ...time.Duration) (all []span) {
		for _, d := range took {
			all = append(all, span{time.Time{}, time.Time{}.Add(d)})
		}
		return all
	}
	with := earlyRun{
		claims: spans(20*time.Millisecond, 10*time.Millisecond, 30*time.Millisecond),
		churn:  churn{made: 5, attached: 4, reads: 9, listings: traffic{600, 10 << 20}, early: traffic{27, 1 << 20}},
		burst:  burst{processor: 300 * time.Millisecond, reads: 100, listings: traffic{150, 2 << 20}, early: traffic{120, 100 << 10}, most: 21, others: 1},
	}
	without := earlyRun{claims: spans(2*time.Second, 5*time.Second, 3*time.Second), burst: burst{processor: 250 * time.Millisecond, most: 1, others: 2}}
	b := &bench{rows: append(earlyRows(10_000, with, without), freshRow("a claim is made", 10_000, with.claims))}
	var out bytes.Buffer
	b.write(&out)
	const table = `| time from a PersistentVolume's creation to its record, 99th percentile | 10,000 | 30.0 ms, median 20.0 ms | 5000.0 ms, median 3000.0 ms with -early-reads=false | 0.01 | - |
| early reads, 10 steady polls | 10,000 | 0 | - | - | 0 |
| requests of early reads in a minute in which 1 % of the volumes are made or attached | 10,000 | 27: 9 reads for 5 made and 4 attached, and answers of the cluster | 600 of the 12 polls | 0.0450 | - |
| bytes of early reads in a minute in which 1 % of the volumes are made or attached | 10,000 | 1,024 KiB | 10,240 KiB of the 12 polls | 0.1000 | - |
| the most volumes that are read in a second, 200 claims made at once | 10,000 | 21, of 100 early reads and 1 for writes | 1, of 0 early reads and 2 for writes with -early-reads=false | - | ≤ 20 early ones |
| requests of early reads, 200 claims made at once | 10,000 | 120: 100 reads, and answers of the cluster | 150 of the 3 polls meanwhile | 0.8000 | - |
| bytes of early reads, 200 claims made at once | 10,000 | 100 KiB | 2,048 KiB of the 3 polls meanwhile | 0.0488 | - |
| processor time of 3 polls and the writes, 200 claims made at once | 10,000 | 300.0 ms | 250.0 ms with -early-reads=false | 1.20 | - |
| time to the record with -api-poll-interval=30s, 99th percentile: a claim is made | 10,000 | 30.0 ms, median 20.0 ms | 30000.0 ms, the poll interval | 0.00 | ≤ 1.5s: 0.05 |
`
	if text := out.String(); !strings.HasSuffix(text, table) {
		t.Errorf("it says\n%s", text)
	}
}

// Each time falls into a part of its own, and an error ends it.
func TestSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var parts []int
		if err := spread(t.Context(), 20, time.Minute, func(int) error {
			parts = append(parts, int(time.Since(begun)/(3*time.Second)))
			return nil
		}); err != nil {
			t.Error(err)
		}
		for i, part := range parts {
			if part != i {
				t.Fatalf("%d is in part %d", i, part)
			}
		}
		if len(parts) != 20 {
			t.Errorf("it was done %d times", len(parts))
		}
		var done []int
		broken := errors.New("broken")
		if err := spread(t.Context(), 20, time.Minute, func(i int) error {
			if done = append(done, i); i == 2 {
				return broken
			}
			return nil
		}); !errors.Is(err, broken) || !slices.Equal(done, []int{0, 1, 2}) {
			t.Errorf("%v after %v", err, done)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := spread(ctx, 1, time.Minute, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	})
}
