package main

import (
	"slices"
	"testing"
	"time"
)

func TestWithout(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(begun, ended int) span {
		return span{start.Add(time.Duration(begun) * time.Millisecond), start.Add(time.Duration(ended) * time.Millisecond)}
	}
	stalls := []span{at(100, 120), at(110, 130), at(300, 301)} // of two processors, not in order of their ends
	for name, tc := range map[string]struct {
		spans []span
		stays bool
	}{
		"before all":                  {[]span{at(50, 99)}, true},
		"ends as one begins":          {[]span{at(50, 100)}, true},
		"ends within":                 {[]span{at(50, 101)}, false},
		"within":                      {[]span{at(102, 103)}, false},
		"within the other":            {[]span{at(125, 126)}, false},
		"around one":                  {[]span{at(290, 310)}, false},
		"between":                     {[]span{at(131, 299)}, true},
		"begins as the last one ends": {[]span{at(301, 400)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tc.spans)
			if got := slices.Equal(without(tc.spans, stalls), before); got != tc.stays {
				t.Errorf("stays: %t, want %t", got, tc.stays)
			}
			if !slices.Equal(tc.spans, before) {
				t.Error("what was measured is changed")
			}
		})
	}
}
