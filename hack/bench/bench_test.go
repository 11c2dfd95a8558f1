package main

import (
	"slices"
	"testing"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for volumes, want := range map[int][]int{
		999:     nil,
		1_000:   {1_000},
		1_001:   {1_000, 1_001},
		10_000:  {1_000, 10_000},
		100_000: {1_000, 10_000, 100_000},
	} {
		got, err := options{volumes: volumes}.sizes()
		if !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%d: %v, %v; want %v", volumes, got, err, want)
		}
		alone, err := options{volumes: volumes, alone: true}.sizes()
		if want := want[max(0, len(want)-1):]; !slices.Equal(alone, want) || (err != nil) != (len(want) == 0) {
			t.Errorf("%d alone: %v, %v; want %v", volumes, alone, err, want)
		}
	}
}
