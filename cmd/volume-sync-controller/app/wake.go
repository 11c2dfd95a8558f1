package app

import (
	"bytes"
	"context"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// An elector looks at the lease every retry period or two. What is here tells
// when a look is worth while: to a standby, when the lease was given back, and when
// it has run out; to a leader, when it seems to be his no more. A watch may lag
// behind, so it only says that it is time to look. Whether a standby may take the
// lease is for the elector alone to say; that a leader has lost it, for the lock.

// watchLease calls held with whoever holds the lease, "" for nobody, at each change
// until ctx ends. Without the right to watch, or while the watch is broken, the
// elector looks from time to time as ever.
func (s *server) watchLease(ctx context.Context, held func(holder string)) {
	factory := informers.NewSharedInformerFactoryWithOptions(s.kube, 0,
		informers.WithNamespace(s.namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, component).String()
		}))
	logger := klog.FromContext(ctx)
	informer := factory.Coordination().V1().Leases().Informer()
	if err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		logger.V(2).Info("Watching the Lease failed, will be tried again", "err", err)
	}); err != nil {
		logger.Error(err, "The Lease is not watched")
		return
	}
	look := func(obj any) {
		if l, ok := obj.(*coordinationv1.Lease); ok {
			held(resourcelock.LeaseSpecToLeaderElectionRecord(&l.Spec).HolderIdentity)
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    look,
		UpdateFunc: func(_, obj any) { look(obj) },
		DeleteFunc: func(any) { held("") },
	}); err != nil {
		logger.Error(err, "The Lease is not watched")
		return
	}
	informer.RunWithContext(ctx)
}

// runOutMargin is for the time between an answer and its being taken note of.
const runOutMargin = 50 * time.Millisecond

// observedLock knows what the elector has seen of the lease, and has it looked at
// again when that is worth while.
type observedLock struct {
	resourcelock.Interface
	wake  func()                         // has the elector look
	look  func()                         // looks beside the elector
	watch func(held func(holder string)) // is called once, when somebody is known to hold the lease

	watched sync.Once
	mu      sync.Mutex
	ours    bool
	seen    []byte
	timer   *time.Timer
}

func (l *observedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != "" && record.HolderIdentity != l.Identity() {
		l.see(record, raw)
		l.startWatch()
	}
	return record, raw, err
}

func (l *observedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.wrote(r, l.Interface.Create(ctx, r))
}

func (l *observedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.wrote(r, l.Interface.Update(ctx, r))
}

func (l *observedLock) wrote(r resourcelock.LeaderElectionRecord, err error) error {
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ours = r.HolderIdentity == l.Identity(); l.ours {
			l.startWatch()
		}
	}
	return err
}

func (l *observedLock) startWatch() {
	l.watched.Do(func() { l.watch(l.moved) })
}

// see starts the time anew if the lease was renewed, as the elector does.
func (l *observedLock) see(record *resourcelock.LeaderElectionRecord, raw []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Equal(l.seen, raw) {
		return
	}
	l.seen = raw
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(time.Duration(record.LeaseDurationSeconds)*time.Second+runOutMargin, l.free)
}

// moved is told by the watch who holds the lease.
func (l *observedLock) moved(holder string) {
	if holder == "" {
		l.free()
	}
	l.mu.Lock()
	ours := l.ours
	l.mu.Unlock()
	if ours && holder != l.Identity() {
		l.look()
	}
}

// free has the elector look, unless it has just taken the lease.
func (l *observedLock) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ours {
		l.wake()
	}
}
