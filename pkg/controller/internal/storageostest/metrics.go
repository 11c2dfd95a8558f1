package storageostest

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// DecodeErrors is how many volumes could not be decoded.
func DecodeErrors(t testing.TB, m *metrics.Metrics) int {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "storageos_sync_volume_errors_total" {
			continue
		}
		for _, series := range f.GetMetric() {
			if series.GetLabel()[0].GetValue() == metrics.StageDecode {
				return int(series.GetCounter().GetValue())
			}
		}
	}
	t.Fatal("decode errors are not counted")
	return 0
}
