package storageos

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Each request on the wire is measured, logins and renewals too, by method and
// code and nothing else.
func TestRequestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "duration_seconds", Help: "Duration."}, []string{"method"})
		total := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."}, []string{"method", "code"})
		inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "in_flight", Help: "In flight."})
		registry.MustRegister(duration, total, inFlight)

		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		c := newClient(t, sim, func(cfg *Config) {
			cfg.Requests = RequestMetrics{Duration: duration, Total: total, InFlight: inFlight}
		})
		for _, fault := range []simulator.Fault{
			{Match: simulator.Match{Call: simulator.CallVolume}, Effect: simulator.HTML(502)},
			{Match: simulator.Match{Call: simulator.CallNodes}, Effect: simulator.Disconnect(), Count: 2}, // net/http tries once more
			{Match: simulator.Match{Call: simulator.CallNamespaces}, Effect: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if n := gather(t, registry)["in_flight"]; n != 1 {
					t.Errorf("%d requests in flight, want 1", n)
				}
				next.ServeHTTP(w, r)
			}},
		} {
			sim.AddFault(fault)
		}
		_, _ = listVolumes(t, c, ns)
		_, _, _ = c.Volume(t.Context(), ns, "a") // 502
		_, _, _ = c.Volume(t.Context(), ns, "a") // 404
		sim.ExpireTokens()
		_, _ = c.Cluster(t.Context()) // 401, login, 200
		_, _ = c.Namespaces(t.Context())
		_, _ = c.Nodes(t.Context()) // no answer: no code
		if err := c.renew(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]int{
			"requests_total get 200": 3, "requests_total get 401": 1, "requests_total get 404": 1, "requests_total get 502": 1, "requests_total post 200": 3,
			"duration_seconds get": 6, "duration_seconds post": 3,
			"in_flight": 0,
		}, gather(t, registry)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// gather returns counts and gauges by name and values of labels.
func gather(t *testing.T, registry prometheus.Gatherer) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			for _, l := range []string{"method", "code"} {
				if labels[l] != "" {
					name += " " + labels[l]
				}
			}
			values[name] = int(m.GetCounter().GetValue()+m.GetGauge().GetValue()) + int(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}
