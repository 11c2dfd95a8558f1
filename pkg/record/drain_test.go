package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// vol is a record out of few words: its master, its replicas, and where it is attached, each
// "NODE HEALTH", a replica that may not become master with a "!" behind it. A node "?" has no ID.
func vol(name, master string, replicas []string, attached string) v1.Volume {
	r := v1.Volume{}
	r.Name = name
	r.Annotations = map[string]string{v1.AnnotationClusterID: "c1"}
	if master != "" {
		node, health, _ := strings.Cut(master, " ")
		r.Status.Master = &v1.Master{NodeID: strings.Trim(node, "?"), Health: health, Promotable: true}
		if r.Status.Master.NodeID != "" {
			r.Status.Master.Hostname = "host-" + r.Status.Master.NodeID
		}
	}
	r.Spec.ConfigLabels = map[string]string{labelReplicas: fmt.Sprint(len(replicas))}
	for _, replica := range replicas {
		node, health, _ := strings.Cut(replica, " ")
		health, not := strings.CutSuffix(health, "!")
		c := v1.Replica{NodeID: strings.Trim(node, "?"), Health: health, Promotable: !not}
		if c.NodeID != "" {
			c.Hostname = "host-" + c.NodeID
		}
		r.Status.Replicas = append(r.Status.Replicas, c)
	}
	if attached != "" {
		r.Status.AttachedOn, r.Status.AttachedOnHost = attached, "host-"+attached
	}
	r.Status.Health, _ = healthOf(len(replicas), r.Status.Master, r.Status.Replicas)
	return r
}

