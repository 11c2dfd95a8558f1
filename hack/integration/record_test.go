package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/recordclient"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// A record as people read it: every field that the replaced program wrote
// stands where it stood, under its name.
func TestDescribe(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	node1, node2 := e.sim.AddNode("worker-1"), e.sim.AddNode("worker-2")
	ns := e.sim.AddNamespace("databases")
	endpoint := "10.0.0.9:2049"
	v := simulator.Volume{
		ID: "8b7c1f3e-5a0d-4c1b-9c39-1d2f3a4b5c6d", Name: "pvc-2f1d", NamespaceID: ns, Description: "orders",
		AttachedOn: node1, AttachmentType: simulator.AttachmentNFS, FSType: "xfs", SizeBytes: 9007199254740995,
		Labels: map[string]string{
			"csi.storage.k8s.io/pv/name": "pvc-2f1d", "csi.storage.k8s.io/pvc/name": "orders",
			"csi.storage.k8s.io/pvc/namespace": "shop", "storageos.com/replicas": "1",
		},
		NFS: &simulator.NFSConfig{ServiceEndpoint: &endpoint, Exports: []simulator.NFSExport{{
			ExportID: 7, Path: "/", PseudoPath: "/orders", ACLs: []simulator.NFSACL{{
				AccessLevel:  "rw",
				Identity:     simulator.NFSIdentity{IdentityType: "cidr", Matcher: "10.0.0.0/8"},
				SquashConfig: simulator.NFSSquashConfig{UID: 65534, GID: 65534, Squash: "root"},
			}},
		}}},
		Master: simulator.Master{ID: "master-1", NodeID: node1, Promotable: true, Health: simulator.HealthOnline},
		Replicas: []simulator.Replica{{
			ID: "replica-1", NodeID: node2, Health: simulator.HealthSyncing,
			SyncProgress: &simulator.SyncProgress{BytesRemaining: 1 << 63, ThroughputBytes: 1000, EstimatedSecondsRemaining: 60},
		}},
	}
	e.must(e.sim.SetVolume(v))
	e.controller()
	e.eventually("it is recorded, and unclaimed", 20*time.Second, func() error {
		return e.want(v.ID, func(r *v1.Volume) bool { return boundReason(r) == "Unclaimed" })
	})

	describe := func(args ...string) (string, error) {
		cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl", "describe", "volumes.api.storageos.com"}, args...)...)
		cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+filepath.Dir(e.kubeconfig))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := describe("pvc-2f1d")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := describe("--nothing"); err == nil || !strings.Contains(out, "unknown flag: --nothing") {
		t.Errorf("kubectl does not say what is wrong: %v: %s", err, out)
	}
	r, err := e.record(v.ID)
	e.must(err)
	got := strings.NewReplacer(
		node1, "NODE-1", node2, "NODE-2", ns, "NAMESPACE", e.sim.ClusterID(), "CLUSTER",
		string(r.UID), "UID", r.CreationTimestamp.UTC().Format(time.RFC3339), "NOW",
	).Replace(stampLines(out))
	want, err := os.ReadFile("testdata/describe.txt")
	e.must(err)
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("kubectl describe (-want +got):\n%s", diff)
	}
	e.readOnce(r)
}

// readOnce checks that the controller's client reads what the API server really writes,
// in an answer and in a watch, without falling back to the generated client's decoder:
// that would read the managed fields too.
func (e *env) readOnce(want *v1.Volume) {
	e.t.Helper()
	if len(want.ManagedFields) == 0 {
		e.t.Error("the generated client reads no managed fields")
	}
	want = want.DeepCopy()
	want.ManagedFields, want.TypeMeta = nil, metav1.TypeMeta{} // a list tells the kind of each of its items
	client, err := recordclient.New(e.config)
	e.must(err)
	answer, err := client.StorageOSV1().Volumes().Get(context.Background(), want.Name, metav1.GetOptions{})
	e.must(err)
	w, err := client.StorageOSV1().Volumes().Watch(context.Background(), metav1.ListOptions{})
	e.must(err)
	defer w.Stop()
	for where, got := range map[string]any{"an answer": answer, "a watch": (<-w.ResultChan()).Object} {
		if diff := cmp.Diff(any(want), got); diff != "" {
			e.t.Errorf("the record in %s (-want +got):\n%s", where, diff)
		}
	}
}

