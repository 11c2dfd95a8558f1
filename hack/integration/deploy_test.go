package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

const (
	deployNamespace = "storageos"
	deployName      = "storageos-volume-sync"
)

// deployEnv is a cluster in which StorageOS is installed, as far as the
// controller sees, in a namespace that enforces the level restricted.
func deployEnv(t *testing.T, flags ...string) *env {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give a process a root folder and a network of its own")
	}
	e := newBareEnv(t, flags...)
	if _, err := os.Stat(filepath.Join(filepath.Dir(e.kubeconfig), "kube-controller-manager.log")); err != nil {
		t.Skip("it needs a kube-controller-manager, to make Pods")
	}
	ctx := context.Background()
	labels := map[string]string{}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	_, err := e.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: deployNamespace, Labels: labels}}, metav1.CreateOptions{})
	e.must(err)
	_, err = e.kube.CoreV1().Secrets(deployNamespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "storageos-api"},
		StringData: map[string]string{"username": "storageos", "password": password},
	}, metav1.CreateOptions{})
	e.must(err)
	return e
}

// kubectl runs it in the repository, and returns what it said. A warning is an
// error.
func (e *env) kubectl(args ...string) string {
	e.t.Helper()
	cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+filepath.Dir(e.kubeconfig))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("kubectl %q: %v\n%s%s", args, err, &stdout, &stderr)
	}
	if stderr.Len() > 0 {
		e.t.Errorf("kubectl %q warns: %s", args, &stderr)
	}
	return stdout.String()
}

// deploy applies what is shipped, twice, and returns the two Pods that become of
// it.
func (e *env) deploy() []corev1.Pod {
	e.t.Helper()
	for range 2 {
		e.kubectl("apply", "-k", "deploy/crd")
		e.kubectl("apply", "-k", "deploy")
	}
	e.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/volumes.api.storageos.com")
	var pods []corev1.Pod
	e.eventually("two Pods are admitted", 30*time.Second, func() error {
		list, err := e.kube.CoreV1().Pods(deployNamespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + deployName})
		if err != nil {
			return err
		}
		if pods = list.Items; len(pods) != 2 {
			d, err := e.kube.AppsV1().Deployments(deployNamespace).Get(context.Background(), deployName, metav1.GetOptions{})
			if err == nil {
				err = fmt.Errorf("%d Pods: %v", len(pods), d.Status.Conditions)
			}
			return err
		}
		return nil
	})
	return pods
}

// leader waits until one of the Pods leads.
func leader(t *testing.T, pods ...*pod) *pod {
	t.Helper()
	var found *pod
	eventually(t, "one Pod leads", 30*time.Second, func() error {
		found = nil
		for _, p := range pods {
			if p.metric("leader_election_master_status", deployName) == 1 {
				if found != nil {
					return fmt.Errorf("two lead")
				}
				found = p
			}
		}
		if found == nil {
			return fmt.Errorf("none leads")
		}
		return nil
	})
	return found
}

