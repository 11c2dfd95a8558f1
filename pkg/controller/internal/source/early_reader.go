package source

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// EarlyReadsPerSecond bounds how many volumes are read because Kubernetes told something of
// them: a fast provisioner makes that many claims a second, and StorageOS does not notice it
// beside the lists.
const EarlyReadsPerSecond = 20

// ParallelEarlyReads is how many of them are on their way at a time.
const ParallelEarlyReads = 4

// earlyAgain are the pauses after which a volume is read again that does not show yet what
// Kubernetes told: a second after the first answer, and three. Then a listing will show it.
var earlyAgain = []time.Duration{time.Second, 2 * time.Second}

// EarlyRead is a volume that Kubernetes told something of, and what is expected of it.
type EarlyRead struct {
	NamespaceID, ID string
	Reason          string // of the metric
	// Shows tells whether a volume, whose content is this, shows what is expected of it; if it
	// does not, it is read again. Nil: whatever it shows will do.
	Shows func(v *storageos.Volume, content uint64) bool
}

// EarlyReader reads single volumes between two listings. What it reads is shown by the view
// until a list tells more. It says that volumes are there, never that they are not.
type EarlyReader struct {
	api   storageos.Lister
	view  *View
	count func(reason string)           // each volume that is asked for
	shown func(id string)               // each that an answer shows, whether or not that counts
	found func(id string, read Payload) // each that is new or has changed

	parallel int // how many are asked for at a time
	most     int // how many wait at most: a listing shows the others sooner

	mu      sync.Mutex
	waiting []*waitingRead // by due
	last    []time.Time    // when those of the last second were begun, at the latest
	wake    chan struct{}
}

// waitingRead is one that is yet to be begun.
type waitingRead struct {
	EarlyRead
	due     time.Time
	answers int // that did not show what is expected
}

// NewEarlyReader makes a reader of volumes that asks for so many at a time. It counts each
// question by its reason, calls shown for each volume that an answer shows, and then found for each
// that counts and shows something new.
func NewEarlyReader(api storageos.Lister, v *View, parallel int, count func(reason string), shown func(id string), found func(id string, read Payload)) *EarlyReader {
	most := int(EarlyReadsPerSecond * max(v.clock.Interval, time.Second) / time.Second)
	return &EarlyReader{api: api, view: v, parallel: parallel, most: most, count: count, shown: shown, found: found, wake: make(chan struct{}, 1)}
}

// Ask has a volume read as soon as possible, if it can be before the next listing. What was
// asked of it before is forgotten.
func (e *EarlyReader) Ask(r EarlyRead) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = slices.DeleteFunc(e.waiting, func(w *waitingRead) bool { return w.ID == r.ID })
	if len(e.waiting) >= e.most {
		return
	}
	e.wait(&waitingRead{EarlyRead: r, due: time.Now()})
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// wait lets one wait for its time. The caller holds the lock.
func (e *EarlyReader) wait(w *waitingRead) {
	at, _ := slices.BinarySearchFunc(e.waiting, w, func(a, b *waitingRead) int {
		return cmp.Or(a.due.Compare(b.due), -1) // behind those of the same time
	})
	e.waiting = slices.Insert(e.waiting, at, w)
}

// ListingBegun says that a listing has begun: it shows what was not read until now. What was,
// and did not show what is expected, StorageOS may show later than now.
func (e *EarlyReader) ListingBegun() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = slices.DeleteFunc(e.waiting, func(w *waitingRead) bool { return w.answers == 0 })
}

// Run reads until the context ends.
func (e *EarlyReader) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := e.ReadDue(ctx)
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-time.After(pause):
		}
	}
}

// ReadDue reads what is to be read now, and returns for how long nothing else will be, unless
// it is asked for.
func (e *EarlyReader) ReadDue(ctx context.Context) (pause time.Duration) {
	due, pause := e.take(time.Now())
	if len(due) > 0 {
		e.read(ctx, due)
	}
	return pause
}

