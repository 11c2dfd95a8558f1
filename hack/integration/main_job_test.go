package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// check compares a record with its volume, field by field.
func check(e *env, r v1.Volume, f simulator.Filled, pv bool) error {
	v, err := e.sim.Volume(f.NamespaceID, f.ID)
	if err != nil {
		return err
	}
	hosts := map[string]string{}
	for _, n := range e.sim.Nodes() {
		hosts[n.ID] = n.Name
	}
	if diff := cmp.Diff(v.Labels, r.Spec.ConfigLabels); diff != "" {
		return fmt.Errorf("labels: %s", diff)
	}
	if r.Status.Master == nil {
		return fmt.Errorf("record %s has no status yet", r.Name)
	}
	// Two volumes in two namespaces may have one name: one of their records
	// has another.
	got := map[string]string{
		"name": strings.TrimSuffix(r.Name, "-"+f.ID[:8]), "namespace": r.Annotations[v1.AnnotationNamespaceID], "cluster": r.Annotations[v1.AnnotationClusterID],
		"fsType": r.Spec.FsType, "size": fmt.Sprint(r.Spec.SizeBytes), "replicas": fmt.Sprint(r.Spec.Replicas),
		"id": r.Status.VolumeID, "attachedOn": r.Status.AttachedOn, "host": r.Status.AttachedOnHost, "type": r.Status.AttachmentType,
		"master": fmt.Sprint(*r.Status.Master), "listed": fmt.Sprint(len(r.Status.Replicas)), "health": string(r.Status.Health),
		"ready": r.Status.Ready, "present": fmt.Sprint(meta.IsStatusConditionTrue(r.Status.Conditions, v1.ConditionPresent)),
		"healthy": fmt.Sprint(meta.IsStatusConditionTrue(r.Status.Conditions, v1.ConditionHealthy)),
		"joined":  fmt.Sprint(r.Status.PersistentVolume != nil && r.Status.PersistentVolume.Name == f.Name),
	}
	want := map[string]string{
		"name": v.Name, "namespace": f.NamespaceID, "cluster": e.sim.ClusterID(),
		"fsType": v.FSType, "size": fmt.Sprint(v.SizeBytes), "replicas": fmt.Sprint(f.Replicas),
		"id": v.ID, "attachedOn": v.AttachedOn, "host": hosts[v.AttachedOn], "type": v.AttachmentType,
		"master": fmt.Sprint(v1.Master{Health: v.Master.Health, Hostname: hosts[v.Master.NodeID], ID: v.Master.ID, NodeID: v.Master.NodeID, Promotable: v.Master.Promotable}),
		"listed": fmt.Sprint(len(v.Replicas)), "health": "Healthy",
		"ready": fmt.Sprintf("%d/%d", 1+f.Replicas, 1+f.Replicas), "present": "true",
		"healthy": "true", "joined": fmt.Sprint(pv),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("record %s (-want +got):\n%s", r.Name, diff)
	}
	return nil
}

func boundReason(r *v1.Volume) string {
	if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c != nil {
		return c.Reason
	}
	return ""
}

