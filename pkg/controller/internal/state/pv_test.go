package state

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/record"
)

func TestChoosePV(t *testing.T) {
	t.Parallel()
	at := func(name string, age time.Duration, phase corev1.PersistentVolumePhase) *PV {
		return &PV{PVSummary: PVSummary{Name: name, Phase: Intern(phase)}, Created: uint32((1_000*time.Hour - age).Seconds())}
	}
	for name, tc := range map[string]struct {
		all  []*PV
		want string
	}{
		"the bound one": {[]*PV{at("a", time.Hour, corev1.VolumeReleased), at("b", 0, corev1.VolumeBound)}, "b"},
		"the oldest":    {[]*PV{at("a", 0, corev1.VolumeBound), at("b", time.Hour, corev1.VolumeBound)}, "b"},
		"by name":       {[]*PV{at("b", 0, ""), at("a", 0, "")}, "a"},
	} {
		if got := ChoosePV(tc.all); got.Name != tc.want {
			t.Errorf("%s: %s, want %s", name, got.Name, tc.want)
		}
	}
	if ChoosePV(nil) != nil {
		t.Error("one was chosen out of none")
	}
}

// The condition Bound is the same whether its phase was foreseen or not.
func TestBoundOf(t *testing.T) {
	t.Parallel()
	for phase, foreseen := range map[corev1.PersistentVolumePhase]bool{
		"": true, corev1.VolumePending: true, corev1.VolumeAvailable: true, corev1.VolumeBound: true,
		corev1.VolumeReleased: true, corev1.VolumeFailed: true, "Tiered": false,
	} {
		pv := &PV{PVSummary: PVSummary{Phase: Intern(phase)}}
		if got, want := BoundOf(pv).Value(), record.BoundIn(phase); got != want {
			t.Errorf("phase %q: %+v, want %+v", phase, got, want)
		}
		if _, is := boundIn[pv.Phase]; is != foreseen {
			t.Errorf("phase %q is foreseen: %v, want %v", phase, is, foreseen)
		}
	}
}
