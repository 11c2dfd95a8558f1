package controller

import "sync"

// askers bounds how many workers are in a question to StorageOS at a time: half of them,
// but at least one. However long an answer takes, the others record what Kubernetes tells.
// Whoever has no room does not wait for it: the ID is set aside.
//
// Invariant: an ID is set aside at most once, and the one that was so first leaves first.
type askers struct {
	mu    sync.Mutex
	room  int // for how many more
	aside []string
	is    map[string]struct{} // set aside
}

func newAskers(workers int) *askers {
	return &askers{room: max(1, workers/2), is: map[string]struct{}{}}
}

// enter tells whether a worker may ask for a volume. If not, the ID is set aside.
func (a *askers) enter(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.room > 0 {
		a.room--
		return true
	}
	if _, is := a.is[id]; !is {
		a.is[id] = struct{}{}
		a.aside = append(a.aside, id)
	}
	return false
}

// leave makes room again and hands out an ID that was set aside; false if there is none.
func (a *askers) leave() (next string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.room++
	if len(a.aside) == 0 {
		return "", false
	}
	next, a.aside = a.aside[0], a.aside[1:]
	delete(a.is, next)
	return next, true
}

// mayAsk tells whether a worker may ask StorageOS for a volume now; then left must follow.
// If not, its turn comes when somebody else's question has ended or, should there be nothing
// left to ask of who comes before, with the next listing.
func (r *Reconciler) mayAsk(id string) bool {
	may := r.askers.enter(id)
	if !may {
		r.waiting.add(id)
	}
	return may
}

func (r *Reconciler) left() {
	if next, ok := r.askers.leave(); ok {
		r.queue.Add(next)
	}
}
