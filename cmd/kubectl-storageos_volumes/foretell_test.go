package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// copies is a volume with a master on one node and ready replicas on others.
func copies(id, master string, replicas ...string) v1.Volume {
	return volume(id, func(r *v1.Volume) {
		r.Status.Master = &v1.Master{NodeID: master, Hostname: "host-" + master, Health: "online"}
		for _, node := range replicas {
			r.Status.Replicas = append(r.Status.Replicas, v1.Replica{NodeID: node, Hostname: "host-" + node, Health: "ready", Promotable: true})
		}
	})
}

// The answer is one sentence, and "safe" only if all is known.
func TestForetell(t *testing.T) {
	t.Parallel()
	records := []v1.Volume{copies("v1", "a", "b"), copies("v2", "b"), copies("v3", "c")}
	csi := map[string]string{"worker-1": "a", "worker-2": "b", "worker-3": "c", "worker-4": "d"}
	stray := map[string]string{"worker-1": "a", "worker-2": "b", "worker-5": "d"}
	for name, tc := range map[string]struct {
		names, doubts []string
		verdict, want string
		csi           map[string]string
	}{
		"safe": {[]string{"worker-1"}, nil, verdictSafe,
			"Safe: without worker-1, none of 3 volumes goes Offline; 1 goes Degraded, none is only moved, 2 are not concerned.", nil},
		"not safe": {[]string{"worker-2"}, nil, verdictUnsafe,
			"Not safe: without worker-2, 1 of 3 volumes goes Offline; 1 goes Degraded, none is only moved, 1 is not concerned.", nil},
		"two at once": {[]string{"worker-1", "worker-2"}, nil, verdictUnsafe,
			"Not safe: without worker-1 and worker-2, 2 of 3 volumes go Offline; none goes Degraded, none is only moved, 1 is not concerned.", nil},
		"by its host name": {[]string{"host-c"}, nil, verdictUnsafe,
			"Not safe: without host-c, 1 of 3 volumes goes Offline; none goes Degraded, none is only moved, 2 are not concerned.", nil},
		"a node without a volume": {[]string{"worker-4"}, nil, verdictSafe,
			"Safe: without worker-4, none of 3 volumes goes Offline; none goes Degraded, none is only moved, 3 are not concerned.", nil},
		"a node that nobody knows": {[]string{"worker-1", "worker-9"}, nil, verdictUnknown,
			"It cannot be told: neither a CSINode nor a record says which node of StorageOS worker-9 is: see `kubectl storageos-volumes nodes`.", nil},
		"a node made anew": {[]string{"worker-5"}, nil, verdictUnknown,
			"It cannot be told: the CSINode of worker-5 may be of before it was made anew: it could be StorageOS's node host-c (c), which no CSINode names.", stray},
		"a doubt": {[]string{"worker-2"}, []string{"it is old"}, verdictUnknown, "It cannot be told: it is old.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.csi == nil {
				tc.csi = csi
			}
			f := foretell(tc.names, tc.csi, records, tc.doubts)
			if f.Verdict != tc.verdict || f.Summary != tc.want {
				t.Errorf("%s: %s\nwant %s: %s", f.Verdict, f.Summary, tc.verdict, tc.want)
			}
		})
	}
}

// A node without CSINode is known by its host name only if no other can be it: of one that was made
// anew, and whose host name nobody knows yet, the copies are not those of before.
func TestForetellNodeWithoutHost(t *testing.T) {
	t.Parallel()
	bare := copies("v2", "new")
	bare.Status.Master.Hostname = ""
	records := []v1.Volume{copies("v1", "a", "b"), bare}
	for name, tc := range map[string]struct {
		csi     map[string]string
		verdict string
	}{
		"no CSINode":                   {map[string]string{"worker-1": "a"}, verdictUnknown},
		"a CSINode of before":          {map[string]string{"host-b": "gone"}, verdictUnknown},
		"it is another's":              {map[string]string{"worker-1": "a", "worker-2": "new"}, verdictSafe},
		"a CSINode that is of volumes": {map[string]string{"host-b": "b"}, verdictSafe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := foretell([]string{"host-b"}, tc.csi, records, nil); f.Verdict != tc.verdict {
				t.Errorf("%s: %s\nwant %s", f.Verdict, f.Summary, tc.verdict)
			}
		})
	}
}

