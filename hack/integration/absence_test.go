package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// lose takes volumes out of StorageOS: no list shows them, and whoever asks for one
// by its ID is told that it is not there. What it returns puts them back as they were.
func (e *env) lose(lost ...simulator.Filled) (back func()) {
	e.t.Helper()
	var kept []simulator.Volume
	for _, f := range lost {
		v, err := e.sim.Volume(f.NamespaceID, f.ID)
		e.must(err)
		kept = append(kept, v)
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
	}
	return func() {
		for _, v := range kept {
			e.must(e.sim.SetVolume(v))
		}
	}
}

// hide has so many lists lack volumes that are there, and whoever asks for one volume
// by its ID is told that it is not there, until show is called.
func (e *env) hide(lists int, hidden ...simulator.Filled) (show func()) {
	e.t.Helper()
	isHidden := func(v map[string]any) bool {
		return slices.ContainsFunc(hidden, func(f simulator.Filled) bool { return f.ID == v["id"] })
	}
	showLists := e.sim.AddFault(simulator.Fault{
		Match: simulator.Match{Call: simulator.CallVolumes}, Count: lists,
		Effect: simulator.Body(func(body []byte) []byte {
			var all []map[string]any
			e.must(json.Unmarshal(body, &all))
			body, err := json.Marshal(slices.DeleteFunc(all, isHidden))
			e.must(err)
			return body
		}),
	})
	showOne := e.sim.AddFault(simulator.Fault{
		Match: simulator.Match{Call: simulator.CallVolume}, Count: simulator.Always,
		Effect: simulator.Status(404, "no such volume"),
	})
	return func() { showLists(); showOne() }
}

// bind makes the PersistentVolume of each volume and a claim of the same name, and
// waits until the controller manager has bound them.
func (e *env) bind(all ...simulator.Filled) {
	e.t.Helper()
	needsControllerManager(e.t)
	for _, f := range all {
		e.persistentVolume(f)
		class := "storageos"
		_, err := e.kube.CoreV1().PersistentVolumeClaims("default").Create(context.Background(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: f.Name},
			Spec: corev1.PersistentVolumeClaimSpec{
				VolumeName: f.Name, StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceStorage: *resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI),
				}},
			},
		}, metav1.CreateOptions{})
		e.must(err)
	}
	e.eventually("the PersistentVolumes are bound", 30*time.Second, func() error { return e.phase(corev1.VolumeBound, all...) })
}

// release deletes the claims of volumes, and waits until their PersistentVolumes are
// released.
func (e *env) release(all ...simulator.Filled) {
	e.t.Helper()
	for _, f := range all {
		e.must(e.kube.CoreV1().PersistentVolumeClaims("default").Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
	}
	e.eventually("the PersistentVolumes are released", 30*time.Second, func() error { return e.phase(corev1.VolumeReleased, all...) })
}

// phase is nil if the PersistentVolumes of these volumes are in that phase.
func (e *env) phase(want corev1.PersistentVolumePhase, all ...simulator.Filled) error {
	for _, f := range all {
		pv, err := e.kube.CoreV1().PersistentVolumes().Get(context.Background(), f.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pv.Status.Phase != want {
			return fmt.Errorf("PersistentVolume %s is %s, not %s", f.Name, pv.Status.Phase, want)
		}
	}
	return nil
}

// uids are the UIDs of the records: a record that was deleted and made again has
// another.
func (e *env) uids() map[string]types.UID {
	e.t.Helper()
	uids := map[string]types.UID{}
	for id, r := range e.all() {
		uids[id] = r.UID
	}
	return uids
}

// same is nil if these are the records that there are.
func (e *env) same(uids map[string]types.UID) error {
	if diff := cmp.Diff(uids, e.uids()); diff != "" {
		return fmt.Errorf("other records than before (-before +now):\n%s", diff)
	}
	return nil
}

// unrecorded is nil if none of these volumes has a record.
func (e *env) unrecorded(all ...simulator.Filled) error {
	records := e.all()
	for _, f := range all {
		if r, ok := records[f.ID]; ok {
			return fmt.Errorf("record %s is there", r.Name)
		}
	}
	return nil
}

// marked is nil if the record of each of these volumes says that it is absent.
func (e *env) marked(all ...simulator.Filled) error {
	records := e.all()
	for _, f := range all {
		if records[f.ID].Annotations[v1.AnnotationAbsentSince] == "" {
			return fmt.Errorf("the record of %s has no mark", f.ID)
		}
	}
	return nil
}

// well is nil if every field of each record is right; those of joined have a
// PersistentVolume.
func (e *env) well(filled, joined []simulator.Filled) error {
	records := e.all()
	for _, f := range filled {
		r, ok := records[f.ID]
		if !ok {
			return fmt.Errorf("volume %s has no record", f.ID)
		}
		if mark := r.Annotations[v1.AnnotationAbsentSince]; mark != "" {
			return fmt.Errorf("record %s is marked: %s", r.Name, mark)
		}
		if err := check(e, r, f, slices.Contains(joined, f)); err != nil {
			return err
		}
	}
	return nil
}

// within is the same cluster and StorageOS, used by a subtest: what it starts ends
// with the subtest.
func (e *env) within(t *testing.T) *env {
	in := *e
	in.t = t
	return &in
}

// throughout fails as soon as what should be so for a time is not.
func throughout(t *testing.T, what string, lasts time.Duration, check func() error) {
	t.Helper()
	begun := time.Now()
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for time.Since(begun) < lasts {
		if err := check(); err != nil {
			t.Fatalf("%s: after %v: %v", what, time.Since(begun).Round(time.Millisecond), err)
		}
		<-every.C
	}
}
