package metrics

import (
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/storageos/volume-sync-controller/pkg/version"
)

// filled is a set in which every metric has a series.
func filled() *Metrics {
	m := New()
	m.StartLeading()
	m.Requests.Duration.WithLabelValues("GET").Observe(1)
	m.Requests.Total.WithLabelValues("GET", "200").Inc()
	m.SyncDuration.Observe(time.Second)
	m.Synced(time.Unix(1, 0))
	m.SetVolumes("Healthy", 1)
	m.SetCRD(true)
	m.Queues.NewDepthMetric("q")
	m.Queues.NewAddsMetric("q")
	m.Queues.NewLatencyMetric("q")
	m.Queues.NewWorkDurationMetric("q")
	m.Queues.NewUnfinishedWorkSecondsMetric("q")
	m.Queues.NewLongestRunningProcessorSecondsMetric("q")
	m.Queues.NewRetriesMetric("q")
	return m
}

// Dashboards and alerts rely on every name, type and label.
func TestNames(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"storageos_api_request_duration_seconds":               "histogram{method}",
		"storageos_api_requests_total":                         "counter{code,method}",
		"storageos_api_in_flight_requests":                     "gauge{}",
		"storageos_sync_volume_duration_seconds":               "histogram{}",
		"storageos_save_volume_duration_seconds":               "histogram{}",
		"storageos_delete_volume_duration_seconds":             "histogram{}",
		"storageos_sync_volume_last_success_timestamp_seconds": "gauge{}",
		"storageos_sync_volume_errors_total":                   "counter{stage}",
		"storageos_volumes":                                    "gauge{health}",
		"storageos_volume_records":                             "gauge{}",
		"storageos_volume_orphans":                             "gauge{kind}",
		"storageos_volume_deletions_held":                      "gauge{}",
		"storageos_volumes_invalid":                            "gauge{}",
		"storageos_volume_crd_current":                         "gauge{}",
		"storageos_volume_writes_total":                        "counter{verb}",
		"storageos_volume_events_dropped_total":                "counter{}",
		"storageos_sync_volume_early_reads_total":              "counter{reason}",
		"storageos_volume_sync_build_info":                     "gauge{commit,go_version,version}",
		"workqueue_depth":                                      "gauge{name}",
		"workqueue_adds_total":                                 "counter{name}",
		"workqueue_queue_duration_seconds":                     "histogram{name}",
		"workqueue_work_duration_seconds":                      "histogram{name}",
		"workqueue_unfinished_work_seconds":                    "gauge{name}",
		"workqueue_longest_running_processor_seconds":          "gauge{name}",
		"workqueue_retries_total":                              "counter{name}",
	}
	got := map[string]string{}
	for name, f := range families(t, registered(t, filled())) {
		got[name] = kind(f)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	var list []*dto.MetricFamily
	for _, f := range families(t, registered(t, filled())) {
		list = append(list, f)
	}
	problems, err := promlint.NewWithMetricFamilies(list).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What is known only from listing StorageOS is shown only by the leader. What
// is shown, is shown from the begin, so that rates see the first error.
func TestLeading(t *testing.T) {
	t.Parallel()
	type values map[string]map[string]float64
	always := values{
		"storageos_api_in_flight_requests":         {"": 0},
		"storageos_save_volume_duration_seconds":   {"": 0},
		"storageos_delete_volume_duration_seconds": {"": 0},
		"storageos_sync_volume_errors_total":       {"login": 0},
		"storageos_volume_writes_total":            {"create": 0, "patch": 0, "patch_status": 0, "delete": 0},
		"storageos_volume_events_dropped_total":    {"": 0},
		"storageos_sync_volume_early_reads_total":  {"persistentvolume": 0, "attachment": 0},
		"storageos_volume_sync_build_info": {
			version.Commit() + "," + runtime.Version() + "," + version.Version(): 1,
		},
	}
	with := func(more values) values {
		all := values{}
		for _, from := range []values{always, more} {
			for name, series := range from {
				all[name] = series
			}
		}
		return all
	}
	stages := map[string]float64{"login": 0, "list": 0, "decode": 0, "save": 0, "delete": 0}
	orphans := map[string]float64{"record": 0, "unclaimed_volume": 0, "missing_volume": 0}
	work := func(m *Metrics) {
		m.StartLeading()
		for _, stage := range []string{StageLogin, StageList, StageDecode, StageSave, StageSave, StageDelete} {
			m.Error(stage)
		}
		for _, verb := range []string{VerbCreate, VerbPatch, VerbPatchStatus, VerbPatchStatus, VerbDelete} {
			m.Wrote(verb)
		}
		m.SetVolumes("Healthy", 5)
		m.SetVolumes("Offline", 2)
		m.SetRecords(7)
		m.SetOrphans(OrphanRecord, 1)
		m.SetOrphans(OrphanUnclaimed, 2)
		m.SetOrphans(OrphanMissing, 3)
		m.SetHeld(4)
		m.SetInvalid(6)
		m.SyncDuration.Observe(time.Second)
		m.Synced(time.Unix(1000, 5e8))
	}
	wrote := map[string]float64{"create": 1, "patch": 1, "patch_status": 2, "delete": 1}
	for name, tc := range map[string]struct {
		do   func(*Metrics)
		want values
	}{
		"a standby": {func(*Metrics) {}, always},
		"a standby with a login that fails": {
			func(m *Metrics) { m.Error(StageLogin) },
			with(values{"storageos_sync_volume_errors_total": {"login": 1}}),
		},
		"a leader before its first listing": {(*Metrics).StartLeading, with(values{
			"storageos_sync_volume_errors_total": stages, "storageos_volume_orphans": orphans,
			"storageos_volume_records": {"": 0}, "storageos_volume_deletions_held": {"": 0},
			"storageos_volumes_invalid": {"": 0},
		})},
		"a leader at work": {work, with(values{
			"storageos_sync_volume_errors_total":                   {"login": 1, "list": 1, "decode": 1, "save": 2, "delete": 1},
			"storageos_volume_orphans":                             {"record": 1, "unclaimed_volume": 2, "missing_volume": 3},
			"storageos_volume_records":                             {"": 7},
			"storageos_volume_deletions_held":                      {"": 4},
			"storageos_volumes_invalid":                            {"": 6},
			"storageos_volumes":                                    {"Healthy": 5, "Offline": 2},
			"storageos_volume_writes_total":                        wrote,
			"storageos_sync_volume_duration_seconds":               {"": 1},
			"storageos_sync_volume_last_success_timestamp_seconds": {"": 1000.5},
		})},
		"a process that looks at the CRD": {
			func(m *Metrics) { m.SetCRD(true); m.SetCRD(false) },
			with(values{"storageos_volume_crd_current": {"": 0}}),
		},
		"one that leads, and finds the CRD current": {
			func(m *Metrics) { m.SetCRD(true); m.StartLeading(); m.StopLeading() },
			with(values{"storageos_volume_crd_current": {"": 1}}),
		},
		"one that may not look any more": {func(m *Metrics) { m.SetCRD(true); m.ForgetCRD() }, always},
		"one that was the leader": {
			func(m *Metrics) { work(m); m.StopLeading() },
			with(values{"storageos_sync_volume_errors_total": {"login": 1}, "storageos_volume_writes_total": wrote}),
		},
		"one that is the leader again": {
			func(m *Metrics) { work(m); m.StopLeading(); m.StartLeading(); m.SyncDuration.Observe(time.Second) },
			with(values{
				"storageos_sync_volume_errors_total": {"login": 1, "list": 0, "decode": 0, "save": 0, "delete": 0},
				"storageos_volume_orphans":           orphans, "storageos_volume_records": {"": 0},
				"storageos_volume_deletions_held": {"": 0}, "storageos_volumes_invalid": {"": 0}, "storageos_volume_writes_total": wrote,
				"storageos_sync_volume_duration_seconds": {"": 1},
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := New()
			tc.do(m)
			got := values{}
			for name, f := range families(t, registered(t, m)) {
				got[name] = series(f)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// Each latency feeds its own histogram, in seconds.
func TestLatencies(t *testing.T) {
	t.Parallel()
	for name, latency := range map[string]func(*Metrics) LatencyMetric{
		"storageos_sync_volume_duration_seconds":   func(m *Metrics) LatencyMetric { return m.SyncDuration },
		"storageos_save_volume_duration_seconds":   func(m *Metrics) LatencyMetric { return m.SaveDuration },
		"storageos_delete_volume_duration_seconds": func(m *Metrics) LatencyMetric { return m.DeleteDuration },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := New()
			latency(m).Observe(1500 * time.Millisecond)
			total := 0.0
			all := families(t, registered(t, m))
			for _, f := range all {
				if f.GetType() == dto.MetricType_HISTOGRAM {
					total += sum(f)
				}
			}
			if got := sum(all[name]); got != 1.5 || total != 1.5 {
				t.Errorf("it observed %v, all together %v; want 1.5", got, total)
			}
		})
	}
}

// A set is registered once on a registry.
func TestRegisterTwice(t *testing.T) {
	t.Parallel()
	if err := New().Register(registered(t, New())); err == nil {
		t.Error("two sets on one registry")
	}
}
