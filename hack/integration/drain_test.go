package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// csiNode makes a node as the driver's registration leaves it.
func (e *env) csiNode(name, id string) {
	e.t.Helper()
	ctx := context.Background()
	_, err := e.kube.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"zone": "z-" + name[len(name)-1:]}}}, metav1.CreateOptions{})
	e.must(err)
	_, err = e.kube.StorageV1().CSINodes().Create(ctx, &storagev1.CSINode{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi.storageos.com", NodeID: id}}},
	}, metav1.CreateOptions{})
	e.must(err)
}

// stay tells, of a volume in StorageOS, how many of its copies that can be used stay without
// nodes, whether it can go on, and whether it has to do with the nodes at all.
func stay(v simulator.Volume, lost []string) (usable int, goesOn, concerned bool) {
	there := func(id string) bool { return slices.Contains(lost, id) }
	concerned = there(v.Master.NodeID) || there(v.AttachedOn)
	if !there(v.Master.NodeID) && v.Master.Health == "online" {
		usable, goesOn = 1, true
	}
	for _, r := range v.Replicas {
		concerned = concerned || there(r.NodeID)
		if !there(r.NodeID) && r.Health == "ready" {
			usable++
			goesOn = goesOn || r.Promotable
		}
	}
	return usable, goesOn, concerned
}

// computed is what becomes of each volume without nodes, out of the simulator's own state.
func (e *env) computed(lost []string) map[string]string {
	outcomes := map[string]string{}
	for _, ns := range e.sim.Namespaces() {
		for _, v := range e.sim.Volumes(ns.ID) {
			wanted := 1
			_, _ = fmt.Sscan(v.Labels["storageos.com/replicas"], &wanted)
			wanted++
			before, _, _ := stay(v, nil)
			usable, goesOn, concerned := stay(v, lost)
			switch {
			case !concerned:
			case !goesOn:
				outcomes[v.ID] = "Offline"
			case usable < wanted && usable < before:
				outcomes[v.ID] = "Degraded"
			default:
				outcomes[v.ID] = "Moved"
			}
		}
	}
	return outcomes
}

type foretold struct {
	Verdict, Summary string
	Doubts           []string
	Volumes          []struct{ Outcome, Name, VolumeID string }
}

func (e *env) drainCheck(path string, want int, nodes ...string) foretold {
	e.t.Helper()
	out, _ := e.plugin(path, want, append([]string{"drain-check", "-o", "json"}, nodes...)...)
	var f foretold
	e.must(json.Unmarshal([]byte(out), &f))
	return f
}

