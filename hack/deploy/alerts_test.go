package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const componentsDir = deployDir + "/components"

// promtool runs it. `make test-deploy` puts it where it is looked for.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := filepath.Abs("../../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("it needs promtool: run it by `make test-deploy`")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

// rule is an alert.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

// rules are the alerts, and a file of them such as Prometheus reads.
func rules(t *testing.T) (alerts []rule, file string) {
	t.Helper()
	raw, err := os.ReadFile(componentsDir + "/prometheus-rule/prometheus-rule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Spec struct{ Groups []struct{ Rules []rule } }
	}
	if err := yaml.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	for _, g := range o.Spec.Groups {
		alerts = append(alerts, g.Rules...)
	}
	for _, o := range objects(t, raw) {
		file = write(t, "rules.yaml", o["spec"])
	}
	return alerts, file
}

func write(t *testing.T, name string, content any) string {
	t.Helper()
	raw, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// series are values by series, one each 15 s, as promtool writes them.
type series map[string]string

// of makes the series of one process.
func of(pod string, values series) series {
	own := series{}
	for s, v := range values {
		name, labels, _ := strings.Cut(strings.TrimSuffix(s, "}"), "{")
		if labels != "" {
			labels += ","
		}
		own[fmt.Sprintf(`%s{%sjob="sync",namespace="storageos",pod=%q,instance=%q}`, name, labels, pod, pod)] = v
	}
	return own
}

const (
	leads   = `leader_election_master_status{name="storageos-volume-sync"}`
	success = `storageos_sync_volume_last_success_timestamp_seconds`
	started = `process_start_time_seconds`
	depth   = `workqueue_depth{name="volumes"}`
	took    = `storageos_sync_volume_duration_seconds_sum`
	polls   = `storageos_sync_volume_duration_seconds_count`
	held    = `storageos_volume_deletions_held`
	invalid = `storageos_volumes_invalid`
	crd     = `storageos_volume_crd_current`
)

func errorsIn(stage string) string {
	return fmt.Sprintf(`storageos_sync_volume_errors_total{stage=%q}`, stage)
}
func orphans(kind string) string   { return fmt.Sprintf(`storageos_volume_orphans{kind=%q}`, kind) }
func volumes(health string) string { return fmt.Sprintf(`storageos_volumes{health=%q}`, health) }

// process are the series that every process has: two hours of them.
var process = series{
	leads: "0x480", started: "7x480", `storageos_volume_sync_build_info{version="v1"}`: "1x480",
	errorsIn("login"): "0x480", depth: "0x480", crd: "1x480",
}

// leading are those of a leader.
var leading = with(process, series{
	leads: "1x480", success: "0+15x480", took: "0+1x480", polls: "0+3x480", held: "0x480", invalid: "0x480",
	errorsIn("list"): "0x480", errorsIn("decode"): "0x480", errorsIn("save"): "0x480", errorsIn("delete"): "0x480",
	orphans("record"): "0x480", orphans("unclaimed_volume"): "0x480", orphans("missing_volume"): "0x480",
	volumes("Healthy"): "60x480", volumes("Degraded"): "0x480", volumes("Offline"): "0x480",
})

// with is a with b in it; an empty value takes a series out.
func with(a, b series) series {
	all := maps.Clone(a)
	maps.Copy(all, b)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	return all
}

// ended makes a process end after so many samples.
func ended(s series, samples int) series {
	all := series{}
	for name, v := range s {
		all[name] = strings.Replace(v, "x480", fmt.Sprintf("x%d stale", samples), 1)
	}
	return all
}

// begun makes a process begin after so many samples.
func begun(s series, samples int) series {
	all := series{}
	for name, v := range s {
		if name == success { // it goes on counting from then
			v = fmt.Sprintf("%d+15x480", 15*samples)
		}
		all[name] = fmt.Sprintf("_x%d %s", samples, v)
	}
	return all
}

// Each alert fires when it should and, before its time, does not; two processes
// of which one leads fire none, whatever they go through that is meant to be.
func TestAlerts(t *testing.T) {
	alerts, file := rules(t)
	fired := map[string]bool{}
	var tests []any
	for name, tc := range map[string]struct {
		leader, standby series
		firing          map[string][]string // by time
	}{
		"all is well": {leading, process, map[string][]string{"1m": nil, "10m": nil, "115m": nil}},
		"the first minutes": {
			with(leading, series{success: "_x8 120+15x472"}), process,
			map[string][]string{"1m": nil, "3m": nil, "10m": nil},
		},
		"a fail-over": {ended(leading, 40), with(process, series{leads: "0x42 1x438", success: "_x43 645+15x437"}), map[string][]string{"10m15s": nil, "11m": nil, "20m": nil}},
		"a new version": {
			ended(leading, 40), begun(leading, 41), map[string][]string{"10m": nil, "12m": nil, "60m": nil},
		},
		"one restart":              {leading, with(process, series{started: "7x40 600x440"}), map[string][]string{"20m": nil}},
		"a standby that is not up": {leading, nil, map[string][]string{"20m": nil}},
		"a lease that nobody holds": {
			with(process, series{leads: "1x40 0x440"}), process,
			map[string][]string{"11m": nil, "13m": {"StorageOSVolumeSyncNoLeader"}},
		},
		"no process at all": {nil, nil, map[string][]string{"1m": nil, "3m": {"StorageOSVolumeSyncNoLeader"}}},
		"processes that wait for a login": {
			with(process, series{leads: "", errorsIn("login"): "0+3x480"}), with(process, series{leads: "", errorsIn("login"): "0+3x480"}),
			map[string][]string{"1m": nil, "3m": {"StorageOSVolumeSyncNoLeader"}, "20m": {"StorageOSVolumeSyncErrors", "StorageOSVolumeSyncNoLeader"}},
		},
		"StorageOS went away": {
			with(leading, series{success: "0+15x40 600x440"}), process,
			map[string][]string{"11m": nil, "15m": {"StorageOSVolumeSyncStale"}},
		},
		"a leader that never succeeded": {
			with(leading, series{success: ""}), process, map[string][]string{"1m": nil, "3m": {"StorageOSVolumeSyncStale"}},
		},
		"errors for a moment": {with(leading, series{errorsIn("save"): "0x40 9x440"}), process, map[string][]string{"10m": nil, "16m": nil, "30m": nil}},
		"errors all the time": {with(leading, series{errorsIn("save"): "0+1x480"}), process, map[string][]string{"10m": nil, "20m": {"StorageOSVolumeSyncErrors"}}},
		"a process that crashes again and again": {
			leading, with(process, series{started: "0+60x480"}), map[string][]string{"30s": nil, "10m": {"StorageOSVolumeSyncRestarts"}},
		},
		"a long queue":    {with(leading, series{depth: "0x40 500x440"}), process, map[string][]string{"15m": nil, "21m": {"StorageOSVolumeSyncQueueLong"}}},
		"a first listing": {with(leading, series{depth: "9000x8 0x472"}), process, map[string][]string{"1m": nil, "11m": nil}},
		"slow polls":      {with(leading, series{took: "0+30x480", polls: "0+1x480"}), process, map[string][]string{"10m": nil, "20m": {"StorageOSVolumeSyncSlow"}}},
		"deletions held":  {with(leading, series{held: "0x40 30x440"}), process, map[string][]string{"14m": nil, "16m": {"StorageOSVolumeDeletionsHeld"}}},
		"a volume that cannot be recorded, counted once": {
			with(leading, series{errorsIn("decode"): "0x40 1x440", invalid: "0x40 1x440"}), process,
			map[string][]string{"20m": nil, "26m": {"StorageOSVolumesInvalid"}, "115m": {"StorageOSVolumesInvalid"}},
		},
		"a handle that cannot be read": {with(leading, series{invalid: "0x40 1x440"}), process, map[string][]string{"20m": nil, "26m": {"StorageOSVolumesInvalid"}}},
		"invalid for a while":          {with(leading, series{invalid: "0x40 1x40 0x400"}), process, map[string][]string{"15m": nil, "30m": nil}},
		"invalid over a fail-over": {
			ended(with(leading, series{invalid: "1x480"}), 100), with(process, series{leads: "0x102 1x378", success: "_x103 1545+15x377", invalid: "_x103 1x377"}),
			map[string][]string{"10m": nil, "20m": {"StorageOSVolumesInvalid"}, "50m": {"StorageOSVolumesInvalid"}},
		},
		"an older CRD":                   {with(leading, series{crd: "1x40 0x440"}), with(process, series{crd: "1x40 0x440"}), map[string][]string{"14m": nil, "16m": {"StorageOSVolumeCRDOutdated"}}},
		"an older CRD, and a new one":    {with(leading, series{crd: "0x40 1x440"}), with(process, series{crd: "0x40 1x440"}), map[string][]string{"6m": {"StorageOSVolumeCRDOutdated"}, "11m": nil}},
		"no right to look at the CRD":    {with(leading, series{crd: ""}), with(process, series{crd: ""}), map[string][]string{"20m": nil, "115m": nil}},
		"only the standby has looked":    {with(leading, series{crd: ""}), with(process, series{crd: "0x480"}), map[string][]string{"4m": nil, "6m": {"StorageOSVolumeCRDOutdated"}}},
		"the right goes while it is old": {with(leading, series{crd: "0x8 stale"}), with(process, series{crd: "0x8 stale"}), map[string][]string{"4m": nil, "20m": nil}},
		"missing":                        {with(leading, series{orphans("missing_volume"): "0x40 1x440"}), process, map[string][]string{"14m": nil, "16m": {"StorageOSVolumesMissing"}}},
		"unclaimed":                      {with(leading, series{orphans("unclaimed_volume"): "0x40 1x440"}), process, map[string][]string{"65m": nil, "75m": {"StorageOSVolumesUnclaimed"}}},
		"offline":                        {with(leading, series{volumes("Offline"): "0x40 1x440"}), process, map[string][]string{"11m": nil, "13m": {"StorageOSVolumesOffline"}}},
		"degraded":                       {with(leading, series{volumes("Degraded"): "0x40 1x440"}), process, map[string][]string{"20m": nil, "26m": {"StorageOSVolumesDegraded"}}},
	} {
		all := of("a", tc.leader)
		maps.Copy(all, of("b", tc.standby))
		var input, checks []any
		for _, s := range slices.Sorted(maps.Keys(all)) {
			input = append(input, map[string]any{"series": s, "values": all[s]})
		}
		for at, names := range tc.firing {
			samples := []any{}
			for _, n := range names {
				fired[n] = true
				samples = append(samples, map[string]any{"labels": fmt.Sprintf(`{alertname=%q}`, n), "value": 1})
			}
			checks = append(checks, map[string]any{
				"expr": `max by (alertname) (ALERTS{alertstate="firing"})`, "eval_time": at, "exp_samples": samples,
			})
		}
		tests = append(tests, map[string]any{"name": name, "interval": "15s", "input_series": input, "promql_expr_test": checks})
	}
	promtool(t, "check", "rules", file)
	promtool(t, "test", "rules", write(t, "test.yaml", map[string]any{
		"rule_files": []string{file}, "evaluation_interval": "15s", "tests": tests,
	}))
	for _, r := range alerts {
		if !fired[r.Alert] {
			t.Errorf("no case lets %s fire", r.Alert)
		}
	}
}

// Each alert says what it is, what to do and how urgent it is, and keeps no label
// of a process: of two processes only one may speak.
func TestAlertTexts(t *testing.T) {
	operations, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts, _ := rules(t)
	for _, r := range alerts {
		_, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "/docs/operations.md#")
		if anchor != strings.ToLower(r.Alert) || !strings.Contains(string(operations), "\n### "+r.Alert+"\n") {
			t.Errorf("%s has no runbook: %q", r.Alert, r.Annotations["runbook_url"])
		}
		if r.Annotations["summary"] == "" || len(r.Annotations["description"]) < 80 {
			t.Errorf("%s does not say what to do: %q", r.Alert, r.Annotations)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" && s != "info" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if !strings.Contains(r.Expr, "by (namespace") {
			t.Errorf("%s is not aggregated: %s", r.Alert, r.Expr)
		}
	}
}

// Each expression of the dashboard is one that Prometheus understands. That the
// metrics in it exist is tested with a live program, in hack/integration.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile(componentsDir + "/dashboard/storageos-volume-sync.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID    string
		Panels []struct {
			ID          int
			Title, Type string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$namespace", ".*", "$__rate_interval", "5m")
	var records []any
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if p.Title == "" || ids[p.ID] || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q has no title, no expression or the number of another", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			records = append(records, map[string]any{"record": fmt.Sprintf("panel:%d:%d", p.ID, len(records)), "expr": variables.Replace(target.Expr)})
		}
	}
	if len(records) < 20 {
		t.Errorf("only %d expressions", len(records))
	}
	promtool(t, "check", "rules", write(t, "dashboard.yaml", map[string]any{
		"groups": []any{map[string]any{"name": "dashboard", "rules": records}},
	}))
}
