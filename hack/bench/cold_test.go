package main

import (
	"testing"
	"time"
)

func TestAtPace(t *testing.T) {
	t.Parallel()
	at := func(seconds float64, writes float64) look {
		return look{time.Duration(seconds * float64(time.Second)), writes}
	}
	for _, tc := range []struct {
		name  string
		looks []look
		want  time.Duration
	}{
		{"no look", nil, 0},
		{"the look that finds all does not count", []look{at(3, 10), at(4, 20), at(5, 30), at(9, 100)}, 10 * time.Second},
		{"a pause in between counts", []look{at(0, 10), at(1, 90), at(9, 90), at(10, 100)}, 9 * time.Second * 100 / 80},
		{"too few before", []look{at(1, 50), at(2, 100)}, 2 * time.Second},
		{"nothing but the end", []look{at(1, 100)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := atPace(tc.looks, 100); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
