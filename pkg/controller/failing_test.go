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
		if f.note(step.id, step.err); f.count() != step.want {
			t.Errorf("step %d: %d, want %d", n, f.count(), step.want)
		}
		has := 0
		for _, id := range []string{"a", "b"} {
			if f.has(id) {
				has++
			}
		}
		if has != step.want {
			t.Errorf("step %d: %d have failed often, want %d", n, has, step.want)
		}
	}
	if len(f.times) != 0 {
		t.Errorf("remembered: %v", f.times)
	}
}