// What drain-check foretells happens, volume by volume, when the nodes are taken away.
func TestDrainCheck(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t)
	path := filepath.Join(t.TempDir(), "kubectl-storageos_volumes")
	build(t, "../../cmd/kubectl-storageos_volumes", path)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 6, Volumes: 120, CSI: 100})
	for _, f := range filled[:100] {
		e.persistentVolume(f)
	}
	nodes := map[string]string{} // by name in Kubernetes
	for i, n := range e.sim.Nodes() {
		if i == 5 {
			nodes[n.Name] = n.ID // known only by its host name
			continue
		}
		name := fmt.Sprintf("worker-%d", i)
		e.csiNode(name, n.ID)
		nodes[name] = n.ID
	}
	e.controller()
	e.eventually("all are recorded", 30*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the Lease says so", 40*time.Second, func() error {
		if f := e.drainCheckAny(path, "worker-0"); f.Verdict == "unknown" || f.Verdict == "" {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})

	for _, tc := range [][]string{
		append(slices.Sorted(maps.Keys(nodes)), "drain-check", ""),
		{"worker-1", "worker-2", "worker-3", "worker-4", "drain-check", "worker-0", "wor"},
		{"worker-3", "list", "--node", "worker-3"},
	} {
		at := slices.IndexFunc(tc, func(arg string) bool { return arg == "drain-check" || arg == "list" })
		want := strings.Join(tc[:at], "\n") + "\n:4\n"
		if out, _ := e.plugin(path, 0, append([]string{"__complete"}, tc[at:]...)...); out != want {
			t.Errorf("%v: completed by %q, want %q", tc[at:], out, want)
		}
	}

	e.showsViewers(path, nodes["worker-2"])

	check := func(names ...string) foretold {
		t.Helper()
		var ids []string
		for _, name := range names {
			ids = append(ids, nodes[name])
		}
		want, code, offline := e.computed(ids), 0, 0
		for _, outcome := range want {
			if outcome == "Offline" {
				code = 1
				offline++
			}
		}
		f := e.drainCheck(path, code, names...)
		got := map[string]string{}
		for _, v := range f.Volumes {
			got[v.VolumeID] = v.Outcome
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-computed +foretold):\n%s", names, diff)
		}
		if code == 1 && !strings.HasPrefix(f.Summary, "Not safe: ") || code == 0 && !strings.HasPrefix(f.Summary, "Safe: ") {
			t.Errorf("%v: %d go Offline: %s", names, offline, f.Summary)
		}
		return f
	}
	for name := range nodes {
		check(name)
	}
	check("worker-0", "worker-1")
	if f := e.drainCheck(path, 1, "--selector", "zone=z-0"); len(f.Volumes) != len(e.computed([]string{nodes["worker-0"]})) {
		t.Errorf("by a selector: %d volumes", len(f.Volumes))
	}

	lost := check("worker-2", "worker-3")
	before := e.all()
	e.must(e.sim.LoseNodes(nodes["worker-2"], nodes["worker-3"]))
	e.eventually("what was foretold has happened", 30*time.Second, func() error {
		now := e.all()
		for _, v := range lost.Volumes {
			r, was := now[v.VolumeID], before[v.VolumeID]
			switch want := v1.Health(v.Outcome); {
			case v.Outcome == "Moved" && r.Status.Health != was.Status.Health:
				return fmt.Errorf("%s was only to be moved, it is %s", v.Name, r.Status.Health)
			case v.Outcome != "Moved" && r.Status.Health != want:
				return fmt.Errorf("%s is %s, not %s", v.Name, r.Status.Health, want)
			}
			delete(now, v.VolumeID)
		}
		for name, r := range now {
			if r.Status.Health != before[name].Status.Health {
				return fmt.Errorf("%s was not concerned, and is %s", name, r.Status.Health)
			}
		}
		return nil
	})
	table, _ := e.plugin(path, 0, "nodes")
	if got := firsts(table); len(got) != 6 || !slices.Contains(got, "worker-2") {
		t.Errorf("nodes:\n%s", table)
	}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); strings.HasPrefix(line, "worker-2 ") && f[6] != "Offline" || strings.HasPrefix(line, "worker-0 ") && f[6] != "Healthy" {
			t.Errorf("nodes:\n%s", table)
		}
	}
}

// showsViewers looks at volumes as who may only view records: no node is without volumes only
// because it cannot be told which one it is, nor are records up to date.
func (e *env) showsViewers(path, id string) {
	e.t.Helper()
	ctx, meta := context.Background(), metav1.ObjectMeta{Name: "viewer"}
	_, err := e.kube.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"api.storageos.com"}, Resources: []string{"volumes"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{})
	e.must(err)
	_, err = e.kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "viewer"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "viewer"}},
	}, metav1.CreateOptions{})
	e.must(err)
	e.eventually("who is bound may list volumes", 20*time.Second, func() error { return e.may("viewer", "list", "", true) })
	const unknown = "Whether the records are up to date cannot be told: there is no right to get the Lease storageos-volume-sync-listing in namespace default, which the ClusterRole storageos-volume-sync-on-call has.\n"
	if out, said := e.plugin(path, 2, "list", "--node", "worker-2", "--as", "viewer"); out != "" ||
		!strings.Contains(said, "which node of StorageOS worker-2 is cannot be told: ") {
		e.t.Errorf("without a right to CSINodes: %q\n%s", said, out)
	}
	if out, said := e.plugin(path, 0, "list", "--node", id, "--as", "viewer"); len(firsts(out)) == 0 || said != unknown {
		e.t.Errorf("without a right to the Lease: %q\n%s", said, out)
	}
	const nameless = "Without the right to list CSINodes, nodes without volumes are not shown, nor what Kubernetes calls the others.\n"
	if out, said := e.plugin(path, 0, "nodes", "--as", "viewer"); len(firsts(out)) != 6 || said != nameless+unknown {
		e.t.Errorf("without a right to the Lease and to CSINodes: %q\n%s", said, out)
	}
}

