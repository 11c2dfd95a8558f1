package controller

import (
	"testing"
	"time"
)

// All is recorded as of the oldest of what is behind.
func TestBacklog(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return time.Unix(0, 0).Add(time.Duration(minutes) * time.Minute) }
	var b backlog
	var failing map[string]bool
	none := time.Time{}
	for n, step := range []struct {
		id        string
		behind    bool
		completed time.Time // when a complete listing ended last
		otherwise string    // an ID that counts otherwise
		want      time.Time // all is recorded as of then
	}{
		{id: "a", completed: at(1), want: at(1)},
		{id: "a", behind: true, completed: at(2), want: at(2)},
		{id: "b", behind: true, completed: at(3), want: at(2)},
		{id: "a", behind: true, completed: at(4), want: at(2)}, // since then
		{id: "a", behind: true, completed: at(4), otherwise: "a", want: at(3)},
		{id: "c", behind: true, completed: none, want: none},
		{id: "c", completed: at(4), want: at(2)},
		{id: "a", completed: at(5), want: at(3)},
		{id: "b", completed: at(6), want: at(6)},
	} {
		failing = map[string]bool{step.otherwise: true}
		b.note(step.id, step.behind, step.completed)
		if got := b.oldest(step.completed, func(id string) bool { return failing[id] }); !got.Equal(step.want) {
			t.Errorf("step %d: %v, want %v", n, got, step.want)
		}
	}
	if b.right != nil {
		t.Errorf("remembered: %v", b.right)
	}
}
