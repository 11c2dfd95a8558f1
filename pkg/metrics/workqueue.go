package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/client-go/util/workqueue"
)

// Queues measures work queues under the names that every Kubernetes component
// uses. It is handed to a queue when it is made, as its MetricsProvider.
type Queues struct {
	depth      *prometheus.GaugeVec
	adds       *prometheus.CounterVec
	waiting    *prometheus.HistogramVec
	working    *prometheus.HistogramVec
	unfinished *prometheus.GaugeVec
	longest    *prometheus.GaugeVec
	retries    *prometheus.CounterVec
}

var _ workqueue.MetricsProvider = &Queues{}

// newQueues has buckets from 1 µs to 1,000 s: a key that finds its record
// right takes microseconds, one that waits behind a first listing takes
// minutes.
func newQueues(metric promauto.Factory) *Queues {
	name := []string{"name"}
	buckets := prometheus.ExponentialBuckets(1e-6, 10, 10)
	return &Queues{
		depth: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "workqueue_depth",
			Help: "Keys that wait in the queue.",
		}, name),
		adds: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "workqueue_adds_total",
			Help: "Keys added to the queue.",
		}, name),
		waiting: metric.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "workqueue_queue_duration_seconds",
			Help:    "Time that a key waited in the queue.",
			Buckets: buckets,
		}, name),
		working: metric.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "workqueue_work_duration_seconds",
			Help:    "Time that a key took to be worked on.",
			Buckets: buckets,
		}, name),
		unfinished: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "workqueue_unfinished_work_seconds",
			Help: "Time spent so far on the keys that are being worked on, summed over them.",
		}, name),
		longest: metric.NewGaugeVec(prometheus.GaugeOpts{
			Name: "workqueue_longest_running_processor_seconds",
			Help: "Time spent so far on the key that has been worked on for the longest.",
		}, name),
		retries: metric.NewCounterVec(prometheus.CounterOpts{
			Name: "workqueue_retries_total",
			Help: "Keys added again after a failure.",
		}, name),
	}
}

// NewDepthMetric implements workqueue.MetricsProvider.
func (q *Queues) NewDepthMetric(name string) workqueue.GaugeMetric {
	return q.depth.WithLabelValues(name)
}

// NewAddsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewAddsMetric(name string) workqueue.CounterMetric {
	return q.adds.WithLabelValues(name)
}

// NewLatencyMetric implements workqueue.MetricsProvider.
func (q *Queues) NewLatencyMetric(name string) workqueue.HistogramMetric {
	return q.waiting.WithLabelValues(name)
}

// NewWorkDurationMetric implements workqueue.MetricsProvider.
func (q *Queues) NewWorkDurationMetric(name string) workqueue.HistogramMetric {
	return q.working.WithLabelValues(name)
}

// NewUnfinishedWorkSecondsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewUnfinishedWorkSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.unfinished.WithLabelValues(name)
}

// NewLongestRunningProcessorSecondsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewLongestRunningProcessorSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.longest.WithLabelValues(name)
}

// NewRetriesMetric implements workqueue.MetricsProvider.
func (q *Queues) NewRetriesMetric(name string) workqueue.CounterMetric {
	return q.retries.WithLabelValues(name)
}
