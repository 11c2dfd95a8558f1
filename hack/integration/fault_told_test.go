package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// One namespace of StorageOS never answers, so no listing is ever complete. What
// Kubernetes alone tells is in the records all the same, also what it told while nobody
// led; and what becomes of the volumes of the other namespaces is said.
func TestFaultOneNamespaceNeverAnswers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 10, CSI: -1})
	broken := filled[0].NamespaceID // has those of even numbers
	e.bind(filled...)
	c := e.controller()
	offline := func(f simulator.Filled) {
		t.Helper()
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Master.Health = simulator.HealthOffline }))
	}
	e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.recordsSay("Bound", filled...)
	c.polls(1)
	c.stop()

	deleted, released, later := filled[0:2], filled[2:4], filled[4:6]
	e.release(slices.Concat(deleted, released)...)
	e.withdraw(deleted...)
	was, is := filled[7], filled[9]
	offline(was)
	e.sim.AddFault(simulator.Fault{
		Match:  simulator.Match{Call: simulator.CallVolumes, NamespaceID: broken},
		Effect: simulator.Status(500, "broken"), Count: simulator.Always,
	})
	c = e.controller()
	begun := time.Now()
	t.Run("what Kubernetes tells", func(t *testing.T) {
		e := e.within(t)
		e.recordsSay("Released", released...)
		e.recordsSay("NoPersistentVolume", deleted...)
		healed(t, "Process: nobody leads while PersistentVolumes are released and deleted, and one namespace of StorageOS never answers",
			"a new leader compares every record with Kubernetes when it begins", begun)
		e.release(later...)
		e.recordsSay("Released", later...)
		e.withdraw(slices.Concat(released, later)...)
		e.recordsSay("NoPersistentVolume", slices.Concat(released, later)...)
	})
	t.Run("what becomes of the other namespaces' volumes", func(t *testing.T) {
		e := e.within(t)
		e.eventually("what was so before is recorded", 15*time.Second, func() error {
			return e.want(was.ID, func(r *v1.Volume) bool { return r.Status.Health == v1.HealthOffline })
		})
		offline(is)
		e.eventually("what goes offline is said", 15*time.Second, func() error { return e.said("VolumeOffline", is.Name) })
		if n := e.events("VolumeOffline", was.Name); n != 0 {
			t.Error("it is said of a volume that was offline before the process began")
		}
	})
	e.eventually("the log names the namespace", 15*time.Second, func() error {
		for line := range strings.Lines(c.log.String()) {
			if strings.Contains(line, "incomplete") && strings.Contains(line, broken) {
				return nil
			}
		}
		return fmt.Errorf("it does not name %s", broken)
	})
	if c.metric("storageos_sync_volume_duration_seconds") != 0 {
		t.Error("a listing was complete")
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// recordsSay waits until the records of these volumes say so of their PersistentVolumes.
func (e *env) recordsSay(reason string, all ...simulator.Filled) {
	e.t.Helper()
	e.eventually("the records say "+reason, 5*time.Second, func() error {
		records := e.all()
		for _, f := range all {
			r := records[f.ID]
			c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound)
			if c == nil || c.Reason != reason || (c.Status == metav1.ConditionTrue) != (reason == "Bound") {
				return fmt.Errorf("record %s: %+v", r.Name, c)
			}
		}
		return nil
	})
}

// withdraw deletes the PersistentVolumes of volumes, and waits until they are gone.
func (e *env) withdraw(all ...simulator.Filled) {
	e.t.Helper()
	for _, f := range all {
		e.deletePersistentVolume(f.Name)
	}
	e.eventually("the PersistentVolumes are gone", 15*time.Second, func() error {
		for _, f := range all {
			_, err := e.kube.CoreV1().PersistentVolumes().Get(context.Background(), f.Name, metav1.GetOptions{})
			if err := gone(err); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
		return nil
	})
}
