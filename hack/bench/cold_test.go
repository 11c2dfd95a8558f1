package main

import (
	"slices"
	"testing"
)

func TestRatios(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ these, those, want []float64 }{
		"none":                         {nil, nil, nil},
		"each to the one that follows": {[]float64{90, 40}, []float64{100, 50}, []float64{0.9, 0.8}},
		"the last had nothing after":   {[]float64{90, 40, 7}, []float64{100, 50}, []float64{0.9, 0.8}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ratios(tc.these, tc.those); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		all     []int
		percent int
		want    int
	}{
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