// A host name under which no copy is well may be that of a node that was made anew, whatever a CSINode calls it.
func TestForetellHostOfBefore(t *testing.T) {
	t.Parallel()
	before, only := copies("v1", "a", "b"), copies("v2", "new")
	before.Status.Replicas[0].Health, only.Status.Master.Hostname = "failed", ""
	f := foretell([]string{"host-b"}, map[string]string{"worker-1": "a", "worker-2": "new"}, []v1.Volume{before, only}, nil)
	if want := "It cannot be told: no CSINode says which node of StorageOS host-b is: it could be StorageOS's node new."; f.Summary != want {
		t.Errorf("%s\nwant %s", f.Summary, want)
	}
}

// A CSINode may be of before its node was made anew, and copies of before be listed still: none of
// them is well then. That the host name is the same tells, or nobody can.
func TestForetellNodeOfBefore(t *testing.T) {
	t.Parallel()
	csi := map[string]string{"worker-1": "a", "worker-2": "b"}
	for name, tc := range map[string]struct {
		host           string // of the only copy of a volume on the new one
		health, before string // of the copy of before, and its host
		verdict        string
	}{
		"of the same host name":             {"host-b", "failed", "host-b", verdictUnsafe},
		"of another host name":              {"host-new", "failed", "host-b", verdictUnknown},
		"of no host name":                   {"", "failed", "host-b", verdictUnknown},
		"of no host name, and both well":    {"", "ready", "host-b", verdictSafe},
		"of no host name, and on its way":   {"", "recovering", "host-b", verdictUnknown},
		"of no host name, and to be synced": {"", "syncing", "host-b", verdictUnknown},
		"of one that nobody compares":       {"host-new", "failed", "", verdictUnknown},
		"of no host name, only attached":    {"", "deleted", "host-b", verdictUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, only := copies("v1", "a", "b"), copies("v2", "new")
			before.Status.Replicas[0].Health, before.Status.Replicas[0].Hostname = tc.health, tc.before
			if tc.health == "deleted" {
				before.Status.AttachedOn, before.Status.AttachedOnHost = "b", tc.before
			}
			only.Status.Master.Hostname = tc.host
			if f := foretell([]string{"worker-2"}, csi, []v1.Volume{before, only}, nil); f.Verdict != tc.verdict {
				t.Errorf("%s: %s\nwant %s", f.Verdict, f.Summary, tc.verdict)
			}
		})
	}
}

// Of which of StorageOS's nodes the names are is told by more than one of them.
func TestForetellNames(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		names, csi string
		health     string // of the copy on the node b, whose host name nobody knows; v2 is on a new one
		host       string // of b and of the new one, if that is known
		verdict    string
	}{
		"it may be a new one":              {"worker-2", "worker-1 a worker-2 b", "failed", "", verdictUnknown},
		"that is meant, too":               {"worker-2 new", "worker-1 a worker-2 b", "failed", "", verdictUnsafe},
		"by its ID":                        {"b", "worker-1 a", "failed", "", verdictSafe},
		"by an ID that a CSINode has":      {"d", "worker-1 a worker-4 d", "failed", "", verdictSafe},
		"called like another's ID":         {"b", "worker-1 a b d", "failed", "", verdictUnknown},
		"one of two CSINodes is of before": {"worker-3", "worker-1 a worker-3 b worker-9 b", "ready", "", verdictUnknown},
		"it alone has a CSINode":           {"worker-3", "worker-1 a worker-3 b", "ready", "", verdictSafe},
		"whose host name is another's":     {"worker-3", "worker-1 a worker-3 b worker-9 b", "ready", "host", verdictUnknown},
		"and for the other":                {"worker-9", "worker-1 a worker-3 b worker-9 b", "ready", "host", verdictUnknown},
		"and no copy is well there":        {"worker-3", "worker-1 a worker-3 b", "failed", "host", verdictUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			csi := map[string]string{}
			for of := range slices.Chunk(strings.Fields(tc.csi), 2) {
				csi[of[0]] = of[1]
			}
			one, two := copies("v1", "a", "b"), copies("v2", "new")
			one.Status.Replicas[0].Health, one.Status.Replicas[0].Hostname, two.Status.Master.Hostname = tc.health, "", ""
			if tc.host != "" {
				one.Status.Replicas[0].Hostname, two.Status.Master.Hostname = tc.host+"-b", tc.host+"-new"
			}
			if f := foretell(strings.Fields(tc.names), csi, []v1.Volume{one, two}, nil); f.Verdict != tc.verdict {
				t.Errorf("%s: %s\nwant %s", f.Verdict, f.Summary, tc.verdict)
			}
		})
	}
}

