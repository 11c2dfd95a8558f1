package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

func TestParseHandle(t *testing.T) {
	t.Parallel()
	for handle, want := range map[string][2]string{
		"ns/vol": {"ns", "vol"}, "": {}, "vol": {}, "/vol": {}, "ns/": {}, "a/b/c": {},
	} {
		ns, vol, ok := parseHandle(handle)
		if got := [2]string{ns, vol}; got != want || ok != (want != [2]string{}) {
			t.Errorf("parseHandle(%q) = %q, %v; want %q", handle, got, ok, want)
		}
	}
}

func TestRecordNames(t *testing.T) {
	t.Parallel()
	const id = "c6066eef-2b51-435f-8a7f-516c34dfa082"
	long := strings.Repeat("a", 253)
	for name, tc := range map[string]struct {
		volume string
		labels map[string]string
		pv     string // whose handle names the volume
		others string // a PersistentVolume that belongs to another
		want   []string
	}{
		"made by CSI":                    {"pvc-1", map[string]string{labelPersistentVolume: "pvc-1"}, "", "", []string{"pvc-1", "pvc-1-c6066eef", "pvc-1-" + id}},
		"made by hand":                   {"scratch", nil, "", "", []string{"scratch", "scratch-c6066eef", "scratch-" + id}},
		"no legal name":                  {"-My..Disk.-", nil, "", "", []string{"my.disk-c6066eef", "my.disk-" + id}},
		"nothing legal":                  {"...", nil, "", "", []string{"volume-c6066eef", "volume-" + id}},
		"an illegal label":               {"a", map[string]string{labelPersistentVolume: "A/B"}, "", "", []string{"a", "a-c6066eef", "a-" + id}},
		"as long as can be":              {long, nil, "", "", []string{long, long[:244] + "-c6066eef", long[:216] + "-" + id}},
		"cut at a dot":                   {long[:243] + ".bbbbbbbbb", nil, "", "", []string{long[:243] + ".bbbbbbbbb", long[:243] + "-c6066eef", long[:216] + "-" + id}},
		"of a PersistentVolume":          {"a", nil, "static", "", []string{"static", "a", "a-c6066eef", "a-" + id}},
		"of another than the label says": {"a", map[string]string{labelPersistentVolume: "pvc-1"}, "static", "", []string{"static", "pvc-1", "a", "a-c6066eef", "a-" + id}},
		"the label is another's":         {"pvc-2", map[string]string{labelPersistentVolume: "pvc-1"}, "", "pvc-1", []string{"pvc-2", "pvc-2-c6066eef", "pvc-2-" + id}},
		"the label and the name are":     {"pvc-1", map[string]string{labelPersistentVolume: "pvc-1"}, "", "pvc-1", []string{"pvc-1-c6066eef", "pvc-1-" + id}},
		"all of them one":                {"pvc-1", map[string]string{labelPersistentVolume: "pvc-1"}, "pvc-1", "", []string{"pvc-1", "pvc-1-c6066eef", "pvc-1-" + id}},
		"an illegal PersistentVolume":    {"a", nil, "A/B", "", []string{"a", "a-c6066eef", "a-" + id}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := recordNames(id, tc.volume, tc.labels, tc.pv, func(name string) bool { return name != "" && name == tc.others })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealthOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replicas int
		master   string
		listed   []string
		health   v1.Health
		ready    string
	}{
		"alone":                          {0, "online", nil, v1.HealthHealthy, "1/1"},
		"all ready":                      {2, "online", []string{"ready", "ready"}, v1.HealthHealthy, "3/3"},
		"one syncs":                      {2, "online", []string{"ready", "syncing"}, v1.HealthDegraded, "2/3"},
		"one is not there":               {2, "online", []string{"ready"}, v1.HealthDegraded, "2/3"},
		"master offline":                 {1, "offline", []string{"ready"}, v1.HealthOffline, "1/2"},
		"master unknown":                 {1, "unknown", []string{"ready"}, v1.HealthUnknown, "1/2"},
		"no label: listed are wanted":    {-1, "online", []string{"ready", "failed", "deleted"}, v1.HealthDegraded, "2/3"},
		"no label, no replicas":          {-1, "online", nil, v1.HealthHealthy, "1/1"},
		"a label beats what is listed":   {1, "online", []string{"ready", "deleted"}, v1.HealthHealthy, "2/2"},
		"a state that we do not know":    {0, "resting", nil, v1.HealthUnknown, "0/1"},
		"more ready than wanted is fine": {0, "online", []string{"ready"}, v1.HealthHealthy, "2/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var listed []v1.Replica
			for _, h := range tc.listed {
				listed = append(listed, v1.Replica{Health: h})
			}
			health, ready := healthOf(tc.replicas, &v1.Master{Health: tc.master}, listed)
			if health != tc.health || ready != tc.ready {
				t.Errorf("%s %s, want %s %s", health, ready, tc.health, tc.ready)
			}
		})
	}
}

