package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// A leader names what is not healthy, orphaned or held, the worst first, with the names that it goes by, and no
// more than is asked for; a standby names nothing.
func TestConcerns(t *testing.T) {
	t.Parallel()
	r, err := NewReconciler(Options{
		Settings: DefaultSettings(), StorageOS: storageostest.New(nil), Records: &memory{records: map[string]*v1.Volume{}},
		Events: silent{}, Metrics: metrics.New(), Kubernetes: struct{ kubernetes.Interface }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, l := range map[string]policy.Gauges{
		"a": {Unclaimed: true}, "b": {Missing: true, Held: policy.HeldMass}, "c": {Orphan: true}, "d": {},
	} {
		r.tracker.update(id, time.Now(), func(old policy.Memory, _ *policy.Breaker) policy.Memory {
			old.Gauges = l
			old.Reported = "so that it is remembered"
			return old
		})
	}
	r.put(t, nil, &state.Record{Name: "record-a", LabelID: "a", ResourceVersion: "5"})
	b := &state.PV{PVSummary: state.PVSummary{Name: "pv-b", ClaimNamespace: state.Intern("shop"), ClaimName: "data"}, VolumeID: "b"}
	r.put(t, b, &state.Record{Name: "record-b", StatusID: "b", Summary: state.Summary{Mark: state.MarkAt(noon)}})
	lists(t, r, map[string]record.HealthStatus{
		"a": record.NewHealthStatus(v1.HealthHealthy, "2/2"), "e": record.NewHealthStatus(v1.HealthDegraded, "1/2"),
		"f": record.NewHealthStatus(v1.HealthDegraded, "2/3"), "g": record.NewHealthStatus(v1.HealthOffline, "0/1"),
		"h": record.NewHealthStatus(v1.HealthUnknown, "0/2"),
	})
	r.put(t, nil, recordOf("e", "shop", "cart", record.NewHealthStatus(v1.HealthDegraded, "1/2")))
	r.put(t, nil, recordOf("f", "bank", "ledger", record.NewHealthStatus(v1.HealthHealthy, "3/3"))) // it is not written yet
	if all, _ := r.Concerns(10); all != nil || r.Volumes() != nil {
		t.Errorf("a standby names %v, and counts", all)
	}
	r.leading.Store(true)
	want := []Concern{
		{Kind: "Offline", VolumeID: "g", Why: "the master is offline, so the volume cannot be used; 0 of 1 wanted copies are usable"},
		{Kind: metrics.OrphanMissing, VolumeID: "b", Record: "record-b", PersistentVolume: "pv-b", ClaimNamespace: "shop", Claim: "data",
			Why: "StorageOS does not have the volume that the PersistentVolume refers to", Since: noon},
		{Kind: "Degraded", VolumeID: "f", Record: "record-f", ClaimNamespace: "bank", Claim: "ledger", Why: "only 2 of 3 wanted copies are usable"},
		{Kind: "Degraded", VolumeID: "e", Record: "record-e", ClaimNamespace: "shop", Claim: "cart", Why: "only 1 of 2 wanted copies is usable", Since: noon},
		{Kind: "Unknown", VolumeID: "h", Why: "StorageOS does not know how the master is; 0 of 2 wanted copies are usable"},
		{Kind: ConcernHeld, VolumeID: "b", Record: "record-b", PersistentVolume: "pv-b", ClaimNamespace: "shop", Claim: "data", Why: policy.HeldMass, Since: noon},
		{Kind: metrics.OrphanRecord, VolumeID: "c", Why: "the volume is proven gone, and its record is to be deleted"},
		{Kind: metrics.OrphanUnclaimed, VolumeID: "a", Record: "record-a", Version: "5", Why: record.Unclaimed.Message},
	}
	cut := []Concern{want[0], want[1], want[3]} // of what is Degraded there is room for e, before f
	for most, want := range map[int][]Concern{10: want, 4: want[:4], 3: cut, 2: want[:2], 0: {}} {
		all, holding := r.Concerns(most)
		if diff := cmp.Diff(want, all, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("up to %d (-want +got):\n%s", most, diff)
		}
		if holding != "" {
			t.Errorf("held as a whole: %s", holding)
		}
	}
	counts := map[v1.Health]int{v1.HealthHealthy: 1, v1.HealthDegraded: 2, v1.HealthOffline: 1, v1.HealthUnknown: 2} // with the one that is invalid
	if diff := cmp.Diff(counts, r.Volumes()); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
}

// What is explained is what is shown, however many volumes are not well.
func TestConcernsOfMany(t *testing.T) { // not parallel: allocations are counted for the whole process
	const most = 200
	allocations := func(volumes int) float64 {
		r := keepAll(t, 0)
		r.leading.Store(true)
		unwell := map[string]record.HealthStatus{}
		for n := range volumes {
			unwell[fmt.Sprintf("v%06d", n)] = record.NewHealthStatus(v1.HealthDegraded, "1/2")
		}
		lists(t, r, unwell)
		if all, _ := r.Concerns(most); len(all) != most || all[0].VolumeID != "v000000" || all[most-1].VolumeID != fmt.Sprintf("v%06d", most-1) {
			t.Errorf("of %d volumes %d are named", volumes, len(all))
		}
		return testing.AllocsPerRun(3, func() { r.Concerns(most) })
	}
	few, many := allocations(most), allocations(100000)
	if many > few+100 {
		t.Errorf("%.0f allocations where 100,000 volumes are not well, %.0f where %d are", many, few, most)
	}
}

// lists has a reconciler know volumes as a complete listing shows them.
func lists(t *testing.T, r *Reconciler, volumes map[string]record.HealthStatus) {
	t.Helper()
	l := &source.Listing{Begun: time.Now(), Cluster: "cluster", Verified: true}
	reading := r.view.Read(l, "ns")
	for id, health := range volumes {
		reading.Show(id, 1)
		reading.Store(id, 1, state.Digest{Content: 1, Health: state.Intern(health)}, "")
	}
	reading.Show("invalid", 1)
	reading.Store("invalid", 1, state.Digest{}, "it is too large") // nobody knows its health
	reading.Close(storageos.Fingerprint{}, true)
	r.view.End(l, true)
}

// recordOf is the record of a volume, which says that its health became what it is at noon.
func recordOf(id, namespace, claim string, health record.HealthStatus) *state.Record {
	v := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "record-" + id, Labels: map[string]string{v1.LabelVolumeID: id}}}
	v.Status.PersistentVolume = &v1.PersistentVolumeStatus{Claim: &v1.ClaimReference{Namespace: namespace, Name: claim}}
	health.Apply(v, noon)
	return state.NewRecord(v)
}
