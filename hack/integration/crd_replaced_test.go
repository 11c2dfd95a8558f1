package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// crdGauge waits until the gauge of the CRD is 1 or 0, or absent.
func (c *controller) crdGauge(want string) {
	c.t.Helper()
	eventually(c.t, "the gauge of the CRD is "+want, 40*time.Second, func() error {
		got := "absent"
		for _, line := range strings.Split(text(c.url+"/metrics"), "\n") {
			if value, ok := strings.CutPrefix(line, "storageos_volume_crd_current "); ok {
				got = value
			}
		}
		if got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// text is what is served under a URL, "" if nothing is.
func text(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // what came of it
	return string(body)
}

// complete checks that there are so many records and each says what an older CRD drops.
func (e *env) complete(want int) error {
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	complete := 0
	for _, r := range list.Items {
		if r.Status.Health != "" && r.Status.Ready != "" && r.Status.Capacity != nil && len(r.Status.Conditions) == 3 {
			complete++
		}
	}
	if len(list.Items) != want || complete != want {
		return fmt.Errorf("%d of %d records are complete", complete, len(list.Items))
	}
	return nil
}

func (e *env) recorded(want int) error {
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	n := 0
	for _, r := range list.Items {
		if r.Status.VolumeID != "" {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("%d of %d records", n, want)
	}
	return nil
}

// While the CRD is older it is said: by the gauge, a line in the log and one on the
// page. When the current one takes its place the records are completed out of the next
// listing, and when the older one comes back they are left alone.
func TestCRDReplaced(t *testing.T) {
	t.Parallel()
	const volumes = 300
	e := newBareEnv(t)
	e.applyCRD(olderCRD)
	e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 3, Volumes: volumes, CSI: -1})
	page := freeAddress(t)
	// That nobody claims the volumes is not to be written in the middle of it.
	c := e.controller("-status-addr", page, "-api-poll-interval", "1s", "-orphan-grace-period", "1h")
	e.eventually("every volume is recorded", time.Minute, func() error { return e.recorded(volumes) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	c.crdGauge("0")
	const older = "is older than this version"
	if n := strings.Count(c.log.String(), older); n != 1 || !strings.Contains(c.log.String(), "status.health") {
		t.Errorf("the log says %d times that the CRD %s, or does not name the fields", n, older)
	}
	if !strings.Contains(text("http://"+page+"/"), older) {
		t.Error("the page does not say that the CRD is older")
	}

	asked := func() int { return e.sim.Stats().Requests[simulator.CallVolume] }
	for round := range 2 {
		before := asked()
		e.applyCRD(currentCRD)
		begun := time.Now()
		e.eventually("the records are completed", 10*time.Second, func() error { return e.complete(volumes) })
		t.Logf("round %d: %d records were complete after %v", round, volumes, time.Since(begun))
		c.crdGauge("1")
		if strings.Contains(text("http://"+page+"/"), older) {
			t.Error("the page says that the CRD is older")
		}
		e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
		if n := asked() - before; n > 0 {
			t.Errorf("round %d: %d volumes were asked for by ID to complete their records", round, n)
		}

		before = asked()
		writes := c.metric("storageos_volume_writes_total")
		e.applyCRD(olderCRD)
		c.crdGauge("0")
		// The watch of records may tell what they lack before that of the CRD tells why:
		// those are written once, of what their volumes are asked for.
		e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
		if n := c.metric("storageos_volume_writes_total") - writes; n > volumes || float64(asked()-before) > n {
			t.Errorf("round %d: %v writes when the older CRD came back, and %d questions", round, n, asked()-before)
		}
		writes = c.metric("storageos_volume_writes_total")
		c.polls(5)
		if n := c.metric("storageos_volume_writes_total") - writes; n > 0 {
			t.Errorf("round %d: %v writes of what the older CRD drops", round, n)
		}
	}
}

// Without the right to look at the CRD the gauge is absent, and pruned records are
// completed after a resync. The right may come later.
func TestCRDWithoutRight(t *testing.T) {
	t.Parallel()
	const volumes = 30
	e := newBareEnv(t)
	e.applyCRD(olderCRD)
	e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: volumes, CSI: -1})
	c := e.controller("-kubeconfig", e.account("sync"), "-resync-interval", "3s")
	e.eventually("every volume is recorded", 20*time.Second, func() error { return e.recorded(volumes) })
	c.crdGauge("absent")
	if n := strings.Count(c.log.String(), "There is no right to look at the CRD"); n != 1 {
		t.Errorf("the log says %d times that there is no right", n)
	}
	// That nobody claims them is written after the grace, and is no completion: while it
	// cannot be told what the CRD drops, that write asks for each volume.
	e.eventually("every volume is unclaimed", 20*time.Second, func() error {
		if n := c.metric("storageos_volume_orphans", "unclaimed_volume"); n != volumes {
			return fmt.Errorf("%v are", n)
		}
		return nil
	})
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	asked := e.sim.Stats().Requests[simulator.CallVolume]
	e.applyCRD(currentCRD)
	e.eventually("the records are completed", 10*time.Second, func() error { return e.complete(volumes) })
	if n := e.sim.Stats().Requests[simulator.CallVolume] - asked; n > 0 {
		t.Errorf("%d volumes were asked for by ID", n)
	}
	c.crdGauge("absent")

	name := "sync-crd"
	_, err := e.kube.RbacV1().ClusterRoles().Create(context.Background(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{crds.Group}, Resources: []string{crds.Resource},
			ResourceNames: []string{"volumes." + v1.SchemeGroupVersion.Group}, Verbs: []string{"get", "list", "watch"},
		}},
	}, metav1.CreateOptions{})
	e.must(err)
	_, err = e.kube.RbacV1().ClusterRoleBindings().Create(context.Background(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "sync"}},
	}, metav1.CreateOptions{})
	e.must(err)
	c.crdGauge("1")
}

// What is invalid counts, on its PersistentVolume it is said.
func TestInvalid(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t)
	f := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 1, CSI: -1})[0]
	c := e.controller()
	e.eventually("the record", 20*time.Second, func() error { return e.complete(1) })
	invalid := func(want float64) {
		t.Helper()
		e.eventually(fmt.Sprintf("%v are invalid", want), 10*time.Second, func() error {
			if n := c.metric("storageos_volumes_invalid"); n != want {
				return fmt.Errorf("%v are", n)
			}
			return nil
		})
	}
	bad := f
	bad.Name, bad.NamespaceID = "pv-bad", "" // its handle is "/<ID>"
	e.persistentVolume(bad)
	invalid(1)
	e.eventually("the event", 10*time.Second, func() error {
		list, err := e.kube.CoreV1().Events("default").List(context.Background(), metav1.ListOptions{FieldSelector: "reason=VolumeInvalid,involvedObject.name=pv-bad"})
		if err == nil && len(list.Items) != 1 {
			err = fmt.Errorf("%d events", len(list.Items))
		}
		return err
	})
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 1 << 63 }))
	invalid(2)
	if n := c.metric("storageos_volumes"); n != 1 {
		t.Errorf("%v volumes are listed", n)
	}
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 1 << 30 }))
	invalid(1)
	pvs := e.kube.CoreV1().PersistentVolumes()
	e.must(pvs.Delete(context.Background(), "pv-bad", metav1.DeleteOptions{}))
	_, err := pvs.Patch(context.Background(), "pv-bad", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Logf("it had no finalizer: %v", err)
	}
	invalid(0)
}
