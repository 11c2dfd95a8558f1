package controller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/cache"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/recordclient"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// queueName is the label of the workqueue's metrics.
const queueName = "volumes"

// firstRetry is the pause before a key that failed is tried again. It doubles, up to the longest
// of the rules.
const firstRetry = 100 * time.Millisecond

// Options are what a Reconciler works with.
type Options struct {
	Settings Settings
	// Kubernetes reads PersistentVolumes.
	Kubernetes kubernetes.Interface
	// Records reads and writes the records; NewRecordClient makes one.
	Records versioned.Interface
	// CRD looks at the CRD of the records, which may be older than this version; nil:
	// nobody looks, and what it drops is tried again at each resync.
	CRD dynamic.Interface
	// StorageOS is the API that knows the volumes.
	StorageOS storageos.Lister
	// Events says what happened on the objects that it happened to.
	Events EventRecorder
	// Lease is where it is said that deletions are held; nil if there is none.
	Lease *corev1.ObjectReference
	// Metrics defaults to metrics.Default.
	Metrics *metrics.Metrics
	// OnWrite is told of every write of a record, by the verb under which it is
	// counted. It is called by many goroutines; nil if nobody wants to know.
	OnWrite func(verb, record string)
}

// NewRecordClient makes the client of Options.Records.
func NewRecordClient(config *rest.Config) (versioned.Interface, error) {
	return recordclient.New(config)
}

// Reconciler keeps the records true. One Reconciler is for one run.
type Reconciler struct {
	// What it was given.
	settings Settings
	rules    policy.Rules
	events   EventRecorder
	lease    *corev1.ObjectReference
	metrics  *metrics.Metrics
	onWrite  func(verb, record string)
	logger   klog.Logger // Start's

	// What it knows.
	caches     *cache.Caches    // of Kubernetes
	view       *source.View     // of StorageOS
	contents   *source.Payloads // what StorageOS has answered of volumes that are yet to be written
	tracker    *tracker         // the memory of each volume
	backlog    backlog          // IDs whose records are behind
	failing    failing          // IDs whose tries fail
	failures   atomic.Int64     // how many of the last writes failed in a row, and were not refused
	copies     sync.Map         // UIDs of the records that were told to be left alone
	completion completion
	crd        *crd

	// What it works with.
	poller *source.Poller
	early  *early // nil if only listings show volumes
	asker  *source.Asker
	writer *writer.Writer

	// What waits to be worked on.
	queue   workqueue.TypedRateLimitingInterface[string]
	recheck recheckSet // for the next listing
	cycles  *cycles
	lines

	// How it goes.
	made     time.Time // when it was
	leading  atomic.Bool
	warm     sync.Once
	crdEnded sync.WaitGroup // the watch of the CRD
	attempt  atomic.Int64   // see LastAttempt, Unix nanoseconds
	listed   atomic.Pointer[Listing]
	errorLog errorLog
	ofPoller
}

// ofPoller is what only the goroutine of the poller touches.
type ofPoller struct {
	current   *cycle    // of the listing that is under way
	holding   string    // why deletions are held, as last announced
	unvouched bool      // that nothing shows whose records are held was said
	resynced  time.Time // when every ID was last compared, as it is every so often
	compared  int       // the span of the last complete listing
	named     int       // the span in which a verified listing was compared, complete or not
}