// What becomes of one volume when nodes go.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		master   string
		replicas []string
		attached string
		nodes    string
		want     Outcome // "": it is not concerned
	}{
		{"it is elsewhere", "b online", []string{"c ready"}, "b", "a", ""},
		{"the only copy", "a online", nil, "", "a", OutcomeOffline},
		{"the only copy, used elsewhere", "a online", nil, "b", "a", OutcomeOffline},
		{"used there, the copy elsewhere", "b online", nil, "a", "a", OutcomeMoved},
		{"the master, a replica may take over", "a online", []string{"b ready"}, "a", "a", OutcomeDegraded},
		{"the master, the replica may not take over", "a online", []string{"b ready!"}, "", "a", OutcomeOffline},
		{"the master, one of two replicas may take over", "a online", []string{"b ready!", "c ready"}, "", "a", OutcomeDegraded},
		{"the master, the replica is not ready yet", "a online", []string{"b syncing"}, "", "a", OutcomeOffline},
		{"the master, the replica has failed", "a online", []string{"b failed"}, "", "a", OutcomeOffline},
		{"the master, the replica is deleted", "a online", []string{"b deleted"}, "", "a", OutcomeOffline},
		{"the replica", "a online", []string{"b ready"}, "", "b", OutcomeDegraded},
		{"the replica, it is syncing", "a online", []string{"b syncing"}, "", "b", OutcomeDegraded},
		{"the replica, the master is offline", "a offline", []string{"b ready"}, "", "b", OutcomeOffline},
		{"the offline master, a replica may take over", "a offline", []string{"b ready"}, "", "a", OutcomeDegraded},
		{"the offline master, nothing else", "a offline", nil, "", "a", OutcomeOffline},
		{"the master whose health is unknown", "a unknown", nil, "", "a", OutcomeOffline},
		{"two nodes at once, a copy on each", "a online", []string{"b ready"}, "", "a b", OutcomeOffline},
		{"two nodes at once, the third has one", "a online", []string{"b ready", "c ready"}, "", "a b", OutcomeDegraded},
		{"two of three, the third may not take over", "a online", []string{"b ready", "c ready!"}, "", "a b", OutcomeOffline},
		{"a node that nobody names", "? online", nil, "", "a", OutcomeUnknown},
		{"the replica's node is not named, the master goes", "a online", []string{"? ready"}, "", "a", OutcomeUnknown},
		{"the replica's node is not named, the master stays", "b online", []string{"? ready"}, "", "a", ""},
		{"neither is named", "? online", []string{"? ready"}, "", "a", OutcomeUnknown},
		{"no status yet", "", nil, "", "a", OutcomeUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			nodes := map[string]bool{}
			for _, id := range strings.Fields(tc.nodes) {
				nodes[id] = true
			}
			var got Outcome
			if all := Drain([]v1.Volume{vol("v", tc.master, tc.replicas, tc.attached)}, nodes); len(all) == 1 {
				got = all[0].Outcome
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// More copies than are wanted: one may go. Without the label all that are listed are wanted.
func TestDrainWanted(t *testing.T) {
	t.Parallel()
	for replicas, want := range map[string]Outcome{"1": OutcomeMoved, "2": OutcomeDegraded, "": OutcomeDegraded, "0": OutcomeMoved} {
		r := vol("v", "a online", []string{"b ready", "c ready"}, "")
		r.Spec.ConfigLabels[labelReplicas] = replicas
		if replicas == "" {
			r.Spec.ConfigLabels = nil
		}
		if all := Drain([]v1.Volume{r}, map[string]bool{"c": true}); len(all) != 1 || all[0].Outcome != want {
			t.Errorf("%s replicas: %+v, want %s", replicas, all, want)
		}
	}
}

// The worst comes first, then by claim.
func TestDrainOrder(t *testing.T) {
	t.Parallel()
	claimed := func(r v1.Volume, namespace, name string) v1.Volume {
		r.Status.PersistentVolume = &v1.PersistentVolumeStatus{Claim: &v1.ClaimReference{Namespace: namespace, Name: name}}
		return r
	}
	records := []v1.Volume{
		vol("moved", "b online", nil, "a"), claimed(vol("degraded-2", "a online", []string{"b ready"}, ""), "team", "b"),
		vol("unknown", "? online", nil, ""), claimed(vol("degraded-1", "a online", []string{"b ready"}, ""), "team", "a"),
		vol("offline", "a online", nil, "a"), vol("elsewhere", "b online", nil, ""),
	}
	var got []string
	for _, d := range Drain(records, map[string]bool{"a": true}) {
		got = append(got, d.Record.Name)
	}
	if diff := cmp.Diff([]string{"offline", "unknown", "degraded-1", "degraded-2", "moved"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing is concluded from records that may not be true.
func TestDoubts(t *testing.T) {
	t.Parallel()
	now := time.Unix(100000, 0)
	good := Heartbeat{Cluster: "c1", Completed: now.Add(-Fresh), Recorded: now.Add(-Fresh)}
	for name, tc := range map[string]struct {
		change func(*Heartbeat, *v1.Volume)
		want   string // "": none
	}{
		"nothing":                        {func(*Heartbeat, *v1.Volume) {}, ""},
		"a stale Lease":                  {func(h *Heartbeat, _ *v1.Volume) { h.Completed = h.Completed.Add(-time.Second) }, "last listed completely 1m1s ago"},
		"a Lease that is ahead":          {func(h *Heartbeat, _ *v1.Volume) { h.Completed = now.Add(time.Hour) }, "1h0m0s behind"},
		"of a clock that is ahead":       {func(h *Heartbeat, _ *v1.Volume) { h.Completed, h.Ahead = now, 2*Fresh }, "last listed completely 2m0s ago"},
		"of one that is, and new":        {func(h *Heartbeat, _ *v1.Volume) { h.Completed, h.Ahead = now.Add(time.Hour), time.Hour }, ""},
		"another cluster":                {func(h *Heartbeat, _ *v1.Volume) { h.Cluster = "c2" }, `1 record is not of the cluster that was listed, "c2"`},
		"a record of none":               {func(_ *Heartbeat, r *v1.Volume) { r.Annotations = nil }, "1 record is not of"},
		"a cluster of none":              {func(h *Heartbeat, _ *v1.Volume) { h.Cluster = "" }, "1 record is not of"},
		"neither says":                   {func(h *Heartbeat, r *v1.Volume) { h.Cluster, r.Annotations = "", nil }, "does not tell which cluster"},
		"a Lease that is a little ahead": {func(h *Heartbeat, _ *v1.Volume) { h.Completed = now.Add(5 * time.Second) }, ""},
		"a Lease that is more than that": {func(h *Heartbeat, _ *v1.Volume) { h.Completed = now.Add(6 * time.Second) }, "6s behind"},
		"old by less than is shown":      {func(h *Heartbeat, _ *v1.Volume) { h.Completed = now.Add(-Fresh - time.Millisecond) }, "1m0s ago"},
		"terminating":                    {func(_ *Heartbeat, r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: now} }, "1 record is being deleted"},
		"unwritten":                      {func(h *Heartbeat, _ *v1.Volume) { h.Unwritten = 2 }, "2 records could not be written"},
		"held":                           {func(h *Heartbeat, _ *v1.Volume) { h.Held = 3 }, "3 records are held"},
		"invalid":                        {func(h *Heartbeat, _ *v1.Volume) { h.Invalid = 2 }, "2 volumes or PersistentVolumes cannot be recorded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, r := good, vol("v", "a online", nil, "")
			tc.change(&h, &r)
			got := strings.Join(Doubts([]v1.Volume{r}, h, now), "; ")
			if !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Whose volumes are not listed is counted, unless they are exactly those that are proven gone.
func TestWaiting(t *testing.T) {
	t.Parallel()
	record := func(uid types.UID, absent bool) v1.Volume {
		r := vol(string(uid), "a online", nil, "")
		if r.UID = uid; absent {
			r.Annotations[v1.AnnotationAbsentSince] = "2026-01-02T03:04:05Z"
		}
		return r
	}
	there, a, b := record("there", false), record("a", true), record("b", true)
	const others = "the records that say that their volumes are absent are not those whose volumes are proven gone"
	for name, tc := range map[string]struct {
		records []v1.Volume
		kept    []types.UID
		want    string
	}{
		"all are there":             {records: []v1.Volume{there}},
		"one is absent":             {[]v1.Volume{there, a}, nil, "1 record waits for the proof that its volume is gone"},
		"two are":                   {[]v1.Volume{a, there, b}, nil, "2 records wait for the proof that their volumes are gone"},
		"it is proven gone":         {[]v1.Volume{there, a}, []types.UID{"a"}, ""},
		"both are":                  {[]v1.Volume{a, there, b}, []types.UID{"b", "a"}, ""},
		"one of them is":            {[]v1.Volume{a, b}, []types.UID{"a"}, others},
		"another is":                {[]v1.Volume{a}, []types.UID{"b"}, others},
		"it has lost its mark":      {[]v1.Volume{there}, []types.UID{"there"}, others},
		"its record has gone":       {[]v1.Volume{there}, []types.UID{"a"}, others},
		"it has got another record": {[]v1.Volume{record("a2", true)}, []types.UID{"a"}, others},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h Heartbeat
			for _, uid := range tc.kept {
				h.Kept += SumOfOne(uid)
			}
			if got := Waiting(tc.records, h); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// What was listed a minute ago has to be recorded.
func TestLag(t *testing.T) {
	t.Parallel()
	now := time.Unix(100000, 0)
	for recorded, want := range map[time.Time]string{
		now:                              "",
		now.Add(-Fresh):                  "",
		now.Add(-Fresh - 20*time.Second): "what was listed in the last 1m20s is not all recorded yet",
		now.Add(5 * time.Second):         "",
		now.Add(6 * time.Second):         "the clock here is 6s behind the controller's",
		{}:                               "what was listed is not all recorded yet, or not any more",
	} {
		if got := Lag(Heartbeat{Recorded: recorded}, now); got != want {
			t.Errorf("recorded as of %v: %q, want %q", recorded, got, want)
		}
		if recorded.IsZero() {
			continue
		}
		if got := Lag(Heartbeat{Recorded: recorded.Add(time.Hour), Ahead: time.Hour}, now); got != want {
			t.Errorf("recorded as of %v by a clock that is ahead: %q, want %q", recorded, got, want)
		}
	}
}

// What volumes tell of nodes.
func TestNodes(t *testing.T) {
	t.Parallel()
	records := []v1.Volume{
		vol("v1", "a online", []string{"b ready"}, "a"),
		vol("v2", "a online", nil, "c"),
		vol("v3", "b offline", []string{"d ready"}, ""),
		vol("v4", "d online", []string{"b syncing", "e failed", "? failed"}, ""),
		vol("v5", "", nil, ""),
	}
	for id, copies := range map[string][]string{"v6": {"f online", "b ready"}, "v7": {"f offline", "d ready"}} {
		absent := vol(id, copies[0], copies[1:], "")
		absent.Annotations[v1.AnnotationAbsentSince], absent.Status.Health = "2026-01-02T03:04:05Z", v1.HealthUnknown
		records = append(records, absent)
	}
	records[1].Status.Master.Hostname = "new-a"
	want := []Node{
		{ID: "a", Host: "host-a", hosts: map[string]int{"host-a": 1, "new-a": 1}, Masters: 2, Attached: 1, Usable: 2, LastCopies: 1, Health: v1.HealthHealthy},
		{ID: "b", Host: "host-b", Masters: 1, Replicas: 3, Degraded: 2, Usable: 1, Health: v1.HealthDegraded},
		{ID: "c", Host: "host-c", Attached: 1, Health: v1.HealthUnknown},
		{ID: "d", Host: "host-d", Masters: 1, Replicas: 2, Degraded: 2, Usable: 2, LastCopies: 2, Health: v1.HealthHealthy},
		{ID: "e", Host: "host-e", Replicas: 1, Degraded: 1, Health: v1.HealthOffline},
		{ID: "f", Host: "host-f", Masters: 2, Health: v1.HealthUnknown},
	}
	got := Nodes(records)
	for i := range got {
		got[i].ailing, got[i].unknown = 0, 0
		if len(got[i].hosts) == 1 {
			got[i].hosts = nil
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Node{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