// stampLines blanks what differs from run to run.
func stampLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, key := range []string{"Creation Timestamp:", "Last Transition Time:", "Resource Version:"} {
			if at := strings.Index(line, key); at >= 0 {
				lines[i] = line[:at+len(key)]
			}
		}
	}
	return strings.Join(lines, "\n")
}

// Behind the CRD of the replaced program, which knows none of the added fields,
// its records are adopted, kept true, and not written again and again.
func TestOlderCRD(t *testing.T) {
	t.Parallel()
	e := newBareEnv(t)
	e.applyCRD(olderCRD)
	ns := e.sim.AddNamespace("team")
	e.sim.AddNode("worker-1")
	f := simulator.Filled{NamespaceID: ns, Name: "pvc-old", SizeBytes: 5 << 30}
	var err error
	f.ID, err = e.sim.AddVolume(ns, simulator.VolumeSpec{Name: f.Name, Labels: map[string]string{"csi.storage.k8s.io/pv/name": f.Name}})
	e.must(err)
	orphan := "9d2f3f0c-0000-4000-8000-000000000001"
	e.legacyRecord("kept-by-its-name", f.ID)
	e.legacyRecord("pvc-gone", orphan)
	e.legacyRecord("not-ours", "")
	e.persistentVolume(f)
	e.eventually("the PersistentVolume is as it will be", 30*time.Second, func() error {
		pv, err := e.kube.CoreV1().PersistentVolumes().Get(context.Background(), f.Name, metav1.GetOptions{})
		if err == nil && pv.Status.Phase != corev1.VolumeAvailable {
			err = fmt.Errorf("it is %s", pv.Status.Phase)
		}
		return err
	})
	c := e.controller("-resync-interval", "3s")

	e.eventually("the record is adopted", 15*time.Second, func() error {
		return e.want(f.ID, func(r *v1.Volume) bool {
			return r.Name == "kept-by-its-name" && r.Spec.SizeBytes == 5<<30 && r.Status.Master != nil
		})
	})
	e.eventually("the orphan goes, what is not ours stays", 15*time.Second, func() error { return e.names("kept-by-its-name", "not-ours") })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	writes := c.metric("storageos_volume_writes_total")
	c.polls(10)
	if now := c.metric("storageos_volume_writes_total"); now != writes {
		t.Errorf("%v writes of a record that the API server prunes", now-writes)
	}
	if strings.Contains(c.log.String(), "unknown field") {
		t.Error("the log repeats the API server's warnings about unknown fields")
	}
	e.must(e.sim.UpdateVolume(ns, f.ID, func(v *simulator.Volume) { v.SizeBytes = 6 << 30 }))
	e.eventually("a change is written", 5*time.Second, func() error {
		return e.want(f.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == 6<<30 })
	})

	// When the newer CRD is installed, the record is completed.
	e.applyCRD(currentCRD)
	e.eventually("the added fields are written", 15*time.Second, func() error {
		return e.want(f.ID, func(r *v1.Volume) bool {
			return r.Status.Health == v1.HealthHealthy && r.Status.PersistentVolume != nil
		})
	})
}

// legacyRecord makes a record as the replaced program did: without label and
// annotations.
func (e *env) legacyRecord(name, volumeID string) {
	e.t.Helper()
	records := e.records.StorageOSV1().Volumes()
	r, err := records.Create(context.Background(), &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	e.must(err)
	r.Status.VolumeID = volumeID
	_, err = records.UpdateStatus(context.Background(), r, metav1.UpdateOptions{})
	e.must(err)
}