// Which node it is makes no difference where no volume goes Offline without any that it could be.
func TestForetellWhicheverNode(t *testing.T) {
	t.Parallel()
	const left = "StorageOS's node host-left (left)"
	for name, tc := range map[string]struct {
		asked string
		csi   string
		only  string // the node of the only copy of a volume more
		want  string
	}{
		"it is empty": {"worker-3", "worker-3 c", "", "Safe: without worker-3, none of 2 volumes goes Offline; none goes Degraded, none is only moved, 2 are not concerned" +
			"; nor does one go Offline if worker-3 is " + left + ", when at most 2 go Degraded."},
		"so are more": {"worker-3 worker-4", "worker-3 c worker-4 d", "", "Safe: without worker-3 and worker-4, none of 2 volumes goes Offline; none goes Degraded, none is only moved, 2 are not concerned" +
			"; nor does one go Offline if worker-3 and worker-4 are " + left + ", when at most 2 go Degraded."},
		"it matters":                         {"worker-3", "worker-3 c", "left", "It cannot be told: the CSINode of worker-3 may be of before it was made anew: it could be " + left + ", which no CSINode names."},
		"its host name tells that it is not": {"host-d", "host-d d", "d", "Not safe: without host-d, 1 of 3 volumes goes Offline; none goes Degraded, none is only moved, 2 are not concerned."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := []v1.Volume{copies("v1", "a", "left"), copies("v2", "b", "left")}
			for i := range records {
				records[i].Status.Replicas[0].Health = "failed"
			}
			if tc.only != "" {
				only := copies("v3", tc.only)
				only.Status.Master.Health = "offline"
				records = append(records, only)
			}
			csi := map[string]string{"worker-1": "a", "worker-2": "b"}
			for of := range slices.Chunk(strings.Fields(tc.csi), 2) {
				csi[of[0]] = of[1]
			}
			if f := foretell(strings.Fields(tc.asked), csi, records, nil); f.Summary != tc.want {
				t.Errorf("%s\nwant %s", f.Summary, tc.want)
			}
		})
	}
}

// A host name that is the one of a node that another CSINode names is not the one that is asked for.
func TestForetellAnothersHostName(t *testing.T) {
	t.Parallel()
	named := func(r v1.Volume, hosts map[string]string) v1.Volume {
		r.Status.Master.Hostname = hosts[r.Status.Master.NodeID]
		for i := range r.Status.Replicas {
			r.Status.Replicas[i].Hostname = hosts[r.Status.Replicas[i].NodeID]
		}
		return r
	}
	shifted := map[string]string{"x": "node-0", "y": "node-1", "z": "node-2"}
	for name, tc := range map[string]struct {
		csi, hosts map[string]string
		verdict    string
	}{
		"all are registered":       {map[string]string{"node-1": "x", "node-2": "y", "node-3": "z"}, shifted, verdictUnsafe},
		"node-1 is not registered": {map[string]string{"node-2": "y", "node-3": "z"}, shifted, verdictUnknown},
		"its CSINode is of before": {map[string]string{"node-1": "before", "node-2": "y", "node-3": "z"}, shifted, verdictUnknown},
		"nobody has a CSINode":     {nil, map[string]string{"x": "node-1", "y": "node-2", "z": "node-3"}, verdictUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := []v1.Volume{named(copies("v1", "y", "z"), tc.hosts), named(copies("v2", "x"), tc.hosts)}
			if f := foretell([]string{"node-1"}, tc.csi, records, nil); f.Verdict != tc.verdict {
				t.Errorf("%s: %s\nwant %s", f.Verdict, f.Summary, tc.verdict)
			}
		})
	}
}