// NewReconciler checks the options and wires a Reconciler. It starts nothing.
func NewReconciler(o Options) (*Reconciler, error) {
	switch {
	case o.Kubernetes == nil || o.Records == nil || o.StorageOS == nil || o.Events == nil:
		return nil, errors.New("a reconciler needs clients for Kubernetes, records and StorageOS, and an event recorder")
	case o.Settings.PollInterval <= 0 || o.Settings.Workers <= 0:
		return nil, errors.New("a reconciler needs a poll interval and workers")
	}
	if o.Metrics == nil {
		o.Metrics = metrics.Default
	}
	if o.OnWrite == nil {
		o.OnWrite = func(string, string) {}
	}
	rules := o.Settings.rules()
	r := &Reconciler{
		settings: o.Settings,
		rules:    rules,
		events:   o.Events,
		lease:    o.Lease,
		metrics:  o.Metrics,
		onWrite:  o.OnWrite,
		logger:   klog.Background(),
		made:     time.Now(),
		cycles:   newCycles(o.Metrics.SyncDuration.Observe),
		lines:    newLines(o.Settings.Workers),
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, rules.LongestRetry()),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: queueName, MetricsProvider: o.Metrics.Queues},
		),
	}
	caches, err := cache.New(o.Kubernetes, o.Records, o.Settings.CSIDriver, o.Settings.ClaimEvents, cache.Changed{PV: r.pvChanged, Record: r.recordChanged})
	if err != nil {
		return nil, err
	}
	r.caches = caches
	r.tracker = newTracker(&r.rules, o.Metrics)
	r.view = source.NewView(o.Settings.PollInterval, source.Known{
		NamesNamespace: r.tracker.namesNamespace,
		NamesVolume:    caches.NamesVolume,
		Text:           caches.Text,
	})
	r.contents = source.NewPayloads(source.MaxPayloads, r.view.Lists)
	r.asker = source.NewAsker(o.StorageOS, r.view, source.ParallelQuestions)
	r.early = r.newEarly(o)
	r.writer = writer.New(o.Records, known{r.caches, r}, r.wrote)
	r.poller = &source.Poller{
		API: source.Movement{Lister: o.StorageOS, Moved: r.moved}, View: r.view, Metrics: o.Metrics,
		Interval: o.Settings.PollInterval, Retry: o.Settings.RetryInterval, Parallel: source.ParallelLists,
		Alive: r.alive, Begun: r.listingBegun, Keep: r.contents.Put, Found: r.volumeFound,
		Ended: func(l *source.Listing, complete bool, changed []string) {
			r.listingEnded(l, complete, changed)
			r.listingNoted(l, r.poller.Failed, time.Now())
		},
	}
	r.completion.most = mostCompleted
	r.crd = newCRD(o.CRD, o.Metrics, r.crdRenewed)
	return r, nil
}

// Warm fills the caches and returns when they are filled; they are kept up to
// date until ctx ends. A standby calls it before it leads, so that it can take
// over at once. Start does it where nobody has.
func (r *Reconciler) Warm(ctx context.Context) error {
	r.warm.Do(func() { r.crdEnded.Go(func() { r.crd.run(ctx) }) })
	return r.caches.Fill(ctx)
}

// Start keeps the records true until ctx ends. It returns when everything that
// it started has stopped: writes in hand are finished first, within
// Settings.StopTimeout. It must run in one process at a time.
func (r *Reconciler) Start(ctx context.Context) error {
	logger := klog.FromContext(ctx).WithName("volumes")
	ctx = klog.NewContext(ctx, logger)
	r.logger = logger
	defer func() {
		if r.caches.Wait() { // it was filled here and ends with this
			r.crdEnded.Wait()
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	if err := r.Warm(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	logger.Info("Syncing volumes", "workers", r.settings.Workers, "records", r.caches.RecordCount())
	defer logger.Info("Stopped syncing volumes")

	r.metrics.StartLeading()
	defer r.metrics.StopLeading()
	r.alive(time.Now())
	lease := r.settings.LeaseDuration
	if lease > 0 && time.Since(r.caches.Heard()) > lease {
		r.writer.Distrust() // who led before may have made some that its watch did not tell
	}
	r.leading.Store(true)
	r.tracker.setUnreadable(len(r.caches.Unreadable()))
	defer r.leading.Store(false)
	r.compareCaches()

	// Whoever works when ctx ends may finish, for a while.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(r.settings.StopTimeout, stop)
	})()

	var wg sync.WaitGroup
	wg.Go(func() { r.poller.Run(ctx) })
	wg.Go(func() { r.early.run(ctx, r.attachmentChanged) })
	for range r.settings.Workers {
		wg.Go(func() { r.work(ctx, work) })
	}
	<-ctx.Done()
	r.queue.ShutDown()
	wg.Wait()
	return nil
}

// LastAttempt is when a request of a listing last began or ended or, while the next
// listing waits for its time, when that comes: what a liveness probe of a leader
// watches. The zero time before Start.
func (r *Reconciler) LastAttempt() time.Time {
	if n := r.attempt.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// work takes keys until the queue is shut down; what is still in it then is
// left to the next leader.
func (r *Reconciler) work(ctx, work context.Context) {
	for {
		id, quit := r.queue.Get()
		if quit {
			return
		}
		if ctx.Err() == nil {
			r.process(work, id)
		}
		r.queue.Done(id)
	}
}

// process works on one key. A failure is counted and logged where it happened;
// here it only decides when the key is tried again. One that waits for its turn has
// neither failed nor been done.
func (r *Reconciler) process(ctx context.Context, id string) {
	tried := r.cycles.take(id)
	defer func() { tried(time.Now()) }()
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "volumeID", id)
	ctx = klog.NewContext(ctx, logger)
	logger.V(4).Info("Reconciling")
	defer r.worked(id)
	switch err := r.reconcile(ctx, id); {
	case err == nil:
		r.failing.note(id, nil)
		r.queue.Forget(id)
	case !errors.Is(err, errAside):
		r.failing.note(id, err)
		r.queue.AddRateLimited(id)
	}
}
