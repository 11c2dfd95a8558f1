package controller

import "sync"

// askers bounds how many workers are in a question to StorageOS at a time: half of them,
// but at least one. However long an answer takes, the others record what Kubernetes tells.
// Whoever has no room does not wait for it: the ID is set aside.
//
// Invariant: an ID is set aside at most once, and the one that was so first has its turn
// first. While there is room, nobody is set aside.
type askers struct {
	mu    sync.Mutex
	room  int // for how many more
	aside []string
	is    map[string]bool // set aside; true: it is its turn, and its room is kept for it
}

func newAskers(workers int) *askers {
	return &askers{room: max(1, workers/2), is: map[string]bool{}}
}

// enter tells whether a worker may ask for a volume. If not, the ID is set aside.
func (a *askers) enter(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	turn, aside := a.is[id]
	switch {
	case turn:
		delete(a.is, id)
	case a.room > 0:
		a.room--
	case !aside:
		a.is[id] = false
		a.aside = append(a.aside, id)
		return false
	default:
		return false
	}
	return true
}

// leave hands the room of a question on to the ID that was set aside first; false if there
// is none.
func (a *askers) leave() (next string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.handOn()
}

// pass hands the room on that was kept for an ID which did not need it.
func (a *askers) pass(id string) (next string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.is[id] {
		return "", false
	}
	delete(a.is, id)
	return a.handOn()
}

// handOn needs the lock.
func (a *askers) handOn() (next string, ok bool) {
	if len(a.aside) == 0 {
		a.room++
		return "", false
	}
	next, a.aside = a.aside[0], a.aside[1:]
	a.is[next] = true
	return next, true
}

// mayAsk tells whether a worker may ask StorageOS for a volume now; then left must follow.
// If not, its turn comes when those who came before have asked.
func (r *Reconciler) mayAsk(id string) bool { return r.askers.enter(id) }

func (r *Reconciler) left() {
	if next, ok := r.askers.leave(); ok {
		r.queue.Add(next)
	}
}

// worked lets the next one ask if a volume whose turn it was needed no question: it is back,
// it is gone, or it has to wait for something else.
func (r *Reconciler) worked(id string) {
	if next, ok := r.askers.pass(id); ok {
		r.queue.Add(next)
	}
}
