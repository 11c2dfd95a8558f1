package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/client-go/tools/leaderelection"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// registerClientGo connects the metrics that client-go keeps for the whole
// process: of its REST clients and of leader election. Names and labels are
// those of every Kubernetes component.
func registerClientGo(r prometheus.Registerer) {
	metric := promauto.With(r)
	requests := metric.NewCounterVec(prometheus.CounterOpts{
		Name: "rest_client_requests_total",
		Help: "Requests to the Kubernetes API, by status code, method and host.",
	}, []string{"code", "method", "host"})
	retries := metric.NewCounterVec(prometheus.CounterOpts{
		Name: "rest_client_request_retries_total",
		Help: "Repeated requests to the Kubernetes API, by status code, verb and host.",
	}, []string{"code", "verb", "host"})
	duration := metric.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "rest_client_request_duration_seconds",
		Help:    "Time that requests to the Kubernetes API took, by verb and host.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60},
	}, []string{"verb", "host"})
	limited := metric.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "rest_client_rate_limiter_duration_seconds",
		Help:    "Time that requests to the Kubernetes API waited for the client's own limit, by verb and host.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60},
	}, []string{"verb", "host"})
	leader := metric.NewGaugeVec(prometheus.GaugeOpts{
		Name: "leader_election_master_status",
		Help: "1 while this process holds the lease of that name, 0 while it waits for it.",
	}, []string{"name"})
	slowpath := metric.NewCounterVec(prometheus.CounterOpts{
		Name: "leader_election_slowpath_total",
		Help: "Renewals of the lease that had to read it first.",
	}, []string{"name"})
	clientmetrics.Register(clientmetrics.RegisterOpts{
		RequestLatency:     latencyByHost{duration},
		RateLimiterLatency: latencyByHost{limited},
		RequestResult:      resultByHost{requests},
		RequestRetry:       retryByHost{retries},
	})
	leaderelection.SetProvider(leaderProvider{leader, slowpath})
}

type latencyByHost struct{ vec *prometheus.HistogramVec }

func (l latencyByHost) Observe(_ context.Context, verb string, u url.URL, d time.Duration) {
	l.vec.WithLabelValues(verb, u.Host).Observe(d.Seconds())
}

type resultByHost struct{ vec *prometheus.CounterVec }

func (r resultByHost) Increment(_ context.Context, code, method, host string) {
	r.vec.WithLabelValues(code, method, host).Inc()
}

type retryByHost struct{ vec *prometheus.CounterVec }

func (r retryByHost) IncrementRetry(_ context.Context, code, method, host string) {
	r.vec.WithLabelValues(code, method, host).Inc()
}

type leaderProvider struct {
	status   *prometheus.GaugeVec
	slowpath *prometheus.CounterVec
}

func (p leaderProvider) NewLeaderMetric() leaderelection.LeaderMetric { return p }

func (p leaderProvider) On(name string)                { p.status.WithLabelValues(name).Set(1) }
func (p leaderProvider) Off(name string)               { p.status.WithLabelValues(name).Set(0) }
func (p leaderProvider) SlowpathExercised(name string) { p.slowpath.WithLabelValues(name).Inc() }
