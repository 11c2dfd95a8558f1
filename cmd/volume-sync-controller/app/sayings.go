package app

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// sayings are events on what everybody may look at, and on claims. Those have a queue of their
// own: each is said in the namespace of its claim, where a webhook may fail or a quota be used up,
// and none of the others is to wait for that or to be lost.
type sayings struct{ rest, claims *events }

// Event hands it to one of the two.
func (s sayings) Event(object runtime.Object, kind, reason, message string) {
	to := s.rest
	if on, ok := object.(*corev1.ObjectReference); ok && on.Kind == claimKind {
		to = s.claims
	}
	to.Event(object, kind, reason, message)
}

func (s sayings) run(ctx context.Context) {
	s.both(func(e *events) { e.run(ctx) })
}

func (s sayings) drain() {
	s.both((*events).drain)
}

func (s sayings) both(do func(*events)) {
	var wg sync.WaitGroup
	wg.Go(func() { do(s.rest) })
	wg.Go(func() { do(s.claims) })
	wg.Wait()
}