// What is shipped, applied as it is shipped, does the whole job with exactly the
// rights that it is given: each of them is used, no request is refused.
func TestDeploy(t *testing.T) {
	t.Parallel()
	e := deployEnv(t)
	_, err := e.kube.CoreV1().Pods(deployNamespace).Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "not-restricted"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Fatalf("the namespace takes every Pod: %v", err)
	}
	specs := e.deploy()
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 3, Volumes: 60, CSI: 50})
	for _, f := range filled[:50] {
		e.persistentVolume(f)
	}
	pods := []*pod{e.runPod(&specs[0]), e.runPod(&specs[1])}
	for _, p := range pods {
		e.eventually("the Pod is live and ready", 30*time.Second, func() error {
			if err := p.probe(p.container.LivenessProbe); err != nil {
				return err
			}
			return p.probe(p.container.ReadinessProbe)
		})
	}
	first := leader(t, pods...)
	e.eventually("every record is right", 30*time.Second, func() error {
		all := e.all()
		for i, f := range filled {
			r, ok := all[f.ID]
			if !ok {
				return fmt.Errorf("%d records of 60", len(all))
			}
			if err := check(e, r, f, i < 50); err != nil {
				return err
			}
		}
		return nil
	})
	t.Run("metrics", func(t *testing.T) { knowsMetrics(t, pods) })

	t.Run("status page", func(t *testing.T) { hasPage(t, first) })

	t.Run("on call", e.tellsOnCall)

	e.changes(first, filled)

	e.must(first.cmd.Process.Signal(syscall.SIGTERM))
	if code := first.exit(t, 20*time.Second); code != 0 {
		t.Errorf("the leader ended with %d", code)
	}
	second := pods[0]
	if second == first {
		second = pods[1]
	}
	leader(t, second)
	f := filled[5]
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = 78 << 30 }))
	e.eventually("the other one writes", 30*time.Second, func() error {
		return e.want(f.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == 78<<30 })
	})

	third := e.runPod(&specs[0])
	e.leaseDeleted(second)
	leader(t, third)
	granted, used := e.granted(), e.requests()
	for r := range granted {
		if !used[r] && !fallBacks[r] {
			t.Errorf("nothing needs the right to %v", r)
		}
	}
	e.removes(third)
}

// hasPage finds the status page on loopback of the Pod.
func hasPage(t *testing.T, p *pod) {
	eventually(t, "it says how the controller is", 10*time.Second, func() error {
		resp, err := p.sandbox.client().Get("http://127.0.0.1:8081/")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		for _, want := range []string{"<b>leading</b>", "<b>60</b> records", ">Volume ", "when this process began to lead"} {
			if !strings.Contains(string(page), want) {
				return fmt.Errorf("it does not say %q:\n%s", want, page)
			}
		}
		return nil
	})
}

// changes lets happen what the controller has to do with records and to say in
// events.
func (e *env) changes(leader *pod, filled []simulator.Filled) {
	e.t.Helper()
	degraded, missing, gone := filled[0], filled[1], filled[2]
	ctx := context.Background()
	master := func(health string) {
		e.must(e.sim.UpdateVolume(degraded.NamespaceID, degraded.ID, func(v *simulator.Volume) { v.Master.Health = health }))
	}
	said := func(reason string, f simulator.Filled, times int) {
		e.t.Helper()
		e.eventually(fmt.Sprintf("%s is said %d times", reason, times), 30*time.Second, func() error {
			if n := e.events(reason, f.Name); n != times {
				return fmt.Errorf("%d times", n)
			}
			return nil
		})
	}
	e.must(e.records.StorageOSV1().Volumes().Delete(ctx, filled[3].Name, metav1.DeleteOptions{}))
	e.must(e.sim.RemoveVolume(missing.NamespaceID, missing.ID))
	e.deletePersistentVolume(gone.Name)
	e.must(e.sim.RemoveVolume(gone.NamespaceID, gone.ID))
	for n := 1; n <= 2; n++ { // said again, an event is patched
		master("offline")
		said("VolumeOffline", degraded, n)
		master("online")
		said("VolumeHealthy", degraded, n)
	}
	said("VolumeMissing", missing, 1)
	e.eventually("the records of volumes that are gone are deleted, the other is made again", 45*time.Second, func() error {
		all := e.all()
		if all[filled[3].ID].Name == "" || all[gone.ID].Name != "" || all[missing.ID].Name != "" {
			return fmt.Errorf("%d records", len(all))
		}
		return nil
	})

	// Many volumes gone at once, unexplained: the Lease's events say it.
	for n := 1; n <= 2; n++ {
		var away []simulator.Volume
		for _, f := range filled[10:30] {
			v, err := e.sim.Volume(f.NamespaceID, f.ID)
			e.must(err)
			away = append(away, v)
			e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		}
		e.leaseEvents("DeletionsHeld", n)
		for _, v := range away {
			e.must(e.sim.SetVolume(v))
		}
		e.leaseEvents("DeletionsResumed", n)
	}
	if n := leader.metric("storageos_volume_writes_total", "delete"); n != 2 {
		e.t.Errorf("%v records were deleted, not 2", n)
	}
}