// For each volume it is said what goes and what stays.
func TestForetoldTable(t *testing.T) {
	t.Parallel()
	offline := copies("v2", "b")
	offline.Status.PersistentVolume = &v1.PersistentVolumeStatus{Claim: &v1.ClaimReference{Namespace: "team", Name: "data"}}
	offline.Status.AttachedOn = "b"
	f := foretell([]string{"worker-2"}, map[string]string{"worker-2": "b"}, []v1.Volume{copies("v1", "a", "b"), offline}, nil)
	streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
	d := &drainCheck{cli: &cli{IOStreams: streams}, output: output{"wide"}}
	if err := d.show(f); err != nil {
		t.Fatal(err)
	}
	want := `OUTCOME    NAMESPACE   CLAIM   VOLUME   GOES                       STAYS                    ATTACHED-THERE   VOLUME-ID
Offline    team        data    r-v2     master worker-2 (online)   -                        yes              v2
Degraded                       r-v1     replica worker-2 (ready)   master host-a (online)                    v1
` + f.Summary + "\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where StorageOS or nobody tells a host name, something else is said than nothing.
func TestNodesWithoutName(t *testing.T) {
	t.Parallel()
	r := volume("v1", func(r *v1.Volume) { r.Status.AttachedOn = "b" })
	if got := row(&r, time.Now())[6]; got != "b" {
		t.Errorf("it is attached on %q", got)
	}
	if got, want := spelled([]copyEntry{{Role: "replica", Health: "ready"}}), "replica somewhere (ready)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A driver is strange if it has no PersistentVolume, and the record of a volume that is there names one.
func TestStrangeDriver(t *testing.T) {
	t.Parallel()
	joins := func(r *v1.Volume) { r.Status.PersistentVolume = &v1.PersistentVolumeStatus{Name: "p-v1"} }
	for name, tc := range map[string]struct {
		record  v1.Volume
		pvs     []corev1.PersistentVolume
		strange bool
	}{
		"it names one":            {volume("v1", joins), nil, true},
		"it names none":           {volume("v1"), nil, false},
		"there are others":        {volume("v1", joins), []corev1.PersistentVolume{persistentVolume("v2")}, false},
		"its volume is gone":      {volume("v1", joins, absent), nil, false},
		"it is being deleted now": {volume("v1", joins, func(r *v1.Volume) { r.DeletionTimestamp = &old }), nil, false},
	} {
		if said := strangeDriver([]v1.Volume{tc.record}, tc.pvs, "typo"); (said != "") != tc.strange {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// A record that is not there is missed where its PersistentVolume is.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	records := []v1.Volume{volume("v1")}
	gone := persistentVolume("v3", func(pv *corev1.PersistentVolume) { pv.DeletionTimestamp = &old })
	if got := unrecorded(records, []corev1.PersistentVolume{persistentVolume("v1"), gone}); got != nil {
		t.Errorf("%q", got)
	}
	if got := fmt.Sprint(unrecorded(records, []corev1.PersistentVolume{persistentVolume("v1"), persistentVolume("v2")})); !strings.Contains(got, "the PersistentVolume p-v2 has no record") {
		t.Errorf("%q", got)
	}
}

// Of several records of one volume the oldest counts, and what is not ours does not.
func TestTheirs(t *testing.T) {
	t.Parallel()
	copied := volume("v1", func(r *v1.Volume) { r.Name, r.CreationTimestamp = "a-copy", young })
	got := theirs([]v1.Volume{copied, volume("v1"), volume(""), volume("v2")})
	if len(got) != 2 || got[0].Name != "r-v1" || got[1].Name != "r-v2" {
		t.Errorf("%d records: %v", len(got), got)
	}
}

// A node has the name that Kubernetes gives it, and one without a volume is there too.
func TestNodeEntries(t *testing.T) {
	t.Parallel()
	known := []nodeEntry{
		{Name: "host-b", NodeID: "b", Replicas: 1, Health: v1.HealthHealthy},
		{Name: "worker-1", NodeID: "a", Masters: 1, Health: v1.HealthHealthy},
		{Name: "worker-4", NodeID: "d", Health: v1.HealthUnknown},
	}
	r := copies("v1", "a", "b")
	r.Status.Health = v1.HealthHealthy
	got := nodeEntries(record.Nodes([]v1.Volume{r}), map[string]string{"worker-1": "a", "worker-4": "d"})
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A node that several CSINodes name is always called by all of them.
func TestNodeOfSeveralNames(t *testing.T) {
	t.Parallel()
	csi := map[string]string{"worker-3": "a", "worker-1": "a", "worker-2": "a", "worker-4": "b"}
	for range 10 { // maps have no order
		got := nodeEntries(nil, csi)
		if len(got) != 2 || got[0].Name != "worker-1,worker-2,worker-3" || strings.Join(got[0].names(), " ") != "worker-1 worker-2 worker-3" || got[1].Name != "worker-4" {
			t.Fatalf("%+v", got)
		}
	}
}
