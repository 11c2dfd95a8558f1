package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// perturbBeside is for how long at most a perturbation goes on: until who leads next has had
// a lease, a grace and two polls for what it sees.
const perturbBeside = perturbWithin + time.Second

// perturbation is what is done at a point.
type perturbation struct {
	name string // empty: nothing

	// happen is called before the API server gets the write of that process. What it
	// returns is called when the write is done, before the process knows.
	happen func(*tap) (after func())
}

var perturbationsOf = allPerturbations()

func allPerturbations() []perturbation {
	all := []perturbation{
		{"killed before the write", func(t *tap) func() {
			t.kill()
			panic(http.ErrAbortHandler)
		}},
		{"killed after the write", func(t *tap) func() { return t.kill }},
		{"the Lease is emptied", func(t *tap) func() {
			return t.tr.lease(func(e *env) error {
				return e.editLease(func(s *coordinationv1.LeaseSpec) { *s = coordinationv1.LeaseSpec{} })
			})
		}},
		{"the Lease is deleted", func(t *tap) func() {
			return t.tr.lease(func(e *env) error {
				return e.kube.CoordinationV1().Leases("default").Delete(context.Background(), leaseName, metav1.DeleteOptions{})
			})
		}},
		{"the Lease is taken", func(t *tap) func() {
			return t.tr.lease(func(e *env) error {
				return e.editLease(func(s *coordinationv1.LeaseSpec) {
					holder, seconds, now := "stranger", int32(2), metav1.NowMicro()
					*s = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}
				})
			})
		}},
	}
	for back := 1; back <= 3; back++ {
		all = append(all, perturbation{fmt.Sprintf("killed, the next sees %d writes less", back), func(t *tap) func() {
			return func() {
				t.kill()
				t.tr.nextIsStale(back)
			}
		}})
	}
	for _, kind := range watchedKinds {
		all = append(all, perturbation{"the watch of " + kind + " stands still and expires", func(t *tap) func() {
			t.gates[kind].shut()
			t.tr.beside(2*perturbGrace, t.gates[kind].expire)
			return func() {}
		}})
	}
	return all
}

// kill kills the process whose way this is.
func (t *tap) kill() {
	<-t.started
	_ = t.member.cmd.Process.Kill() // it may have ended
	<-t.member.ended
}

// nextIsStale lets the next process begin with lists of records and PersistentVolumes as
// they were before the last writes, and has it learn nothing else for a while.
func (tr *trial) nextIsStale(back int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	version := tr.versions[max(0, len(tr.versions)-1-back)]
	tr.begin = func(t *tap) {
		t.mu.Lock()
		t.stale = version
		t.mu.Unlock()
		for _, kind := range agedKinds {
			t.gates[kind].shut()
		}
		tr.beside(perturbBeside-time.Second, func() {
			t.mu.Lock()
			t.stale = ""
			t.mu.Unlock()
			for _, kind := range agedKinds {
				t.gates[kind].open()
			}
		})
	}
}

// beside does something after a time, before which the trial does not end.
func (tr *trial) beside(after time.Duration, do func()) {
	tr.busy.Add(1)
	time.AfterFunc(after, func() {
		defer tr.busy.Add(-1)
		do()
	})
}

// lease lets something happen to the Lease, and then volumes change for a while: who has
// lost it must not write that.
func (tr *trial) lease(happen func(*env) error) func() {
	if err := happen(tr.e); err != nil && !apierrors.IsNotFound(err) { // there may be none yet
		tr.e.t.Errorf("the Lease: %v", err)
	}
	tr.changeAll(20)
	return func() {}
}

// changeAll changes the volumes that the story began with, ten times a second.
func (tr *trial) changeAll(times int) {
	if times == 0 {
		return
	}
	tr.beside(100*time.Millisecond, func() {
		for _, f := range tr.first {
			// Some may be gone.
			_ = tr.e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Labels["perturbed"] = fmt.Sprint(times) })
		}
		tr.changeAll(times - 1)
	})
}

// editLease writes the Lease by hand.
func (e *env) editLease(change func(*coordinationv1.LeaseSpec)) error {
	ctx, leases := context.Background(), e.kube.CoordinationV1().Leases("default")
	return retry.RetryOnConflict(retry.DefaultRetry, func() error { // the leader may renew it meanwhile
		l, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&l.Spec)
		_, err = leases.Update(ctx, l, metav1.UpdateOptions{})
		return err
	})
}

// answerStatus answers with a status of the API server.
func answerStatus(w http.ResponseWriter, status metav1.Status) {
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status) // the process may have gone
}
