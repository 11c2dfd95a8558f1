package storageostest

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// Values are what a metric says, by the value of its first label, "" if it has none.
func Values(t testing.TB, m *metrics.Metrics, metric string) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, series := range f.GetMetric() {
			label := ""
			if labels := series.GetLabel(); len(labels) > 0 {
				label = labels[0].GetValue()
			}
			values[label] = series.GetCounter().GetValue() + series.GetGauge().GetValue() // it is one of them
		}
	}
	return values
}

// Errors are how many errors were counted, by stage.
func Errors(t testing.TB, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	return Values(t, m, "storageos_sync_volume_errors_total")
}

// DecodeErrors is how many volumes could not be decoded.
func DecodeErrors(t testing.TB, m *metrics.Metrics) int {
	t.Helper()
	n, ok := Errors(t, m)[metrics.StageDecode]
	if !ok {
		t.Fatal("decode errors are not counted")
	}
	return int(n)
}
