package main

import (
	"testing"
	"time"
)

// Turns count by how long they took.
func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	p.add(100, time.Second)
	p.add(100, 4*time.Second)
	if got := p.String(); got != "40/s" {
		t.Errorf("%s, want 40/s", got)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		all     []int
		percent int
		want    int
	}{
		"none":                 {nil, 99, 0},
		"one":                  {[]int{7}, 99, 7},
		"the median of three":  {[]int{9, 1, 5}, 50, 5},
		"the 99th of a few":    {[]int{1, 2, 3}, 99, 3},
		"of a hundred":         {hundred(), 99, 99},
		"the first percentile": {hundred(), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := percentile(tc.all, tc.percent); got != tc.want {
				t.Errorf("%d, want %d", got, tc.want)
			}
		})
	}
}

func hundred() []int {
	var all []int
	for i := range 100 {
		all = append(all, 100-i)
	}
	return all
}
