package integration

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// leaseName is that of the election.
const leaseName = "storageos-volume-sync"

// tap is a process's way to the API server: it counts what is written, judges it and lets a
// perturbation happen.
type tap struct {
	tr      *trial
	proxy   *proxy
	member  *member       // whose way it is, once it has started
	started chan struct{} // is closed then

	mu      sync.Mutex
	gates   map[string]*gate // of watches, by what is watched
	stale   string           // lists out of a cache are as they were at that resourceVersion
	holder  string           // under this name it holds the Lease, as far as it has written it
	deposed time.Time        // when it was told that it does not; zero: it was not
}

func (tr *trial) newTap() *tap {
	t := &tap{tr: tr, proxy: tr.e.newProxy(), started: make(chan struct{}), gates: map[string]*gate{}}
	for _, kind := range watchedKinds {
		t.gates[kind] = &gate{}
	}
	t.proxy.set(t.serve)
	return t
}

// serve answers each request of the process.
func (t *tap) serve(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Query().Get("watch") != "":
		t.watch(w, r)
	case r.Method == http.MethodGet && path.Base(r.URL.Path) == leaseName:
		t.readLease(w, r)
	case r.Method == http.MethodGet:
		t.agedList(r)
		t.proxy.pass.ServeHTTP(w, r)
	default:
		t.write(w, r)
	}
	return true
}

// write lets a write pass, once the perturbation has happened if this is the point.
func (t *tap) write(w http.ResponseWriter, r *http.Request) {
	if isWrite(r) {
		t.judge(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the process has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	lease := leaseIn(r.URL.Path, body)
	after := func() {}
	// As long as somebody leads the Lease is renewed: of its writes only the first is a point.
	if renewal := lease != nil && r.Method == http.MethodPut; !renewal && t.tr.wrote(r) {
		after = t.tr.how.happen(t)
	}
	answer := httptest.NewRecorder()
	t.proxy.pass.ServeHTTP(answer, r)
	if isWrite(r) {
		t.tr.noteVersion(answer.Body.Bytes())
	}
	if lease != nil && answer.Code < http.StatusBadRequest {
		t.mu.Lock()
		t.holder = holderOf(lease)
		t.mu.Unlock()
	}
	after()
	copyAnswer(w, answer)
}

// leaseIn is the Lease of the election, if that is what is written.
func leaseIn(urlPath string, body []byte) *coordinationv1.Lease {
	if lease := decodeLease(body); strings.Contains(urlPath, "/leases") && lease != nil && lease.Name == leaseName {
		return lease
	}
	return nil
}

// decodeLease reads a Lease in any form that clients and the API server agree on.
func decodeLease(body []byte) *coordinationv1.Lease {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil
	}
	lease, _ := object.(*coordinationv1.Lease)
	return lease
}

func holderOf(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

// readLease lets the process read the Lease, and remembers when it was told first that what
// was its own is not.
func (t *tap) readLease(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	t.proxy.pass.ServeHTTP(answer, r)
	copyAnswer(w, answer)
	holder, told := holderRead(r, answer)
	t.mu.Lock()
	defer t.mu.Unlock()
	if told && t.holder != "" && holder != t.holder && t.deposed.IsZero() {
		t.deposed = time.Now()
	}
}

// holderRead is who holds the Lease of the election by an answer of the API server, if it
// tells that.
func holderRead(r *http.Request, answer *httptest.ResponseRecorder) (holder string, told bool) {
	switch lease := decodeLease(answer.Body.Bytes()); {
	case path.Base(r.URL.Path) != leaseName:
		return "", false
	case answer.Code == http.StatusNotFound:
		return "", true
	case answer.Code != http.StatusOK || lease == nil:
		return "", false
	default:
		return holderOf(lease), true
	}
}

// deposedFor is how long the process has known that it does not hold the Lease; 0: it does
// not know.
func (t *tap) deposedFor() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deposed.IsZero() {
		return 0
	}
	return time.Since(t.deposed)
}

// judge fails the test if a record must not be written so. It comes before the API server.
func (t *tap) judge(r *http.Request) {
	// An answer is on its way for a moment, and so is a write that had begun.
	const moment = time.Second
	if late := t.deposedFor(); late > moment {
		t.tr.e.t.Errorf("%s %s, %v after it has read that the Lease is not its own", r.Method, r.URL.Path, late)
	}
	if r.Method == http.MethodDelete {
		t.tr.judgeDelete(path.Base(r.URL.Path))
	}
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the process may have gone
}