func TestChoosePersistentVolume(t *testing.T) {
	t.Parallel()
	at := func(name string, age time.Duration, phase corev1.PersistentVolumePhase) *persistentVolume {
		return &persistentVolume{join: join{name: name, phase: share(phase)}, created: ago(age).Unix()}
	}
	for name, tc := range map[string]struct {
		all  []*persistentVolume
		want string
	}{
		"the bound one": {[]*persistentVolume{at("a", time.Hour, corev1.VolumeReleased), at("b", 0, corev1.VolumeBound)}, "b"},
		"the oldest":    {[]*persistentVolume{at("a", 0, corev1.VolumeBound), at("b", time.Hour, corev1.VolumeBound)}, "b"},
		"by name":       {[]*persistentVolume{at("b", 0, ""), at("a", 0, "")}, "a"},
	} {
		if got := choosePersistentVolume(tc.all); got.name != tc.want {
			t.Errorf("%s: %s, want %s", name, got.name, tc.want)
		}
	}
	if choosePersistentVolume(nil) != nil {
		t.Error("one was chosen out of none")
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		label, status string
		listed        string
		want          string
	}{
		"both agree":                    {"a", "a", "", "a"},
		"between the two writes":        {"a", "", "", "a"},
		"of the replaced program":       {"", "a", "", "a"},
		"edited: the label's is listed": {"a", "b", "a", "a"},
		"edited: the label's is not":    {"a", "b", "b", "b"},
		"not ours":                      {"", "", "", ""},
	} {
		r := &record{labelID: tc.label, statusID: tc.status}
		if got := r.identity(func(id string) bool { return id == tc.listed }); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// What is too large is found, and what is small is not written down for that.
func TestMayBeLarge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*storageos.Volume)
		maybe  bool
		fits   bool
	}{
		"a usual one":               {func(*storageos.Volume) {}, false, true},
		"many labels":               {func(v *storageos.Volume) { v.Labels = labels(10_000, 10) }, true, true},
		"too many labels":           {func(v *storageos.Volume) { v.Labels = labels(10_000, 200) }, true, false},
		"a description of anything": {func(v *storageos.Volume) { v.Description = strings.Repeat("\x01", maxRecordBytes/5) }, true, false},
		"many replicas":             {func(v *storageos.Volume) { v.Replicas = make([]storageos.Replica, 100_000) }, true, false},
		"a long host name":          {func(v *storageos.Volume) { v.Master.Hostname = strings.Repeat("x", maxRecordBytes+1) }, true, false},
		"a long export": {func(v *storageos.Volume) {
			path := strings.Repeat("x", maxRecordBytes+1)
			v.Nfs.ServiceEndpoint = &path
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := storageos.DecodeVolume(listedVolume("ns", 1, 1))
			if err != nil {
				t.Fatal(err)
			}
			tc.change(v)
			c, err := contentOf(v, "ns", nil)
			if (err == nil) != tc.fits {
				t.Errorf("error %v", err)
			}
			if err == nil && c.mayBeLarge() != tc.maybe {
				t.Errorf("it may be large: %v", c.mayBeLarge())
			}
		})
	}
}

func labels(n, length int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[strings.Repeat("x", length)+fmt.Sprint(i)] = "y"
	}
	return all
}

func digestOf(c content) digest {
	d, _ := digestContent(c)
	return d
}
