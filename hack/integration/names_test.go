package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Which record is whose: two volumes never share one, and a name is kept.
func TestNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.sim.AddNode("worker-1")
	one, two := e.sim.AddNamespace("one"), e.sim.AddNamespace("two")
	add := func(ns, name string) string {
		t.Helper()
		id, err := e.sim.AddVolume(ns, simulator.VolumeSpec{Name: name})
		e.must(err)
		return id
	}
	plain, dash, dots := add(one, "plain"), add(one, "-begins.badly"), add(one, "a..b")
	shared1, shared2 := add(one, "shared"), add(two, "shared")
	taken, half := add(one, "taken"), add(one, "half-written")
	e.legacyRecord("taken", "")                   // somebody else's
	e.legacyRecord("taken-"+taken[:8], "another") // another volume's, though it is gone
	e.halfRecord("another-name", half)
	e.controller("-delete-orphans=false")

	e.eventually("each has a record of its own", 15*time.Second, func() error {
		all := e.all()
		for id, want := range map[string]string{
			plain: "plain", dash: "begins.badly-" + dash[:8], dots: "a.b-" + dots[:8],
			taken: "taken-" + taken, half: "another-name",
		} {
			if r := all[id]; r.Name != want || r.Status.VolumeID != id || r.Spec.SizeBytes == 0 {
				return fmt.Errorf("volume %s has record %q, not %q: %+v", id, r.Name, want, r.Status)
			}
		}
		a, b := all[shared1].Name, all[shared2].Name
		if (a != "shared" || b != "shared-"+shared2[:8]) && (a != "shared-"+shared1[:8] || b != "shared") {
			return fmt.Errorf("the two of one name have records %q and %q", a, b)
		}
		return nil
	})
	r, err := e.records.StorageOSV1().Volumes().Get(context.Background(), "taken", metav1.GetOptions{})
	e.must(err)
	if len(r.Labels)+len(r.Annotations) != 0 || r.Spec.SizeBytes != 0 {
		t.Errorf("the record that is not ours was written: %+v", r)
	}
}

// halfRecord makes a record as it is between the two writes of its creation.
func (e *env) halfRecord(name, volumeID string) {
	e.t.Helper()
	_, err := e.records.StorageOSV1().Volumes().Create(context.Background(), &v1.Volume{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1.LabelVolumeID: volumeID},
	}}, metav1.CreateOptions{})
	e.must(err)
}

// Of two records with one ID the older counts; the copy is left alone, and that
// is said.
func TestCopiedRecord(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 2, CSI: -1})
	c := e.controller()
	e.eventually("2 records", 15*time.Second, func() error { return e.names(filled[0].Name, filled[1].Name) })
	c.polls(2)
	f := filled[0]
	time.Sleep(time.Second) // a record's age is counted in whole seconds
	r, err := e.record(f.ID)
	e.must(err)
	_, err = e.records.StorageOSV1().Volumes().Create(context.Background(), &v1.Volume{
		ObjectMeta: metav1.ObjectMeta{Name: "a-copy", Labels: r.Labels, Annotations: r.Annotations}, Spec: r.Spec,
	}, metav1.CreateOptions{})
	e.must(err)
	e.eventually("the copy is reported", 15*time.Second, func() error {
		if n := e.events("NameConflict", "a-copy"); n != 1 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 }))
	volumes := e.records.StorageOSV1().Volumes()
	e.eventually("the older one follows its volume", 15*time.Second, func() error {
		r, err := volumes.Get(context.Background(), f.Name, metav1.GetOptions{})
		if err == nil && r.Spec.SizeBytes != 77<<30 {
			err = fmt.Errorf("size %d", r.Spec.SizeBytes)
		}
		return err
	})
	copied, err := volumes.Get(context.Background(), "a-copy", metav1.GetOptions{})
	e.must(err)
	if copied.Spec.SizeBytes == 77<<30 || copied.Status.VolumeID != "" {
		t.Errorf("the copy was written: %+v", copied)
	}
}
