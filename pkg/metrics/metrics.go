// Package metrics declares every metric of the controller, in one place.
//
// New builds a set of its own, for a test or a program that embeds the
// controller; RegisterMetrics puts the process-wide set, Default, on
// client_golang's default registerer.
//
// Series that say something about StorageOS volumes are there only between
// StartLeading and StopLeading: a standby knows nothing of them, and a stale
// or zero value from it would spoil every sum over the replicas.
package metrics

import (
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/storageos/volume-sync-controller/pkg/version"
)

// Stages in which an error is counted by Metrics.Errors.
const (
	StageLogin  = "login"
	StageList   = "list"
	StageDecode = "decode"
	StageSave   = "save"
	StageDelete = "delete"
)

// Verbs of the writes counted by Metrics.Writes.
const (
	VerbCreate      = "create"
	VerbPatch       = "patch"
	VerbPatchStatus = "patch_status"
	VerbDelete      = "delete"
)

// Reasons of an early read, the values of the label of Metrics.EarlyReads: what has changed
// in Kubernetes.
const (
	EarlyPersistentVolume = "persistentvolume"
	EarlyAttachment       = "attachment"
)

// Kinds of orphan, the values of the label of Metrics.Orphans.
const (
	OrphanRecord    = "record"
	OrphanUnclaimed = "unclaimed_volume"
	OrphanMissing   = "missing_volume"
)

// Metrics is one set of the controller's metrics.
type Metrics struct {
	// Requests measures the requests to the StorageOS API.
	Requests Requests
	// Queues measures the work queue.
	Queues *Queues

	// SyncDuration is the time of a complete listing, from its start until
	// each key that it queued has been tried once.
	SyncDuration LatencyMetric
	// SaveDuration is the time that one save of a record took.
	SaveDuration LatencyMetric
	// DeleteDuration is the time that one deletion of a record took.
	DeleteDuration LatencyMetric

	sync      *prometheus.HistogramVec
	save      prometheus.Histogram
	deletion  prometheus.Histogram
	lastSync  *prometheus.GaugeVec
	errors    *prometheus.CounterVec
	volumes   *prometheus.GaugeVec
	records   *prometheus.GaugeVec
	orphans   *prometheus.GaugeVec
	held      *prometheus.GaugeVec
	invalid   *prometheus.GaugeVec
	crd       *prometheus.GaugeVec
	writes    *prometheus.CounterVec
	dropped   prometheus.Counter
	early     *prometheus.CounterVec
	buildInfo *prometheus.GaugeVec
	all       *prometheus.Registry
}

// Requests measures the requests to the StorageOS API, every request on the
// wire: logins and repeated requests too.
type Requests struct {
	Duration *prometheus.HistogramVec // by method, in seconds
	Total    *prometheus.CounterVec   // by method and code
	InFlight prometheus.Gauge
}

// syncBuckets reach from a listing of a few volumes to the first listing of a
// large installation, whose records all have to be written: 10 ms to 11 min.
var syncBuckets = prometheus.ExponentialBuckets(0.01, 2, 17)

// New builds a set of metrics. It is registered nowhere yet.
func New() *Metrics {
	all := prometheus.NewRegistry()
	metric := promauto.With(all)
	m := &Metrics{
		Requests: newRequests(metric),
		Queues:   newQueues(metric),
		all:      all,
		sync: metric.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "storageos_sync_volume_duration_seconds",
			Help:    "Time of a complete listing of StorageOS, from its start until each key that it queued has been tried once.",
			Buckets: syncBuckets,
		}, nil),
		save: metric.NewHistogram(prometheus.HistogramOpts{
			Name:    "storageos_save_volume_duration_seconds",
			Help:    "Time to save one volume record in Kubernetes.",
			Buckets: prometheus.DefBuckets,
		}),
		deletion: metric.NewHistogram(prometheus.HistogramOpts{
			Name:    "storageos_delete_volume_duration_seconds",
			Help:    "Time to delete one volume record from Kubernetes.",
			Buckets: prometheus.DefBuckets,
		}),
		lastSync: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_sync_volume_last_success_timestamp_seconds",
			Help: "When the last complete listing of StorageOS ended, in Unix time.",
		}, nil),
		errors: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "storageos_sync_volume_errors_total",
			Help: "Errors by the stage in which they happened: login, list, decode, save or delete.",
		}, []string{"stage"}),
		volumes: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volumes",
			Help: "StorageOS volumes by health, as last listed.",
		}, []string{"health"}),
		records: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volume_records",
			Help: "Volume records in Kubernetes.",
		}, nil),
		orphans: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volume_orphans",
			Help: "Records whose volume is proven gone (record), volumes that no PersistentVolume refers to (unclaimed_volume), PersistentVolumes whose volume is not there (missing_volume).",
		}, []string{"kind"}),
		held: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volume_deletions_held",
			Help: "Records whose volume has been absent for longer than the grace and which the rules of deletion hold back.",
		}, nil),
		invalid: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volumes_invalid",
			Help: "Volumes that are listed and cannot be recorded or wait for a name, PersistentVolumes of the driver whose handle cannot be read, records that are left alone because an older one describes their volume.",
		}, nil),
		crd: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volume_crd_current",
			Help: "Whether the CRD of the records keeps all that this version writes; absent if it cannot be told.",
		}, nil),
		writes: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "storageos_volume_writes_total",
			Help: "Writes of volume records that Kubernetes accepted, by verb: create, patch, patch_status or delete.",
		}, []string{"verb"}),
		dropped: metric.NewCounter(prometheus.CounterOpts{
			Name: "storageos_volume_events_dropped_total",
			Help: "Events that Kubernetes has not taken: not permitted, refused, too many at once, or the process ended before.",
		}),
		early: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "storageos_sync_volume_early_reads_total",
			Help: "Volumes that StorageOS was asked for between two listings because Kubernetes told something of them, whatever was answered, by what has changed: persistentvolume or attachment.",
		}, []string{"reason"}),
		buildInfo: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "storageos_volume_sync_build_info",
			Help: "Always 1; the labels say what was built.",
		}, []string{"version", "commit", "go_version"}),
	}
	m.SyncDuration = latency{m.sync.WithLabelValues}
	m.SaveDuration = latency{func(...string) prometheus.Observer { return m.save }}
	m.DeleteDuration = latency{func(...string) prometheus.Observer { return m.deletion }}
	m.errors.WithLabelValues(StageLogin)
	for _, verb := range []string{VerbCreate, VerbPatch, VerbPatchStatus, VerbDelete} {
		m.writes.WithLabelValues(verb)
	}
	for _, reason := range []string{EarlyPersistentVolume, EarlyAttachment} {
		m.early.WithLabelValues(reason)
	}
	m.buildInfo.WithLabelValues(version.Version(), version.Commit(), runtime.Version()).Set(1)
	return m
}