// 300 volumes are recorded with every field right within 15 s; then nothing is
// written any more; then what changes is healed.
func TestMainJob(t *testing.T) { // not parallel: what it promises is for a machine of its own
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 6, Nodes: 4, Volumes: 300, CSI: 250})
	for _, f := range filled[:250] {
		e.persistentVolume(f)
	}
	c := e.controller("-progress-interval", "1h")
	promptly(t, "300 records are right", 15*time.Second, func() error {
		all := e.all()
		for i, f := range filled {
			r, ok := all[f.ID]
			if !ok {
				return fmt.Errorf("%d records of 300", len(all))
			}
			if err := check(e, r, f, i < 250); err != nil {
				return err
			}
		}
		return nil
	})
	e.eventually("volumes without a PersistentVolume are unclaimed", 15*time.Second, func() error {
		if n := c.metric("storageos_volume_orphans", "unclaimed_volume"); n != 50 {
			return fmt.Errorf("%v of 50", n)
		}
		return nil
	})
	// The controller manager takes its time to make 250 PersistentVolumes
	// available; each is a change.
	e.eventually("the queue comes to rest", time.Minute, func() error {
		return c.atRest(2)
	})

	t.Run("steady state", func(t *testing.T) {
		before, writes, adds := e.versions(), c.metric("storageos_volume_writes_total"), c.metric("workqueue_adds_total")
		c.polls(10)
		if diff := cmp.Diff(before, e.versions()); diff != "" {
			t.Errorf("records were rewritten:\n%s", diff)
		}
		if now := c.metric("storageos_volume_writes_total"); now != writes {
			t.Errorf("%v writes", now-writes)
		}
		if now := c.metric("workqueue_adds_total"); now != adds {
			t.Errorf("%v keys queued", now-adds)
		}
	})

	t.Run("a replica syncs", func(t *testing.T) { // how far it has come is written once an hour here
		f := filled[slices.IndexFunc(filled, func(f simulator.Filled) bool { return f.Replicas > 0 })]
		before := c.metric("storageos_volume_writes_total")
		for left := range uint64(10) {
			e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) {
				v.Replicas[0].SyncProgress = &simulator.SyncProgress{BytesRemaining: left + 1, ThroughputBytes: 1, EstimatedSecondsRemaining: left + 1}
			}))
			c.polls(1)
		}
		e.must(c.atRest(2))
		if n := c.metric("storageos_volume_writes_total") - before; n != 1 {
			t.Errorf("%v writes for 10 steps of its progress within the hour", n)
		}
	})

	f := filled[0]
	t.Run("a volume changes", func(t *testing.T) {
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 }))
		promptly(t, "the record follows", 3*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool {
				return r.Spec.SizeBytes == 77<<30 && r.Status.Capacity.String() == "77Gi"
			})
		})
	})
	t.Run("a volume degrades and recovers", func(t *testing.T) {
		for _, step := range []struct{ master, event string }{{"offline", "VolumeOffline"}, {"online", "VolumeHealthy"}} {
			e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Master.Health = step.master }))
			e.eventually(step.event, 5*time.Second, func() error {
				if n := e.events(step.event, f.Name); n != 1 {
					return fmt.Errorf("%d events", n)
				}
				return nil
			})
		}
	})
	t.Run("a PersistentVolume goes and comes", func(t *testing.T) {
		e.deletePersistentVolume(f.Name)
		e.eventually("that is seen at once", time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return boundReason(r) == "NoPersistentVolume" })
		})
		e.eventually("it is unclaimed", 10*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool {
				return boundReason(r) == "Unclaimed" && r.Status.PersistentVolume == nil
			})
		})
		e.eventually("that is said", 5*time.Second, func() error {
			if n := e.events("VolumeUnclaimed", f.Name); n != 1 {
				return fmt.Errorf("%d events", n)
			}
			return nil
		})
		e.persistentVolume(f)
		e.eventually("it is joined again", time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.Status.PersistentVolume != nil })
		})
	})
	t.Run("a record is edited by hand", func(t *testing.T) {
		_, err := e.records.StorageOSV1().Volumes().Patch(context.Background(), f.Name, types.MergePatchType,
			[]byte(`{"spec":{"sizeBytes":1,"configLabels":{"mine":"x"}}}`), metav1.PatchOptions{})
		e.must(err)
		e.eventually("it is mended", time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool {
				return r.Spec.SizeBytes == 77<<30 && r.Spec.ConfigLabels["mine"] == ""
			})
		})
	})
	t.Run("a record is deleted by hand", func(t *testing.T) {
		e.must(e.records.StorageOSV1().Volumes().Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
		e.eventually("it is made again", time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.Status.VolumeID == f.ID })
		})
	})
	t.Run("a volume goes", func(t *testing.T) {
		begun := time.Now()
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		e.eventually("its record goes", 10*time.Second, func() error {
			if _, err := e.record(f.ID); err == nil {
				return fmt.Errorf("it is there")
			}
			return nil
		})
		if took := time.Since(begun); took < 2*time.Second {
			t.Errorf("it went after %v, before the grace was over", took)
		}
		e.eventually("the PersistentVolume says so", 5*time.Second, func() error {
			if n := e.events("VolumeMissing", f.Name); n != 1 {
				return fmt.Errorf("%d events", n)
			}
			return nil
		})
		if n := c.metric("storageos_delete_volume_duration_seconds"); n != 1 {
			t.Errorf("%v deletions were measured", n)
		}
	})
}
