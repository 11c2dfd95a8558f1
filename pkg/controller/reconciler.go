package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// queueName is the label of the workqueue's metrics.
const queueName = "volumes"

// The pauses before a key that failed is tried again: from the first to the
// longest, doubling. When a fault of Kubernetes has ended, every record is to be
// right again within two polls.
const (
	firstRetry        = 100 * time.Millisecond
	longestRetryPolls = 2
)

// How fast absences are marked while the breaker has tripped: nobody waits for
// them, and most will be taken back.
const (
	marksPerSecond = 20
	markPause      = time.Second
)

// Options are what a Reconciler works with.
type Options struct {
	Settings Settings
	// Kubernetes reads PersistentVolumes.
	Kubernetes kubernetes.Interface
	// Records reads and writes the records.
	Records versioned.Interface
	// StorageOS is the API that knows the volumes.
	StorageOS storageos.Lister
	// Events says what happened on the objects that it happened to.
	Events EventRecorder
	// Lease is where it is said that deletions are held; nil if there is none.
	Lease *corev1.ObjectReference
	// Metrics defaults to metrics.Default.
	Metrics *metrics.Metrics
}

// Reconciler keeps the records true. One Reconciler is for one run.
type Reconciler struct {
	settings Settings
	api      storageos.Lister
	records  versioned.Interface
	events   EventRecorder
	lease    *corev1.ObjectReference
	metrics  *metrics.Metrics
	logger   klog.Logger // Start's

	pvInformer     cache.SharedIndexInformer
	recordInformer cache.SharedIndexInformer
	clusters       clusterCount

	view     *view
	tracks   *tracks
	contents *contents
	cycles   *cycles
	copies   *once
	marks    flowcontrol.RateLimiter
	poller   *poller
	queue    workqueue.TypedRateLimitingInterface[string]

	leading  atomic.Bool
	trouble  trouble
	warm     sync.Once
	warmed   sync.WaitGroup  // the informers
	caching  context.Context // theirs
	handling []cache.ResourceEventHandlerRegistration
	current  *cycle // of the listing that is under way; the poller's own
	waiting  waiting
	holding  string       // why deletions are held, as last announced; the poller's own
	resynced time.Time    // when every ID was last compared; the poller's own
	attempt  atomic.Int64 // when a listing was last begun, Unix nanoseconds
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
	r := &Reconciler{
		settings: o.Settings,
		api:      o.StorageOS,
		records:  o.Records,
		events:   o.Events,
		lease:    o.Lease,
		metrics:  o.Metrics,
		logger:   klog.Background(),
		view:     newView(),
		tracks:   newTracks(&o.Settings, o.Metrics),
		contents: newContents(maxContents),
		cycles:   &cycles{observe: o.Metrics.SyncDuration.Observe},
		copies:   newOnce(),
		marks:    flowcontrol.NewTokenBucketRateLimiter(marksPerSecond, marksPerSecond),
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, longestRetryPolls*o.Settings.PollInterval),
			workqueue.TypedRateLimitingQueueConfig[string]{Name: queueName, MetricsProvider: o.Metrics.Queues},
		),
	}
	r.poller = &poller{
		api: o.StorageOS, view: r.view, metrics: o.Metrics,
		interval: o.Settings.PollInterval, retry: o.Settings.RetryInterval, parallel: parallelLists,
		begun: r.listingBegun, keep: r.contents.put, found: r.volumeFound, ended: r.listingEnded,
	}
	if err := r.newInformers(o.Kubernetes, o.Records); err != nil {
		return nil, err
	}
	return r, nil
}

// Warm fills the caches and returns when they are filled; they are kept up to
// date until ctx ends. A standby calls it before it leads, so that it can take
// over at once. Start does it where nobody has.
func (r *Reconciler) Warm(ctx context.Context) error {
	r.warm.Do(func() {
		r.caching = ctx
		for _, informer := range []cache.SharedIndexInformer{r.pvInformer, r.recordInformer} {
			r.warmed.Go(func() { informer.RunWithContext(ctx) })
		}
	})
	checks := make([]cache.DoneChecker, 0, len(r.handling))
	for _, h := range r.handling {
		checks = append(checks, h.HasSyncedChecker())
	}
	if !cache.WaitFor(ctx, "caches of PersistentVolumes and records", checks...) {
		return fmt.Errorf("filling the caches: %w", context.Cause(ctx))
	}
	return nil
}

