package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// A leader names what is orphaned or held, with the names that it goes by, and no
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
	r.put(t, nil, &state.Record{Name: "record-a", LabelID: "a"})
	r.put(t, &state.PV{PVSummary: state.PVSummary{Name: "pv-b"}, VolumeID: "b"}, &state.Record{Name: "record-b", StatusID: "b"})
	if all, _ := r.Concerns(10); all != nil {
		t.Errorf("a standby names %v", all)
	}
	r.leading.Store(true)
	want := []Concern{
		{Kind: ConcernHeld, VolumeID: "b", Record: "record-b", PersistentVolume: "pv-b", Why: policy.HeldMass},
		{Kind: metrics.OrphanMissing, VolumeID: "b", Record: "record-b", PersistentVolume: "pv-b"},
		{Kind: metrics.OrphanRecord, VolumeID: "c"},
		{Kind: metrics.OrphanUnclaimed, VolumeID: "a", Record: "record-a"},
	}
	for most, want := range map[int][]Concern{10: want, 2: want[:2], 0: {}} {
		all, holding := r.Concerns(most)
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("up to %d (-want +got):\n%s", most, diff)
		}
		if holding != "" {
			t.Errorf("held as a whole: %s", holding)
		}
	}
}
