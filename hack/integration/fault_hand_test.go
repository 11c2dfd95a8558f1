package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// patch changes a record by hand.
func (e *env) patch(name, patch string) {
	e.t.Helper()
	_, err := e.records.StorageOSV1().Volumes().Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	e.must(err)
}

// A hand writes what the API server takes and no typed client can read, while the
// controller runs and while it does not.
func TestFaultUnreadable(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 3, CSI: -1})
	spoil := func() {
		e.t.Helper()
		for _, f := range filled[:2] {
			e.must(e.records.StorageOSV1().RESTClient().Patch(types.MergePatchType).Resource("volumes").Name(f.Name).SubResource("status").
				Body([]byte(`{"status":{"conditions":[{"type":"Present","status":"True","reason":"Listed","message":"","lastTransitionTime":"2026-01-02t03:04:05z"}]}}`)).
				Do(context.Background()).Error())
		}
	}
	size := uint64(5 << 30)
	change := func() { // of the one whose record is whole
		size += 1 << 30
		e.must(e.sim.UpdateVolume(filled[2].NamespaceID, filled[2].ID, func(v *simulator.Volume) { v.SizeBytes = size }))
	}
	right := func() error {
		for i, f := range filled {
			if err := e.want(f.ID, func(r *v1.Volume) bool {
				return len(r.Status.Conditions) == 3 && (i < 2 || r.Spec.SizeBytes == int64(size))
			}); err != nil {
				return err
			}
		}
		return nil
	}
	change()
	c := e.controller()
	e.eventually("3 records", 20*time.Second, right)
	c.stop()
	spoil()
	if _, err := e.record(filled[0].ID); err == nil {
		e.t.Error("the record can be read")
	}
	change()
	begun := time.Now()
	c = e.controller()
	e.eventually("what it finds is mended", 20*time.Second, right)
	healed(t, "Input: a record that no typed client can read, at start", "the others are recorded", begun)
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	spoil()
	change()
	begun = time.Now()
	e.eventually("what it hears of is mended", 15*time.Second, right)
	healed(t, "Input: a record that no typed client can read", "the others are recorded", begun)
}

// What a hand may do to a record.
func TestFaultHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 4, CSI: 4})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("4 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	volumes := e.records.StorageOSV1().Volumes()

	f := filled[0]
	for name, label := range map[string]string{"to nonsense": `"nonsense"`, "away": "null"} {
		t.Run("the identity is edited "+name, func(t *testing.T) {
			e.patch(f.Name, `{"metadata":{"labels":{"`+v1.LabelVolumeID+`":`+label+`}}}`)
			begun := time.Now()
			eventually(t, "it is mended", 15*time.Second, func() error {
				return e.want(f.ID, func(r *v1.Volume) bool { return r.Name == f.Name })
			})
			healed(t, "Input: a hand edits the identity of a record "+name, "it is found by status.volumeId", begun)
			if n := len(e.all()); n != 4 {
				t.Errorf("%d records", n)
			}
		})
	}
	t.Run("labels, annotations and conditions of others stay", func(t *testing.T) {
		e.patch(f.Name, `{"metadata":{"labels":{"theirs":"l"},"annotations":{"theirs":"a"}}}`)
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 }))
		eventually(t, "the record follows", 15*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool {
				return r.Spec.SizeBytes == 77<<30 && r.Labels["theirs"] == "l" && r.Annotations["theirs"] == "a"
			})
		})
	})
	t.Run("a finalizer of somebody else", func(t *testing.T) {
		f := filled[1]
		e.patch(f.Name, `{"metadata":{"finalizers":["example.com/mine"]}}`)
		e.must(volumes.Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
		before, err := e.record(f.ID)
		e.must(err)
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 }))
		c.polls(4)
		after, err := e.record(f.ID)
		e.must(err)
		if after.ResourceVersion != before.ResourceVersion {
			t.Error("a terminating record was written")
		}
		e.patch(f.Name, `{"metadata":{"finalizers":null}}`)
		eventually(t, "it is made again", 15*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.UID != after.UID && r.Spec.SizeBytes == 77<<30 })
		})
	})
	t.Run("an orphan behind a finalizer is deleted once", func(t *testing.T) {
		f := filled[2]
		e.patch(f.Name, `{"metadata":{"finalizers":["example.com/mine"]}}`)
		deletes := c.metric("storageos_volume_writes_total", "delete")
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		eventually(t, "it is terminating", 15*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.DeletionTimestamp != nil })
		})
		c.polls(4)
		if n := c.metric("storageos_volume_writes_total", "delete") - deletes; n != 1 {
			t.Errorf("%v deletions", n)
		}
		e.patch(f.Name, `{"metadata":{"finalizers":null}}`)
		eventually(t, "it is gone", 15*time.Second, func() error {
			if _, err := e.record(f.ID); err == nil {
				return fmt.Errorf("it is there")
			}
			return nil
		})
	})
	t.Run("two PersistentVolumes with one handle", func(t *testing.T) {
		f := filled[3]
		e.persistentVolume(f)
		second := f
		second.Name += "-second"
		e.persistentVolume(second)
		joined := func(name string) func() error {
			return func() error {
				return e.want(f.ID, func(r *v1.Volume) bool {
					return r.Status.PersistentVolume != nil && r.Status.PersistentVolume.Name == name
				})
			}
		}
		eventually(t, "the older one counts", 15*time.Second, joined(f.Name))
		_, err := e.kube.CoreV1().PersistentVolumes().Patch(context.Background(), second.Name, types.MergePatchType,
			[]byte(`{"spec":{"claimRef":{"namespace":"default","name":"data","uid":"u","kind":"PersistentVolumeClaim","apiVersion":"v1"}},"status":{"phase":"Bound"}}`), metav1.PatchOptions{}, "status")
		e.must(err)
		e.deletePersistentVolume(f.Name)
		eventually(t, "then the other", 15*time.Second, joined(second.Name))
	})
}
