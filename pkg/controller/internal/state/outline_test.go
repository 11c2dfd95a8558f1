package state_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// anOutlined is a record as the controller has left it, and its content.
func anOutlined(t *testing.T) (*v1.Volume, record.Content) {
	t.Helper()
	_, c := recordtest.Volume(t)
	for _, host := range []*string{&c.Status.AttachedOnHost, &c.Status.Master.Hostname} {
		*host = "host"
	}
	for i := range c.Status.Replicas {
		c.Status.Replicas[i].Hostname = "host"
	}
	r := recordtest.Written(c, "cluster", &state.PV{PVSummary: state.PVSummary{Name: "pv", ClaimName: "data", Phase: state.Intern(corev1.VolumeBound)}})
	for i := range r.Status.Conditions {
		r.Status.Conditions[i].LastTransitionTime = metav1.Unix(1_700_000_000+int64(i), 0)
	}
	return r, c
}

// A plain record's outline says of its status all that the volume does not decide.
func TestOutline(t *testing.T) {
	t.Parallel()
	r, _ := anOutlined(t)
	r.Labels["other"], r.Annotations["other"], r.Annotations[v1.AnnotationAbsentSince] = "x", "x", "2026-01-02T03:04:05Z"
	got := state.NewRecord(r).Outline()
	want := &v1.Volume{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1.LabelVolumeID: r.Labels[v1.LabelVolumeID]}, Annotations: maps.Clone(r.Annotations),
		},
		Status: v1.VolumeStatus{
			Health: r.Status.Health, Ready: r.Status.Ready, PersistentVolume: r.Status.PersistentVolume, Conditions: r.Status.Conditions,
		},
	}
	delete(want.Annotations, "other")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}
