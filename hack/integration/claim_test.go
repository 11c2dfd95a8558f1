package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// claimed tells whether a record names a claim, its PersistentVolume, its size and
// the health of a volume with one replica.
func claimed(claim, pv, capacity string) func(*v1.Volume) bool {
	return func(r *v1.Volume) bool {
		p := r.Status.PersistentVolume
		return p != nil && p.Name == pv && p.Phase == string(corev1.VolumeBound) &&
			p.Claim != nil && p.Claim.Namespace == "default" && p.Claim.Name == claim &&
			r.Status.Capacity.String() == capacity && r.Status.Health == v1.HealthHealthy && r.Status.Ready == "2/2" &&
			boundReason(r) == "Bound"
	}
}

// handle is what the PersistentVolume of a claim says of its volume.
func handle(pv *corev1.PersistentVolume) (namespaceID, id string) {
	namespaceID, id, _ = strings.Cut(pv.Spec.CSI.VolumeHandle, "/")
	return namespaceID, id
}

// The demo's claim becomes a bound PersistentVolume and a record, grows, and goes
// as it came: volume, PersistentVolume, record, and nobody is alarmed.
func TestClaim(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	controller := c.controller("-api-poll-interval", "5s")
	c.kubectl("apply", "-f", "../demo/claim.yaml")
	pv := c.bound("my-data")
	listings := func() float64 { return controller.metric("storageos_sync_volume_duration_seconds") }
	before := listings()
	r := c.recorded("it is recorded", pv.Name, claimed("my-data", pv.Name, "5Gi"))
	// One may have been under way when the volume was made.
	if n := listings() - before; n > 2 {
		t.Errorf("it was recorded after %v listings", n)
	}
	namespaceID, id := handle(pv)
	v, err := c.sim.Volume(namespaceID, id)
	c.must(err)
	if r.Status.VolumeID != id || r.Annotations[v1.AnnotationNamespaceID] != namespaceID || v.Name != pv.Name || v.FSType != "ext4" {
		t.Errorf("record %+v %+v of volume %+v", r.ObjectMeta, r.Status, v)
	}
	for name, value := range map[string]string{
		simulator.LabelPVName: pv.Name, simulator.LabelPVCName: "my-data", simulator.LabelPVCNamespace: "default",
		simulator.LabelReplicas: "1",
	} {
		if r.Spec.ConfigLabels[name] != value || v.Labels[name] != value {
			t.Errorf("label %s is %q in the record, %q in StorageOS, want %q", name, r.Spec.ConfigLabels[name], v.Labels[name], value)
		}
	}

	c.grow("my-data", "6Gi")
	c.recorded("it grows", pv.Name, claimed("my-data", pv.Name, "6Gi"))
	c.eventually("the claim says so", 30*time.Second, func() error {
		return c.want(id, func(*v1.Volume) bool {
			pvc, err := c.kube.CoreV1().PersistentVolumeClaims("default").Get(context.Background(), "my-data", metav1.GetOptions{})
			return err == nil && pvc.Status.Capacity.Storage().Cmp(resource.MustParse("6Gi")) == 0
		})
	})

	order := c.watchEnd(t, pv)
	c.deleteClaim("my-data")
	order(time.Minute)
	controller.polls(2)
	c.saidOnly(nil)
}

