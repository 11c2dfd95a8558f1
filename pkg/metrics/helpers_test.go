package metrics

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// families are the metrics of a registry, by name.
func families(t *testing.T, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	list, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range list {
		byName[f.GetName()] = f
	}
	return byName
}

// registered is a registry with one set of metrics on it.
func registered(t *testing.T, m *Metrics) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// kind is the type of a metric and its labels: "counter{method,code}".
func kind(f *dto.MetricFamily) string {
	labels := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = true
		}
	}
	return strings.ToLower(f.GetType().String()) + "{" + strings.Join(slices.Sorted(maps.Keys(labels)), ",") + "}"
}

// series are the values of one metric by those of its labels, joined by commas;
// of a histogram, how often something was observed.
func series(f *dto.MetricFamily) map[string]float64 {
	got := map[string]float64{}
	for _, m := range f.GetMetric() {
		var values []string
		for _, l := range m.GetLabel() {
			values = append(values, l.GetValue())
		}
		value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		got[strings.Join(values, ",")] = value
	}
	return got
}

// sum is the sum of what a histogram without labels observed.
func sum(f *dto.MetricFamily) float64 {
	return f.GetMetric()[0].GetHistogram().GetSampleSum()
}
