package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// nowhere is an address at which nobody listens.
const nowhere = "127.0.0.1:1"

// quiet is a context whose logger says nothing.
func quiet(t *testing.T) context.Context {
	return klog.NewContext(t.Context(), logr.Discard())
}

// write puts text into a file of the test's own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfigFor is a kubeconfig file that names one server, and a namespace
// unless it is "".
func kubeconfigFor(t *testing.T, server, namespace string) string {
	t.Helper()
	return write(t, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+server+`"}}]
contexts: [{name: c, context: {cluster: c, namespace: "`+namespace+`"}}]
current-context: c
`)
}

// parsed are the options of a command line that makes sense.
func parsed(t *testing.T, args ...string) *options {
	t.Helper()
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// lease is a Lease in memory.
type lease struct {
	mu      sync.Mutex
	record  *resourcelock.LeaderElectionRecord
	version int
	answer  func(who, call string) error // before each call; nil: it succeeds
	changed chan struct{}                // is closed at the next change
}

// change is to be called with the mutex held.
func (l *lease) change(r resourcelock.LeaderElectionRecord) {
	l.record = &r
	l.version++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// watch tells who holds the lease, as watching the real one does.
func (l *lease) watch(ctx context.Context, held func(holder string)) {
	for ctx.Err() == nil {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed, holder := l.changed, ""
		if l.record != nil {
			holder = l.record.HolderIdentity
		}
		l.mu.Unlock()
		held(holder)
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (l *lease) holder() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.record == nil {
		return ""
	}
	return l.record.HolderIdentity
}

// take gives the lease to somebody.
func (l *lease) take(holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change(resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15})
}

// remove deletes the lease.
func (l *lease) remove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change(resourcelock.LeaderElectionRecord{})
	l.record = nil
}

func (l *lease) answers(f func(who, call string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = f
}

// candidate is the lock that one process has on a lease. As the real one does,
// it remembers the version it saw last and cannot write over another.
type candidate struct {
	*lease
	name string
	seen int
}

var (
	_      resourcelock.Interface = &candidate{}
	leases                        = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
)

// call is answered, unless nobody asks any more. Whoever goes while the answer is on its way
// does not get it; a write is done all the same.
func (c *candidate) call(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		return answer(c.name, name)
	}
	return nil
}

func (c *candidate) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := c.call(ctx, "get"); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record == nil {
		return nil, nil, apierrors.NewNotFound(leases, component)
	}
	c.seen = c.version
	record := *c.record
	raw, err := json.Marshal(record)
	return &record, append(raw, strconv.Itoa(c.version)...), errors.Join(err, ctx.Err())
}

func (c *candidate) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := c.call(ctx, "create"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record != nil {
		return apierrors.NewAlreadyExists(leases, component)
	}
	c.put(r)
	return ctx.Err()
}

func (c *candidate) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := c.call(ctx, "update"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen != c.version {
		return apierrors.NewConflict(leases, component, nil)
	}
	c.put(r)
	return ctx.Err()
}

func (c *candidate) put(r resourcelock.LeaderElectionRecord) {
	c.change(r)
	c.seen = c.version
}

func (c *candidate) RecordEvent(string) {}
func (c *candidate) Identity() string   { return c.name }
func (c *candidate) Describe() string   { return "the lease, for " + c.name }