func newRequests(metric promauto.Factory) Requests {
	return Requests{
		Duration: metric.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "storageos_api_request_duration_seconds",
			Help:    "Time until the StorageOS API answered a request with its headers.",
			Buckets: prometheus.DefBuckets,
		}, []string{"method"}),
		Total: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "storageos_api_requests_total",
			Help: "Requests that the StorageOS API answered.",
		}, []string{"method", "code"}),
		InFlight: metric.NewGauge(prometheus.GaugeOpts{
			Name: "storageos_api_in_flight_requests",
			Help: "Requests to the StorageOS API that wait for their answer.",
		}),
	}
}

// Register puts the set on a registerer.
func (m *Metrics) Register(r prometheus.Registerer) error { return r.Register(m.all) }

// StartLeading makes the series appear that only a leader has.
func (m *Metrics) StartLeading() {
	for _, stage := range []string{StageList, StageDecode, StageSave, StageDelete} {
		m.errors.WithLabelValues(stage)
	}
	for _, kind := range []string{OrphanRecord, OrphanUnclaimed, OrphanMissing} {
		m.orphans.WithLabelValues(kind)
	}
	m.records.WithLabelValues()
	m.held.WithLabelValues()
	m.invalid.WithLabelValues()
}

// StopLeading takes the series away that only a leader has.
func (m *Metrics) StopLeading() {
	m.sync.Reset()
	m.lastSync.Reset()
	m.volumes.Reset()
	m.records.Reset()
	m.orphans.Reset()
	m.held.Reset()
	m.invalid.Reset()
	for _, stage := range []string{StageList, StageDecode, StageSave, StageDelete} {
		m.errors.DeleteLabelValues(stage)
	}
}

// Synced says when the last complete listing ended.
func (m *Metrics) Synced(end time.Time) {
	m.lastSync.WithLabelValues().Set(float64(end.UnixNano()) / 1e9)
}

// Error counts an error in one of the stages.
func (m *Metrics) Error(stage string) { m.errors.WithLabelValues(stage).Inc() }

// Wrote counts a write that Kubernetes accepted.
func (m *Metrics) Wrote(verb string) { m.writes.WithLabelValues(verb).Inc() }

// EventDropped counts an event that Kubernetes has not taken.
func (m *Metrics) EventDropped() { m.dropped.Inc() }

// EarlyRead counts a volume that StorageOS was asked for between two listings.
func (m *Metrics) EarlyRead(reason string) { m.early.WithLabelValues(reason).Inc() }

// SetVolumes says how many volumes of one health were listed last.
func (m *Metrics) SetVolumes(health string, n int) { m.volumes.WithLabelValues(health).Set(float64(n)) }

// SetRecords says how many records there are.
func (m *Metrics) SetRecords(n int) { m.records.WithLabelValues().Set(float64(n)) }

// SetOrphans says how many orphans of one kind there are.
func (m *Metrics) SetOrphans(kind string, n int) { m.orphans.WithLabelValues(kind).Set(float64(n)) }

// SetHeld says how many deletions the rules hold back.
func (m *Metrics) SetHeld(n int) { m.held.WithLabelValues().Set(float64(n)) }

// SetInvalid says how many volumes, handles and records there are that nothing can be
// made of.
func (m *Metrics) SetInvalid(n int) { m.invalid.WithLabelValues().Set(float64(n)) }

// SetCRD says whether the CRD of the records keeps all that is written.
func (m *Metrics) SetCRD(current bool) {
	n := 0.0
	if current {
		n = 1
	}
	m.crd.WithLabelValues().Set(n)
}

// ForgetCRD says that it cannot be told, or is no longer looked at.
func (m *Metrics) ForgetCRD() { m.crd.Reset() }

// LatencyMetric observes how long something took.
type LatencyMetric interface {
	Observe(latency time.Duration)
}

type latency struct {
	observer func(labels ...string) prometheus.Observer
}

func (l latency) Observe(d time.Duration) { l.observer().Observe(d.Seconds()) }

// Default is the set of this process.
var Default = New()

// The latencies of this process, by the names that the replaced program gave
// them.
var (
	SyncDuration   = Default.SyncDuration
	SaveDuration   = Default.SaveDuration
	DeleteDuration = Default.DeleteDuration
)

var registerOnce sync.Once

// RegisterMetrics puts Default and the metrics of client-go on client_golang's
// default registerer. Calling it again does nothing.
func RegisterMetrics() {
	registerOnce.Do(func() {
		if err := Default.Register(prometheus.DefaultRegisterer); err != nil {
			panic(err) // two metrics of one name: a mistake in this package
		}
		registerClientGo(prometheus.DefaultRegisterer)
	})
}