// Where it cannot be told, it is said why.
func TestDrainCheckCannotTell(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t)
	path := filepath.Join(t.TempDir(), "kubectl-storageos_volumes")
	build(t, "../../cmd/kubectl-storageos_volumes", path)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 2, Volumes: 6, CSI: 5})
	byHand := filled[5] // no PersistentVolume refers to it
	for _, f := range filled[:5] {
		e.persistentVolume(f)
	}
	e.csiNode("worker-0", e.sim.Nodes()[0].ID)
	_, err := e.kube.CoreV1().Nodes().Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "without-storageos"}}, metav1.CreateOptions{})
	e.must(err)
	cannot := func(why string, nodes ...string) {
		t.Helper()
		if f := e.drainCheck(path, 2, nodes...); !strings.Contains(f.Summary, "It cannot be told: ") || !strings.Contains(f.Summary, why) {
			t.Errorf("it said %q, not %q", f.Summary, why)
		}
	}
	if _, said := e.plugin(path, 2, "drain-check", "worker-0"); !strings.Contains(said, "has not listed StorageOS completely yet") {
		t.Errorf("before the controller runs: %q", said)
	}
	c := e.controller()
	e.eventually("all are recorded", 30*time.Second, func() error { return e.right(filled, 0) })
	known := func() {
		t.Helper()
		e.eventually("it can be told", 45*time.Second, func() error {
			if f := e.drainCheckAny(path, "worker-0"); f.Verdict == "unknown" || f.Verdict == "" {
				return fmt.Errorf("%+v", f)
			}
			return nil
		})
	}
	known()
	cannot("which node of StorageOS without-storageos is", "without-storageos")
	cannot("which node of StorageOS nobody is", "worker-0", "nobody")

	another := simulator.New(simulator.Options{Seed: 7, Password: password})
	another.AddNamespace("elsewhere")
	back := e.sim.AddFault(simulator.Fault{Effect: simulator.Handler(another), Count: simulator.Always})
	e.eventually("another cluster answers", 45*time.Second, func() error {
		if f := e.drainCheckAny(path, "worker-0"); !strings.Contains(f.Summary, fmt.Sprintf("6 records are not of the cluster that was listed, %q", another.ClusterID())) {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})
	back()
	known()

	e.applyCRD(olderCRD)
	cannot("the CRD of the records is older", "worker-0")
	e.applyCRD(currentCRD)
	known()

	remove := func(f simulator.Filled) {
		t.Helper()
		e.must(e.records.StorageOSV1().Volumes().Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
	}
	remove(byHand)
	if f := e.drainCheckAny(path, "worker-0"); f.Verdict == "unknown" || len(e.all()) != len(filled) {
		t.Errorf("a record that is made again a moment later: %+v", f)
	}
	c.stop()
	remove(byHand)
	cannot("StorageOS has listed 6 volumes, and there are records of 5", "worker-0")
	remove(filled[0])
	cannot("the PersistentVolume "+filled[0].Name+" has no record", "worker-0")
	e.eventually("what it says is old", 2*time.Minute, func() error {
		if f := e.drainCheckAny(path, "worker-0"); !strings.Contains(f.Summary, "StorageOS was last listed completely 1m") {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})
}

// drainCheckAny is what it says now, whatever that is.
func (e *env) drainCheckAny(path string, nodes ...string) foretold {
	e.t.Helper()
	cmd := exec.Command(path, append([]string{"--kubeconfig", e.kubeconfig, "drain-check", "--controller-namespace", "default", "-o", "json"}, nodes...)...)
	out, _ := cmd.Output() // the exit code says the verdict again
	var f foretold
	_ = json.Unmarshal(out, &f)
	return f
}
