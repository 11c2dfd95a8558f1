package integration

import (
	"context"
	"net/http"
	"path"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watchedKinds are what the program watches: the last parts of their paths.
var watchedKinds = []string{"volumes", "persistentvolumes", "customresourcedefinitions", "leases", "volumeattachments"}

// gate lets the watches of a kind stand still.
type gate struct {
	mu      sync.Mutex
	still   chan struct{} // is closed when they go on; nil: they go
	expired bool          // the next watch is told so
	streams []context.CancelFunc
}

// shut lets them stand still from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.still == nil {
		g.still = make(chan struct{})
	}
}

// open lets them go on where they stood still.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.still != nil {
		close(g.still)
		g.still = nil
	}
}

// expire ends them where they stood still; the next is told that what it wants to go on from
// is not kept any more, so that a list follows, which does not show what came and went.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expired, g.still = true, nil
	for _, end := range g.streams {
		end()
	}
	g.streams = nil
}

// watch lets the process watch, behind the gate of what it watches.
func (t *tap) watch(w http.ResponseWriter, r *http.Request) {
	g := t.gates[path.Base(r.URL.Path)]
	if g == nil {
		t.tr.e.t.Errorf("%s is watched: it has no gate", r.URL.Path)
		return
	}
	t.mu.Lock()
	stale := t.stale != ""
	t.mu.Unlock()
	initial := r.URL.Query().Get("sendInitialEvents") == "true"
	if stale && initial {
		// The list that comes instead can be of another time.
		answerStatus(w, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", nil).ErrStatus)
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	g.mu.Lock()
	expired := g.expired && !initial
	if expired {
		g.expired = false
	} else {
		g.streams = append(g.streams, end)
	}
	g.mu.Unlock()
	if expired {
		answerStatus(w, apierrors.NewResourceExpired("too old").ErrStatus)
		return
	}
	t.proxy.pass.ServeHTTP(&gated{w, ctx, g}, r.WithContext(ctx))
}

// gated is the answer to a watch.
type gated struct {
	http.ResponseWriter
	ctx  context.Context
	gate *gate
}

func (w *gated) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gated) Write(b []byte) (int, error) {
	w.gate.mu.Lock()
	still := w.gate.still
	w.gate.mu.Unlock()
	if still != nil {
		select {
		case <-still:
		case <-w.ctx.Done():
		}
	}
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// agedKinds are what a new process may find as it was: what it decides by.
var agedKinds = []string{"volumes", "persistentvolumes"}

// agedList has a list that may come out of a cache be as old as such a cache can be.
func (t *tap) agedList(r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	query := r.URL.Query()
	if t.stale == "" || query.Get("resourceVersion") != "0" || !slices.Contains(agedKinds, path.Base(r.URL.Path)) {
		return
	}
	query.Set("resourceVersion", t.stale)
	query.Set("resourceVersionMatch", string(metav1.ResourceVersionMatchExact))
	r.URL.RawQuery = query.Encode()
}