// watchEnd watches a PersistentVolume and its record. What it returns waits for the
// end of both, and checks that the volume had gone before the one, and that before
// the other.
func (c *claims) watchEnd(t *testing.T, pv *corev1.PersistentVolume) func(within time.Duration) {
	t.Helper()
	ctx := context.Background()
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + pv.Name}
	pvs, err := c.kube.CoreV1().PersistentVolumes().Watch(ctx, only)
	c.must(err)
	records, err := c.records.StorageOSV1().Volumes().Watch(ctx, only)
	c.must(err)
	return func(within time.Duration) {
		t.Helper()
		defer pvs.Stop()
		defer records.Stop()
		timeout := time.After(within)
		for {
			select {
			case e := <-pvs.ResultChan():
				if e.Type != apiwatch.Deleted {
					continue
				}
				_, err := c.sim.Volume(handle(pv))
				if err := gone(err); err != nil {
					t.Errorf("the PersistentVolume went before the volume: %v", err)
				}
			case e := <-records.ResultChan():
				if e.Type != apiwatch.Deleted {
					continue
				}
				_, err := c.kube.CoreV1().PersistentVolumes().Get(ctx, pv.Name, metav1.GetOptions{})
				if err := gone(err); err != nil {
					t.Errorf("the record went before the PersistentVolume: %v", err)
				}
				return
			case <-timeout:
				t.Fatalf("the record did not go within %v", within)
			}
		}
	}
}

// With policy Retain the record outlives the claim, and is unclaimed once somebody
// deletes the PersistentVolume.
func TestClaimRetained(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	controller := c.controller()
	c.claim("kept", retains, nil)
	pv := c.bound("kept")
	c.recorded("it is recorded", pv.Name, claimed("kept", pv.Name, "2Gi"))
	c.deleteClaim("kept")
	c.recorded("it is released", pv.Name, func(r *v1.Volume) bool {
		return r.Status.PersistentVolume.Phase == string(corev1.VolumeReleased) && r.Status.Health == v1.HealthHealthy
	})
	controller.polls(10) // more than the grace
	c.saidOnly(nil)

	c.deletePersistentVolume(pv.Name)
	c.recorded("it is unclaimed", pv.Name, func(r *v1.Volume) bool {
		return boundReason(r) == "Unclaimed" && r.Status.PersistentVolume == nil
	})
	if _, err := c.sim.Volume(handle(pv)); err != nil {
		t.Error(err)
	}
	c.saidOnly(map[string]int{"VolumeUnclaimed": 1})
}

// A volume that was made by hand, and a PersistentVolume of another name for it.
func TestClaimOfStaticVolume(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	ns := c.witness.NamespaceID
	id, err := c.sim.AddVolume(ns, simulator.VolumeSpec{Name: "scratch", SizeBytes: 2 << 30, Replicas: 1})
	c.must(err)
	c.persistentVolume(simulator.Filled{NamespaceID: ns, ID: id, Name: "by-hand", SizeBytes: 2 << 30})
	controller := c.controller()
	c.recorded("it is recorded under the name of its PersistentVolume", "by-hand", func(r *v1.Volume) bool {
		return r.Status.PersistentVolume != nil && r.Status.PersistentVolume.Name == "by-hand" && boundReason(r) == "Available"
	})
	c.claim("mine", deletes, func(pvc *corev1.PersistentVolumeClaim) { pvc.Spec.VolumeName = "by-hand" })
	c.bound("mine")
	r := c.recorded("it is claimed", "by-hand", claimed("mine", "by-hand", "2Gi"))
	if r.Status.VolumeID != id {
		t.Errorf("record %+v", r.Status)
	}
	controller.polls(10)
	if err := c.names("by-hand", c.witness.Name); err != nil {
		t.Error(err)
	}
	c.saidOnly(nil)
}

// A provisioner that has much to do makes PersistentVolumes long after their volumes:
// till then the volumes are unclaimed, but nobody is alarmed.
func TestClaimOfSlowProvisioner(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	controller := c.controller()
	c.recorded("the controller works", c.witness.Name, func(r *v1.Volume) bool { return r.Status.PersistentVolume != nil })
	controller.polls(2)
	made := c.sim.Fill(simulator.FillOptions{Volumes: 10, CSI: 10})
	for _, f := range made[1:] { // the first comes last
		c.persistentVolume(f)
		controller.polls(1)
	}
	c.recorded("the grace is over", made[0].Name, func(r *v1.Volume) bool { return boundReason(r) == "Unclaimed" })
	c.persistentVolume(made[0])
	c.recorded("it is joined", made[0].Name, func(r *v1.Volume) bool { return boundReason(r) == "Available" })
	c.saidOnly(nil)
}