// leaseEvents waits until something has been said n times on the Lease.
func (e *env) leaseEvents(reason string, n int) {
	e.t.Helper()
	e.eventually(fmt.Sprintf("%s is said %d times", reason, n), 30*time.Second, func() error {
		list, err := e.kube.CoreV1().Events(deployNamespace).List(context.Background(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Lease,reason=" + reason})
		if err != nil {
			return err
		}
		times := 0
		for _, ev := range list.Items {
			times += int(max(ev.Count, 1))
		}
		if times != n {
			return fmt.Errorf("%d times", times)
		}
		return nil
	})
}

// leaseDeleted: the leader ends when somebody deletes its Lease, and another makes it
// again.
func (e *env) leaseDeleted(leader *pod) {
	e.t.Helper()
	ctx := context.Background()
	leases := e.kube.CoordinationV1().Leases(deployNamespace)
	old, err := leases.Get(ctx, deployName, metav1.GetOptions{})
	e.must(err)
	e.must(leases.Delete(ctx, deployName, metav1.DeleteOptions{}))
	if code := leader.exit(e.t, 20*time.Second); code != 1 {
		e.t.Errorf("it ended with %d", code)
	}
	e.eventually("the Lease is there again", 30*time.Second, func() error {
		is, err := leases.Get(ctx, deployName, metav1.GetOptions{})
		if err == nil && (is.UID == old.UID || is.Spec.HolderIdentity == nil || *is.Spec.HolderIdentity == *old.Spec.HolderIdentity) {
			err = fmt.Errorf("it is %s, held by %v", is.UID, is.Spec.HolderIdentity)
		}
		return err
	})
}

// removes takes away what deploy brought: the records stay.
func (e *env) removes(left *pod) {
	e.t.Helper()
	left.stop()
	e.deployDeleted()
}

// deployDeleted deletes what is shipped.
func (e *env) deployDeleted() {
	e.t.Helper()
	before := len(e.all())
	e.kubectl("delete", "-k", "deploy")
	ctx := context.Background()
	if _, err := e.kube.CoreV1().Namespaces().Get(ctx, deployNamespace, metav1.GetOptions{}); err != nil {
		e.t.Errorf("the namespace: %v", err)
	}
	if after := len(e.all()); after != before || after == 0 {
		e.t.Errorf("%d records before, %d after", before, after)
	}
	if _, err := e.kube.RbacV1().ClusterRoles().Get(ctx, deployName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		e.t.Errorf("the ClusterRole: %v", err)
	}
	if _, err := e.kube.CoordinationV1().Leases(deployNamespace).Get(ctx, deployName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		e.t.Errorf("the Lease: %v", err)
	}
	found := e.kubectl("get", "all,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget",
		"--all-namespaces", "-o", "name", "-l", "app.kubernetes.io/name="+deployName)
	for line := range strings.Lines(found) {
		// What belonged to the Deployment is collected a little later.
		if !strings.HasPrefix(line, "pod/") && !strings.HasPrefix(line, "replicaset") {
			e.t.Errorf("it is left: %s", line)
		}
	}
}

// An API server that knows no watch-list is listed: that is what those rights to
// list are for.
func TestDeployFallBack(t *testing.T) {
	t.Parallel()
	e := deployEnv(t, "-apiserver-arg", "--feature-gates=WatchList=false")
	specs := e.deploy()
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 5, CSI: -1})
	first := e.runPod(&specs[0])
	leader(t, first)
	e.eventually("5 records", 30*time.Second, func() error { return e.right(filled, 0) })
	e.runPod(&specs[1])
	e.eventually("the rights to list are used", 30*time.Second, func() error {
		used := e.requests()
		for r := range fallBacks {
			if !used[r] {
				return fmt.Errorf("not %v", r)
			}
		}
		return nil
	})
}
