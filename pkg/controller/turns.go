package controller

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
)

// lines are those in which IDs wait for their turn. There are several, so that none waits for
// what only others wait for.
type lines struct {
	//               who                                               room, with 10 workers
	proofs   *turns // asks whether a volume is gone, deletes          3 workers
	reads    *turns // asks what a volume is                           2 workers
	writes   *turns // writes a record, having failed before           3 workers
	marks    *turns // marks one of too many absences                  20 a second
	newTries *turns // asks, while no writes are taken                 10 a second
	tries    *turns // the same, having failed for long                10 a second
}

func newLines(workers int) lines {
	return lines{newProofs(workers), newReads(workers), newWrites(workers), newTurns(marksPerSecond), newTurns(triesPerSecond), newTurns(triesPerSecond)}
}

func (l lines) all() []*turns {
	return []*turns{l.proofs, l.reads, l.writes, l.marks, l.newTries, l.tries}
}

// turns let so many do something at a time. Whoever has no room does not wait for it: the
// ID is set aside, and worked on again when it is its turn.
//
// Invariant: an ID is set aside at most once, and the one that was so first has its turn
// first. While there is room, nobody is set aside.
type turns struct {
	mu    sync.Mutex
	room  int // for how many more
	aside []string
	is    map[string]bool // set aside; true: it is its turn, and its room is kept for it
}

func newTurns(room int) *turns { return &turns{room: room, is: map[string]bool{}} }

// enter tells whether it is the turn of a volume; then leave must follow. If not, the ID is
// set aside.
func (t *turns) enter(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn, aside := t.is[id]
	switch {
	case turn:
		delete(t.is, id)
	case t.room > 0:
		t.room--
	case !aside:
		t.is[id] = false
		t.aside = append(t.aside, id)
		return false
	default:
		return false
	}
	return true
}

// waits tells whether an ID is set aside.
func (t *turns) waits(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn, aside := t.is[id]
	return aside && !turn
}

// leave hands the room on to the ID that was set aside first; false if there is none.
func (t *turns) leave() (next string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handOn()
}

// pass hands the room on that was kept for an ID which did not need it.
func (t *turns) pass(id string) (next string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.is[id] {
		return "", false
	}
	delete(t.is, id)
	return t.handOn()
}

// handOn needs the lock.
func (t *turns) handOn() (next string, ok bool) {
	if len(t.aside) == 0 {
		t.room++
		return "", false
	}
	next, t.aside = t.aside[0], t.aside[1:]
	t.is[next] = true
	return next, true
}

// newProofs and newReads bound how many workers are in a question to StorageOS at a time, or
// in the deletion that follows from it.
// However long an answer takes, the others record what Kubernetes tells; and a question that
// gets no answer is asked again and again, which questions of the other kind do not wait for.
func newProofs(workers int) *turns { return newTurns(max(1, workers/3)) }
func newReads(workers int) *turns  { return newTurns(max(1, workers/5)) }

// left lets the next one have its turn that waits for it.
func (r *Reconciler) left(t *turns) { r.next(t.leave()) }

// newWrites bounds how many workers write records of volumes that have failed before. A
// write may hang, and be tried again for ever: it keeps no others from being written.
func newWrites(workers int) *turns { return newTurns(max(1, workers/3)) }

// errAside is that a volume was set aside: it has not failed again, and is worked on again
// when it is its turn.
var errAside = errors.New("its turn has not come")

// writeInTurn writes a record, if it is the turn of one that has failed before.
func (r *Reconciler) writeInTurn(ctx context.Context, change *writer.Change, known *state.Record) (writer.Result, error) {
	if r.queue.NumRequeues(change.VolumeID) > 0 {
		if !r.writes.enter(change.VolumeID) {
			return writer.Result{}, errAside
		}
		defer r.left(r.writes)
	}
	return r.writer.Write(ctx, change, known)
}

// marksPerSecond is how fast absences are marked while the breaker has tripped: nobody
// waits for them, and most will be taken back.
const marksPerSecond = 20

// mayMark tells whether one of too many absences may be marked now.
func (r *Reconciler) mayMark(id string) bool { return r.forASecond(r.marks, id) }

// triesPerSecond is for how many volumes whose content is not kept StorageOS is asked while
// Kubernetes takes no writes, of each of two kinds: any of them may be one whose record is
// taken again.
const triesPerSecond = 10

// fewRequeues are so many that a volume has failed for a quarter of a minute at most: the
// pauses double from a tenth of a second. Until then it does not wait behind those whose
// records may never be written.
const fewRequeues = 8

// mayTry tells whether StorageOS may be asked for a volume so that its record can be written.
// One that did not fail itself waits for no others: their records may be all that cannot be
// written.
func (r *Reconciler) mayTry(id string) bool {
	requeues := r.queue.NumRequeues(id)
	switch {
	case r.failures.Load() < failuresInARow || requeues == 0:
		return true
	case requeues < fewRequeues:
		return r.forASecond(r.newTries, id)
	default:
		return r.forASecond(r.tries, id)
	}
}

// forASecond tells whether it is the turn of a volume, and keeps its room for a second.
func (r *Reconciler) forASecond(t *turns, id string) bool {
	if !t.enter(id) {
		return false
	}
	time.AfterFunc(time.Second, func() { r.left(t) })
	return true
}

// worked lets the next one have its turn if a volume did not need it: it is back, it is
// gone, or it has to wait for something else.
func (r *Reconciler) worked(id string) {
	for _, t := range r.all() {
		r.next(t.pass(id))
	}
}

func (r *Reconciler) next(id string, ok bool) {
	if ok {
		r.queue.Add(id)
	}
}