// take hands out those that are to be read now or, if none are, how long to wait at most.
func (e *EarlyReader) take(now time.Time) (due []*waitingRead, pause time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = slices.DeleteFunc(e.last, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	n := 0
	for n < len(e.waiting) && !e.waiting[n].due.After(now) {
		n++
	}
	switch room := EarlyReadsPerSecond - len(e.last); {
	case len(e.waiting) == 0:
		return nil, time.Hour // or until one is asked for
	case n == 0:
		return nil, e.waiting[0].due.Sub(now)
	case room == 0:
		return nil, time.Second - now.Sub(e.last[0])
	default:
		n = min(n, room)
	}
	due = slices.Clone(e.waiting[:n])
	e.waiting = slices.Delete(e.waiting, 0, n)
	e.last = append(e.last, slices.Repeat([]time.Time{now}, n)...)
	return due, 0
}

// begun says that the last n reads have been begun only now: until the cluster has answered,
// none is, and StorageOS is to meet no more of them in a second however long that takes.
func (e *EarlyReader) begun(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range n {
		e.last[len(e.last)-1-i] = time.Now()
	}
}

// read reads some volumes between two answers of the cluster that was listed last. If it is
// not the same that answers, nothing was read, and nothing is read again: a listing tells more.
func (e *EarlyReader) read(ctx context.Context, due []*waitingRead) {
	of := e.view.readable()
	if of == nil {
		return
	}
	logger := klog.FromContext(ctx)
	before, err := askCluster(ctx, e.api, e.view)
	if err != nil || before.cluster != of.Cluster {
		logger.V(2).Info("No volume is read early: not the cluster that was listed answers", "answers", before.cluster, "err", err)
		return
	}
	answers := e.ask(ctx, due)
	e.begun(len(due))
	after, err := askCluster(ctx, e.api, e.view)
	if err == nil {
		err = before.agrees(after, e.view)
	}
	if err != nil {
		logger.V(2).Info("What was read early does not count: the cluster was not the same before and after", "err", err)
		return
	}
	for i, w := range due {
		if again := e.tell(ctx, of, w, answers[i]); again {
			e.later(w)
		}
	}
}

// tell passes on what a volume has shown. It tells whether it is worth reading again, as it
// does not show what is expected. A failure says nothing, and nor does an answer that is not
// what was asked for: the lists say what is to be said of such a volume.
func (e *EarlyReader) tell(ctx context.Context, of *Listing, w *waitingRead, a earlyAnswer) (again bool) {
	if a.err != nil {
		klog.FromContext(ctx).V(2).Info("A volume could not be read early", "volumeID", w.ID, "err", a.err)
		return storageos.IsNotFound(a.err) // it may have just been made
	}
	digest, err := digestOf(a.volume, w.NamespaceID, e.view.NodeNames())
	if err != nil || a.volume.NamespaceID != w.NamespaceID {
		return false
	}
	if e.view.readEarly(w.ID, early{begun: a.Begun, namespaceID: w.NamespaceID, Digest: digest, of: of}) {
		e.found(w.ID, a.Payload)
	}
	return w.Shows != nil && !w.Shows(a.volume, digest.Content)
}

// later lets a volume be read again, unless that was done often enough, or somebody has asked
// for it meanwhile.
func (e *EarlyReader) later(w *waitingRead) {
	e.mu.Lock()
	defer e.mu.Unlock()
	asked := slices.ContainsFunc(e.waiting, func(other *waitingRead) bool { return other.ID == w.ID })
	if w.answers == len(earlyAgain) || asked {
		return
	}
	w.due = time.Now().Add(earlyAgain[w.answers])
	w.answers++
	e.wait(w)
}

// earlyAnswer is what came of reading a volume.
type earlyAnswer struct {
	Payload
	volume *storageos.Volume
	err    error
}

// ask asks for volumes, a few at a time.
func (e *EarlyReader) ask(ctx context.Context, due []*waitingRead) []earlyAnswer {
	answers := make([]earlyAnswer, len(due))
	slots := make(chan struct{}, e.parallel)
	var wg sync.WaitGroup
	for i, w := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			e.count(w.Reason)
			a := &answers[i]
			a.Begun = time.Now()
			if a.JSON, a.volume, a.err = e.api.Volume(ctx, w.NamespaceID, w.ID); a.err == nil {
				e.view.shown(w.ID, a.Begun) // whoever has it: it is not absent, and others may answer late
				e.shown(w.ID)
			}
		})
	}
	wg.Wait()
	return answers
}
