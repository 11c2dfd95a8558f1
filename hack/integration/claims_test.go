package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The storage classes of these tests: the demo's own, and one that keeps volumes.
const (
	deletes = "storageos"
	retains = "storageos-retain"
)

// claims is a cluster in which claims get their volumes: by csi-provisioner,
// csi-resizer, the CSI driver of the simulated StorageOS and the controller manager.
type claims struct {
	*env
	witness simulator.Filled // see said
	offline int
}

func newClaims(t *testing.T, flags ...string) *claims {
	t.Helper()
	e := newStorageOS(t)
	needsControllerManager(t)
	// Not in t.TempDir: the path of a socket has 107 characters at most.
	dir, err := os.MkdirTemp("", "csi")
	e.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "socket")
	e.start(exec.Command(filepath.Join(filepath.Dir(os.Getenv("DEVCLUSTER")), "storageos-csi"),
		"-socket", socket, "-api-endpoint", e.endpoint, "-api-secret-path", e.secret), nil)
	e.startCluster(append(flags, "-csi-socket", socket)...)
	e.applyCRD(currentCRD)
	c := &claims{env: e}
	c.kubectl("apply", "-f", "../demo/storageclass.yaml")
	class, err := e.kube.StorageV1().StorageClasses().Get(context.Background(), deletes, metav1.GetOptions{})
	e.must(err)
	keep := corev1.PersistentVolumeReclaimRetain
	_, err = e.kube.StorageV1().StorageClasses().Create(context.Background(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: retains}, Provisioner: class.Provisioner, Parameters: class.Parameters,
		ReclaimPolicy: &keep,
	}, metav1.CreateOptions{})
	e.must(err)
	c.witness = e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: 1, CSI: 1})[0]
	e.persistentVolume(c.witness, func(pv *corev1.PersistentVolume) { pv.Spec.StorageClassName = "none" }) // no claim may have it
	return c
}

// needsControllerManager skips a test if a cluster has no controller manager.
func needsControllerManager(t *testing.T) {
	t.Helper()
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		if _, err := os.Stat(filepath.Join(assets, "kube-controller-manager")); err != nil {
			t.Skip("it needs a kube-controller-manager, which binds PersistentVolumes")
		}
	}
}

func (c *claims) kubectl(args ...string) {
	c.t.Helper()
	cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl"}, args...)...)
	cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+filepath.Dir(c.kubeconfig))
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
}

// said returns how often the controller has said what until now. It lets a volume
// of its own go offline and waits until that is said: events are written in the
// order in which they happened.
func (c *claims) said() map[string]int {
	c.t.Helper()
	for _, health := range []string{simulator.HealthOffline, simulator.HealthOnline} {
		c.must(c.sim.UpdateVolume(c.witness.NamespaceID, c.witness.ID, func(v *simulator.Volume) { v.Master.Health = health }))
		c.offline++
		c.eventually("it is said that a volume is "+health, 30*time.Second, func() error {
			if n := c.events("VolumeOffline", c.witness.Name) + c.events("VolumeHealthy", c.witness.Name); n != c.offline {
				return fmt.Errorf("%d events of %d", n, c.offline)
			}
			return nil
		})
	}
	list, err := c.kube.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
	c.must(err)
	said := map[string]int{}
	for _, ev := range list.Items {
		if ev.Source.Component == "storageos-volume-sync" && ev.InvolvedObject.Name != c.witness.Name {
			said[ev.Reason] += int(max(ev.Count, 1))
		}
	}
	return said
}

// saidOnly fails if anything was said but what is expected.
func (c *claims) saidOnly(expected map[string]int) {
	c.t.Helper()
	said := c.said()
	for reason, n := range said {
		if n != expected[reason] {
			c.t.Errorf("%s was said %d times, want %d", reason, n, expected[reason])
		}
	}
	for reason, n := range expected {
		if said[reason] != n {
			c.t.Errorf("%s was said %d times, want %d", reason, said[reason], n)
		}
	}
}

// claim makes a claim of 2 GiB.
func (c *claims) claim(name string, class string, change func(*corev1.PersistentVolumeClaim)) {
	c.t.Helper()
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: resource.MustParse("2Gi"),
			}},
		},
	}
	if change != nil {
		change(pvc)
	}
	_, err := c.kube.CoreV1().PersistentVolumeClaims("default").Create(context.Background(), pvc, metav1.CreateOptions{})
	c.must(err)
}

func (c *claims) deleteClaim(name string) {
	c.t.Helper()
	c.must(c.kube.CoreV1().PersistentVolumeClaims("default").Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// bound waits until a claim is bound and returns its PersistentVolume.
func (c *claims) bound(name string) *corev1.PersistentVolume {
	c.t.Helper()
	var pv *corev1.PersistentVolume
	c.eventually("claim "+name+" is bound", 30*time.Second, func() error {
		pvc, err := c.kube.CoreV1().PersistentVolumeClaims("default").Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pvc.Status.Phase != corev1.ClaimBound {
			return fmt.Errorf("it is %s", pvc.Status.Phase)
		}
		pv, err = c.kube.CoreV1().PersistentVolumes().Get(context.Background(), pvc.Spec.VolumeName, metav1.GetOptions{})
		return err
	})
	return pv
}

// recorded waits until the record of a name passes a check.
func (c *claims) recorded(what, name string, check func(*v1.Volume) bool) *v1.Volume {
	c.t.Helper()
	var r *v1.Volume
	c.eventually(what, 30*time.Second, func() (err error) {
		r, err = c.records.StorageOSV1().Volumes().Get(context.Background(), name, metav1.GetOptions{})
		if err == nil && !check(r) {
			err = fmt.Errorf("%+v", r.Status)
		}
		return err
	})
	return r
}

// gone is nil if an error says that something is not there.
func gone(err error) error {
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, simulator.ErrNotFound):
		return nil
	case err == nil:
		return errors.New("it is there")
	default:
		return err
	}
}

// grow asks for more.
func (c *claims) grow(name, size string) {
	c.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, size)
	_, err := c.kube.CoreV1().PersistentVolumeClaims("default").Patch(context.Background(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	c.must(err)
}
