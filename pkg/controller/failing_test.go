package controller

import (
	"errors"
	"testing"
)

// What fails again and again is counted until it succeeds.
func TestFailing(t *testing.T) {
	t.Parallel()
	failed := errors.New("refused")
	var f failing
	for n, step := range []struct {
		id   string
		err  error
		want int
	}{
		{"a", nil, 0}, {"a", failed, 0}, {"a", failed, 0}, {"a", failed, 1}, {"a", failed, 1}, {"b", failed, 1}, {"b", nil, 1},
		{"b", failed, 1}, {"b", failed, 1}, {"b", failed, 2}, {"a", nil, 1}, {"a", nil, 1}, {"b", nil, 0},
	} {
		before := f.often()
		was := len(before)
		f.note(step.id, step.err)
		if got := f.often(); len(got) != step.want || got[step.id] != (step.err != nil && f.times[step.id] >= fewFailures) {
			t.Errorf("step %d: %v, want %d", n, got, step.want)
		}
		if len(before) != was {
			t.Errorf("step %d: what has failed before it is another now", n)
		}
	}
	if len(f.times) != 0 {
		t.Errorf("remembered: %v", f.times)
	}
}