// Start keeps the records true until ctx ends. It returns when everything that
// it started has stopped: writes in hand are finished first, within
// Settings.StopTimeout. It must run in one process at a time.
func (r *Reconciler) Start(ctx context.Context) error {
	logger := klog.FromContext(ctx).WithName("volumes")
	ctx = klog.NewContext(ctx, logger)
	r.logger = logger
	defer func() {
		if r.caching.Err() != nil {
			r.warmed.Wait() // they were started here and end with this
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
	logger.Info("Syncing volumes", "workers", r.settings.Workers, "records", len(r.recordInformer.GetStore().ListKeys()))
	defer logger.Info("Stopped syncing volumes")

	r.metrics.StartLeading()
	defer r.metrics.StopLeading()
	r.attempt.Store(time.Now().UnixNano())
	r.leading.Store(true)
	defer r.leading.Store(false)

	// Whoever works when ctx ends may finish, for a while.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(r.settings.StopTimeout, stop)
	})()

	var wg sync.WaitGroup
	wg.Go(func() { r.poller.run(ctx) })
	for range r.settings.Workers {
		wg.Go(func() { r.work(ctx, work) })
	}
	<-ctx.Done()
	r.queue.ShutDown()
	wg.Wait()
	return nil
}

// LastAttempt is when a listing was last begun: what a liveness probe of a
// leader watches. The zero time before Start.
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
// here it only decides when the key is tried again.
func (r *Reconciler) process(ctx context.Context, id string) {
	tried := r.cycles.take(id)
	defer func() { tried(time.Now()) }()
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "volumeID", id)
	ctx = klog.NewContext(ctx, logger)
	logger.V(4).Info("Reconciling")
	if err := r.reconcile(ctx, id); err != nil {
		r.queue.AddRateLimited(id)
		return
	}
	r.queue.Forget(id)
}

// observe looks a volume up in the three local views.
func (r *Reconciler) observe(id string) observation {
	o := observation{now: time.Now(), sight: r.view.look(id), anyCluster: r.clusters.n.Load() > 0}
	o.pv = choosePersistentVolume(lookup[*persistentVolume](r.pvInformer, id))
	mine := lookup[*record](r.recordInformer, id)
	kept := mine[:0]
	for _, rec := range mine {
		if rec.identity(r.view.lists) == id {
			kept = append(kept, rec)
		}
	}
	var copies []*record
	o.record, copies = chooseRecord(kept)
	r.reportCopies(id, copies, o.sight.settling)
	return o
}

func lookup[T any](informer cache.SharedIndexInformer, id string) []T {
	objs, err := informer.GetIndexer().ByIndex(byVolumeID, id)
	if err != nil {
		panic(err) // no such index: a mistake in this package
	}
	found := make([]T, 0, len(objs))
	for _, obj := range objs {
		found = append(found, obj.(T))
	}
	return found
}

// decide observes a volume, decides what is to be done about it and remembers
// what has to be remembered.
func (r *Reconciler) decide(id string) (o observation, d decision) {
	o = r.observe(id)
	r.tracks.update(id, o.now, func(t track, tripped string) track {
		o.track, o.tripped = t, tripped != ""
		d = r.settings.decide(o)
		return d.track
	})
	return o, d
}

// consider decides about a volume and leaves what is to be done to a worker. In
// steady state nothing is, and the queue stays empty.
func (r *Reconciler) consider(id string, cy *cycle) {
	o, d := r.decide(id)
	r.follow(id, o, d)
	if d.verdict != save && d.verdict != ask {
		if !d.nextListing {
			r.contents.take(id) // nobody will ask for it
		}
		return
	}
	if cy != nil {
		r.cycles.queued(cy, id)
	}
	r.queue.Add(id)
}

// follow does what every decision asks for, whoever made it: it speaks and sets
// the time of another look.
func (r *Reconciler) follow(id string, o observation, d decision) {
	r.say(d.reports...)
	if d.after > 0 {
		r.queue.AddAfter(id, d.after)
	}
	if d.nextListing {
		r.waiting.add(id)
	}
	if d.verdict == hold && o.track.levels.held == "" && !o.tripped {
		r.logger.Info("A deletion is held back", "volumeID", id, "record", o.record.name, "why", d.why)
	}
}

