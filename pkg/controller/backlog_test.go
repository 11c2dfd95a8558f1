package controller

import (
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// All is recorded as of the oldest of what is behind.
func TestBacklog(t *testing.T) {
	t.Parallel()
	at := func(minutes int) uptime { return uptime(minutes) * uptime(time.Minute) }
	var b backlog
	var failing map[string]bool
	const none uptime = 0
	for n, step := range []struct {
		id        string
		is        policy.Standing
		completed uptime // when the last complete listing had begun
		otherwise string // an ID that counts otherwise
		want      uptime // all is recorded as of then
	}{
		{id: "a", completed: at(1), want: at(1)},
		{id: "a", is: policy.Behind, completed: at(2), want: at(2)},
		{id: "b", is: policy.Behind, completed: at(3), want: at(2)},
		{id: "a", is: policy.Behind, completed: at(4), want: at(2)}, // since then
		{id: "a", is: policy.Behind, completed: at(4), otherwise: "a", want: at(3)},
		{id: "b", is: policy.Unsure, completed: at(4), want: at(2)},
		{id: "c", is: policy.Unsure, completed: at(4), want: at(2)},
		{id: "c", is: policy.Behind, completed: none, want: none},
		{id: "c", completed: at(4), want: at(2)},
		{id: "a", completed: at(5), want: at(3)},
		{id: "b", completed: at(6), want: at(6)},
	} {
		failing = map[string]bool{step.otherwise: true}
		b.note(step.id, uint64(n), step.is, step.completed)
		if got := b.oldest(step.completed, func(id string) bool { return failing[id] }); got != step.want {
			t.Errorf("step %d: %v, want %v", n, got, step.want)
		}
	}
	if b.right != nil {
		t.Errorf("remembered: %v", b.right)
	}
}

// A look that was begun before another does not know better.
func TestBacklogEarlierLook(t *testing.T) {
	t.Parallel()
	var b backlog
	b.note("a", 1, policy.Behind, 1)
	b.note("a", 3, policy.Behind, 2)
	b.note("a", 2, policy.Right, 2)
	b.note("a", 2, policy.Behind, 2)
	if want := (lastRight{1, 3}); b.right["a"] != want {
		t.Errorf("%+v, want %+v", b.right["a"], want)
	}
	if b.note("a", 3, policy.Right, 2); b.right != nil {
		t.Errorf("remembered: %v", b.right)
	}
	if first := b.look(); b.look() <= first {
		t.Error("a later look has no later number")
	}
}
