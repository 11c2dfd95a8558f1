package metrics

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/flowcontrol"
)

// What RegisterMetrics puts on the default registerer is fed by client-go's own
// clients and election, and may be asked for twice. There is one such
// registerer in a process, so this is one test.
func TestRegisterMetrics(t *testing.T) {
	RegisterMetrics()
	RegisterMetrics()

	host := request(t)
	elect(t, host) // a name of its own each time, too
	all := families(t, prometheus.DefaultGatherer)
	for name, want := range map[string]struct {
		kind   string
		series map[string]float64
	}{
		"rest_client_requests_total":                {"counter{code,host,method}", map[string]float64{"200," + host + ",GET": 1, "429," + host + ",GET": 1}},
		"rest_client_request_retries_total":         {"counter{code,host,verb}", map[string]float64{"200," + host + ",GET": 1}},
		"rest_client_request_duration_seconds":      {"histogram{host,verb}", map[string]float64{host + ",GET": 1}},
		"rest_client_rate_limiter_duration_seconds": {"histogram{host,verb}", map[string]float64{host + ",GET": 2}},
		"leader_election_master_status":             {"gauge{name}", map[string]float64{host: 1}},
		"leader_election_slowpath_total":            {"counter{name}", map[string]float64{host: 1}},
		"storageos_volume_writes_total":             {"counter{verb}", map[string]float64{"create": 0, "patch": 0, "patch_status": 0, "delete": 0}},
		"storageos_save_volume_duration_seconds":    {"histogram{}", map[string]float64{"": 0}},
	} {
		f := all[name]
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if got := kind(f); got != want.kind {
			t.Errorf("%s is a %s, want %s", name, got, want.kind)
		}
		got := series(f)
		for labels, value := range want.series {
			if v, ok := got[labels]; !ok || v != value {
				t.Errorf("%s lacks %q with the value %v: %v", name, labels, value, got)
			}
		}
	}
	for _, prefix := range []string{"go_", "process_"} {
		found := false
		for name := range all {
			found = found || strings.HasPrefix(name, prefix)
		}
		if !found {
			t.Errorf("no metric begins with %s", prefix)
		}
	}
}

// request sends a request that the API server wants repeated.
func request(t *testing.T) (host string) {
	t.Helper()
	refused := false
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !refused {
			refused = true
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer api.Close()
	client, err := rest.UnversionedRESTClientFor(&rest.Config{
		Host:        api.URL,
		RateLimiter: flowcontrol.NewFakeAlwaysRateLimiter(),
		ContentConfig: rest.ContentConfig{
			GroupVersion: &schema.GroupVersion{Version: "v1"}, NegotiatedSerializer: scheme.Codecs,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Get().AbsPath("/x").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(api.URL, "http://")
}

// elect wins an election and leads until the test ends: whether one that is
// called off in the moment in which it is won is still said to lead is a race
// of client-go's.
func elect(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	leading := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock{}, Name: name,
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(leading) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { elector.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	<-leading
}

// lock is one that this process held before it began: it is read first.
type lock struct{ resourcelock.Interface }

func (lock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: "us", LeaseDurationSeconds: 15}, []byte("us"), nil
}

func (lock) Update(context.Context, resourcelock.LeaderElectionRecord) error { return nil }
func (lock) RecordEvent(string)                                              {}
func (lock) Identity() string                                                { return "us" }
func (lock) Describe() string                                                { return "a lock" }