// reconcile brings one record to what it should say.
func (r *Reconciler) reconcile(ctx context.Context, id string) error {
	raw := r.contents.take(id)
	o, d := r.decide(id)
	r.follow(id, o, d)
	switch {
	case d.verdict == ask:
		return r.remove(ctx, id, o)
	case d.verdict != save:
		return nil
	case o.tripped && d.want.mark != "" && o.record.state.mark == "" && !r.marks.TryAccept():
		r.queue.AddAfter(id, markPause)
		return nil
	default:
		return r.save(ctx, id, o, d, raw)
	}
}

// considerAll decides about many volumes at once. The breaker counts them all
// before the first is handed to a worker.
func (r *Reconciler) considerAll(ids []string) {
	for _, id := range ids {
		r.decide(id)
	}
	for _, id := range ids {
		r.consider(id, r.current)
	}
}

// everyID is the ID of every volume that StorageOS, a PersistentVolume or a
// record names.
func (r *Reconciler) everyID() []string {
	all := map[string]struct{}{}
	for _, id := range r.view.ids() {
		all[id] = struct{}{}
	}
	for _, informer := range []cache.SharedIndexInformer{r.pvInformer, r.recordInformer} {
		for _, id := range informer.GetIndexer().ListIndexFuncValues(byVolumeID) {
			all[id] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (r *Reconciler) listingBegun(l *listing) {
	r.attempt.Store(l.begun.UnixNano())
	r.current = r.cycles.begin(l.begun)
}

func (r *Reconciler) volumeFound(id string) { r.consider(id, r.current) }

func (r *Reconciler) listingEnded(_ *listing, complete bool, changed []string) {
	if r.resyncDue(complete) {
		// Hashes are compared, no requests are made.
		changed = append(changed, r.everyID()...)
		r.resynced = time.Now()
	}
	r.considerAll(changed)
	if complete {
		r.view.settle()
		r.tracks.resetBreaker(time.Now())
	}
	for _, id := range r.waiting.take() {
		r.consider(id, r.current)
	}
	r.announce()
	r.publish()
	r.cycles.end(r.current, complete, time.Now())
	r.current = nil
}

// resyncDue tells whether every ID is to be compared: after the first complete
// listing, and then every so often.
func (r *Reconciler) resyncDue(complete bool) bool {
	if r.resynced.IsZero() {
		return complete
	}
	every := r.settings.ResyncInterval
	return every > 0 && time.Since(r.resynced) >= every
}

// announce says when deletions begin and cease to be held.
func (r *Reconciler) announce() {
	why := r.tracks.holding()
	was := r.holding
	r.holding = why
	switch {
	case was == "" && why != "":
		r.logger.Error(nil, "Deletions of records are held", "why", why)
		r.sayOnLease(corev1.EventTypeWarning, EventHeld, "deletions of records are held: "+why)
	case was != "" && why == "":
		r.logger.Info("Deletions of records are no longer held")
		r.sayOnLease(corev1.EventTypeNormal, EventResumed, "deletions of records are no longer held")
	}
}

func (r *Reconciler) sayOnLease(kind, reason, message string) {
	if r.lease != nil {
		r.say(event{r.lease, kind, reason, message})
	}
}

// publish sets the gauges that say what was listed.
func (r *Reconciler) publish() {
	for health, n := range r.view.byHealth() {
		r.metrics.SetVolumes(string(health), n)
	}
	r.metrics.SetRecords(len(r.recordInformer.GetStore().ListKeys()))
}

// EventRecorder is the part of client-go's event recorder that is used.
type EventRecorder = eventRecorder

// reportCopies says of each record that describes a volume which an older
// record describes already that it is left alone.
func (r *Reconciler) reportCopies(id string, copies []*record, quiet bool) {
	for _, c := range copies {
		if !r.copies.first(string(c.uid)) || quiet {
			continue
		}
		r.metrics.Error(metrics.StageSave)
		r.say(onRecord(c, corev1.EventTypeWarning, EventNameConflict,
			fmt.Sprintf("an older record describes the volume %s: this one is left alone", id)))
	}
}
