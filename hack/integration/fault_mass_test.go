package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Many volumes that are gone at once, StorageOS itself says so, and nothing
// explains it: their records stay, until they are back or the hold is over.
func TestFaultMassAbsence(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	// All are in one namespace: a listing shows all that go at once, or none of them.
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 2, Volumes: 40, CSI: -1})
	c := e.controller("-orphan-grace-period", "0", "-mass-orphan-hold", "15s",
		"-enable-leader-election", "-namespace", "default")
	records := func(n int) func() error {
		return func() error {
			if got := len(e.all()); got != n {
				return fmt.Errorf("%d records", got)
			}
			return nil
		}
	}
	e.eventually("40 records", 20*time.Second, records(40))
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })

	var kept []simulator.Volume
	for _, f := range filled[:16] {
		v, err := e.sim.Volume(f.NamespaceID, f.ID)
		e.must(err)
		kept = append(kept, v)
	}
	e.must(e.sim.RemoveVolume(kept[0].NamespaceID, ids(filled[:16])...))
	e.eventually("all of them are held", 10*time.Second, func() error {
		if n := c.metric("storageos_volume_deletions_held"); n != 16 {
			return fmt.Errorf("%v are", n)
		}
		return nil
	})
	e.eventually("that is said on the Lease", 15*time.Second, func() error { return e.said("DeletionsHeld", "storageos-volume-sync") })
	if n := e.events("VolumeMissing", ""); n != 0 {
		t.Errorf("%d volumes were said to be missing one by one", n)
	}
	// One at a time is another matter, if something explains it.
	for _, v := range kept[:10] {
		e.must(e.sim.SetVolume(v))
	}
	back := time.Now()
	e.eventually("enough are back, and the others go", 10*time.Second, records(34))
	healed(t, "StorageOS: 16 of 40 volumes are gone, then 10 are back", "deletions are held, the Lease's events say so", back)
	e.eventually("that is said too", 15*time.Second, func() error { return e.said("DeletionsResumed", "storageos-volume-sync") })
	if n := c.metric("storageos_volume_deletions_held"); n != 0 {
		t.Errorf("%v deletions are held still", n)
	}
	for _, v := range kept[:10] {
		if err := e.want(v.ID, func(r *v1.Volume) bool { return r.Annotations[v1.AnnotationAbsentSince] == "" }); err != nil {
			t.Error(err)
		}
	}

	// The 6 count until the hold is over.
	e.must(e.sim.RemoveVolume(kept[0].NamespaceID, ids(filled[20:30])...))
	begun := time.Now()
	e.eventually("they go when the hold is over", 30*time.Second, records(24))
	if took := time.Since(begun); took < 10*time.Second {
		t.Errorf("they went after %v", took)
	}
}

func ids(of []simulator.Filled) (ids []string) {
	for _, f := range of {
		ids = append(ids, f.ID)
	}
	return ids
}

// Deletions that somebody asked Kubernetes for are not held, however many.
func TestFaultMassAbsenceExplained(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 30, CSI: 30})
	for _, f := range filled {
		e.persistentVolume(f)
	}
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("30 records are joined", 20*time.Second, func() error {
		n := 0
		for _, r := range e.all() {
			if r.Status.PersistentVolume != nil {
				n++
			}
		}
		if n != 30 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	for _, f := range filled {
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		e.deletePersistentVolume(f.Name)
	}
	e.eventually("all records go", 10*time.Second, func() error { return e.names() })
	if strings.Contains(c.log.String(), "Deletions of records are held") {
		t.Error("the breaker tripped")
	}
}

// Another cluster behind the same address does not judge: nothing is deleted,
// until the first is back or the other one is accepted.
func TestFaultOtherCluster(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 6, CSI: -1})
	flags := []string{"-orphan-grace-period", "0", "-enable-leader-election", "-namespace", "default"}
	c := e.controller(flags...)
	e.eventually("6 records", 20*time.Second, func() error {
		if n := len(e.all()); n != 6 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	other := simulator.New(simulator.Options{Seed: 7, Password: password})
	for _, f := range filled[:2] { // it has two of them, and they move
		v, err := e.sim.Volume(f.NamespaceID, f.ID)
		e.must(err)
		v.NamespaceID = other.AddNamespace(f.Name)
		e.must(other.SetVolume(v))
	}
	back := e.sim.AddFault(simulator.Fault{Effect: simulator.Handler(other), Count: simulator.Always})
	held := func(want float64) func() error {
		return func() error {
			if n := c.metric("storageos_volume_deletions_held"); n != want {
				return fmt.Errorf("%v deletions are held, want %v", n, want)
			}
			return nil
		}
	}
	e.eventually("those of the first cluster are held", 10*time.Second, held(4))
	e.eventually("that is said", 15*time.Second, func() error { return e.said("DeletionsHeld", "storageos-volume-sync") })
	c.polls(3)
	if n := len(e.all()); n != 6 {
		t.Fatalf("%d records of 6", n)
	}
	back()
	begun := time.Now()
	e.eventually("the first cluster is back", 10*time.Second, held(0))
	healed(t, "StorageOS: another cluster behind the same address", "deletions are held, the Lease's events say so; what the other one has is recorded", begun)
	e.eventually("that is said too", 15*time.Second, func() error { return e.said("DeletionsResumed", "storageos-volume-sync") })
	if n := len(e.all()); n != 6 {
		t.Fatalf("%d records of 6", n)
	}
	c.stop()

	e.sim.AddFault(simulator.Fault{Effect: simulator.Handler(other), Count: simulator.Always})
	e.controller(append(flags, "-accept-cluster-id", other.ClusterID())...)
	e.eventually("accepted, it judges", 15*time.Second, func() error { return e.names(filled[0].Name, filled[1].Name) })
}

// said is nil if an event was said once on that object.
func (e *env) said(reason, name string) error {
	list, err := e.kube.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	n := 0
	for _, ev := range list.Items {
		if ev.Reason == reason && ev.InvolvedObject.Name == name {
			n += int(max(ev.Count, 1))
		}
	}
	if n != 1 {
		return fmt.Errorf("%d events %s on %s", n, reason, name)
	}
	return nil
}
