package app

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

// The last hour is kept, the oldest sample goes first, and another begin forgets all of it.
func TestHistory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		added       int
		n           int
		first, last uint32
	}{
		"none":                {0, 0, 0, 0},
		"one":                 {1, 1, 0, 0},
		"not yet an hour":     {maxSamples - 1, maxSamples - 1, 0, uint32(maxSamples) - 2},
		"an hour":             {maxSamples, maxSamples, 0, uint32(maxSamples) - 1},
		"one more":            {maxSamples + 1, maxSamples, 1, uint32(maxSamples)},
		"three hours and one": {3*maxSamples + 1, maxSamples, 2*uint32(maxSamples) + 1, 3 * uint32(maxSamples)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &history{}
			if all, since := h.samples(); len(all) != 0 || !since.IsZero() {
				t.Errorf("before it leads: %d samples since %v", len(all), since)
			}
			begun := time.Unix(1_800_000_000, 0)
			h.begin(begun)
			for i := range tc.added {
				h.add(sample{at: uint32(i)})
			}
			all, since := h.samples()
			if len(all) != tc.n || !since.Equal(begun) {
				t.Fatalf("%d samples since %v, want %d", len(all), since, tc.n)
			}
			for i, s := range all {
				if s.at != tc.first+uint32(i) {
					t.Fatalf("sample %d is number %d, want %d", i, s.at, tc.first+uint32(i))
				}
			}
			if tc.n > 0 && all[tc.n-1].at != tc.last {
				t.Errorf("the last is %d, want %d", all[tc.n-1].at, tc.last)
			}
			h.begin(begun.Add(time.Minute))
			if all, since := h.samples(); len(all) != 0 || !since.Equal(begun.Add(time.Minute)) {
				t.Errorf("when it leads again: %d samples since %v", len(all), since)
			}
		})
	}
}

// An hour takes what it always takes, and a sample nothing beside it.
func TestHistorySize(t *testing.T) {
	t.Parallel()
	const most = 4 << 10
	if size := unsafe.Sizeof(history{}); size != 120*32+32 || size > most {
		t.Errorf("%d bytes, want 120 samples of 32 and 32 more", size)
	}
	for n, want := range map[int]uint32{-1: 0, 0: 0, 7: 7, math.MaxUint32: math.MaxUint32, math.MaxInt: math.MaxUint32} {
		if got := counted(n); got != want {
			t.Errorf("%d counts as %d, want %d", n, got, want)
		}
	}
}

// What is counted is not parallel: others' allocations would count too.
func TestHistoryAllocations(t *testing.T) {
	h := &history{}
	if n := testing.AllocsPerRun(1000, func() { h.add(sample{known: true}) }); n != 0 {
		t.Errorf("a sample allocates %v times", n)
	}
}
