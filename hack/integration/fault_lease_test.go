package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// leaseWatcher notes when the leader looks at its Lease, and when it writes records.
type leaseWatcher struct {
	mu       sync.Mutex
	begun    time.Time // nothing before is noted
	looked   time.Time // first
	answered time.Time // that look
	wrote    time.Time // last
	took     int       // writes of the Lease
}

func (l *leaseWatcher) see(_ http.ResponseWriter, r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease := strings.HasSuffix(r.URL.Path, "/leases/storageos-volume-sync")
	switch {
	case l.begun.IsZero():
	case isWrite(r):
		l.wrote = time.Now()
	case lease && r.Method == http.MethodGet && l.looked.IsZero():
		l.looked = time.Now()
		context.AfterFunc(r.Context(), func() { // it ends with the answer
			l.mu.Lock()
			defer l.mu.Unlock()
			l.answered = time.Now()
		})
	case (lease || strings.HasSuffix(r.URL.Path, "/leases")) && r.Method != http.MethodGet && !l.looked.IsZero():
		l.took++
	}
	return false
}

// A hand takes the Lease from the leader while volumes change five times a second. The
// leader sees it at once, though its next renewal is far away, begins no write after it
// has, does not take it again and ends with 1; the other leads, and no change is lost.
func TestFaultLease(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	edit := func(e *env, change func(*coordinationv1.LeaseSpec)) {
		leases := e.kube.CoordinationV1().Leases("default")
		e.must(retry.RetryOnConflict(retry.DefaultRetry, func() error { // the leader may renew it meanwhile
			l, err := leases.Get(ctx, "storageos-volume-sync", metav1.GetOptions{})
			if err != nil {
				return err
			}
			change(&l.Spec)
			_, err = leases.Update(ctx, l, metav1.UpdateOptions{})
			return err
		}))
	}
	for name, tc := range map[string]struct {
		fault string // of docs/reliability.md
		hand  func(*env)
	}{
		"deleted": {"the Lease is deleted by hand", func(e *env) {
			e.must(e.kube.CoordinationV1().Leases("default").Delete(ctx, "storageos-volume-sync", metav1.DeleteOptions{}))
		}},
		"emptied": {"the Lease is emptied by hand", func(e *env) {
			edit(e, func(s *coordinationv1.LeaseSpec) { *s = coordinationv1.LeaseSpec{} })
		}},
		"taken": {"a stranger takes the Lease and does not renew it (lease 5 s)", func(e *env) {
			edit(e, func(s *coordinationv1.LeaseSpec) {
				holder, seconds := "stranger", int32(5)
				s.HolderIdentity, s.LeaseDurationSeconds = &holder, &seconds
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 10, CSI: -1})
			p, seen := e.newProxy(), &leaseWatcher{}
			p.set(seen.see)
			rarely := append(slices.Clone(electing), "-api-poll-interval", "100ms", "-lease-duration", "60s", "-renew-deadline", "50s", "-retry-period", "20s")
			old := e.controller(append(rarely, "-kubeconfig", p.kubeconfig)...)
			e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })
			other := e.controller(rarely...)
			e.eventually("the other waits", 20*time.Second, func() error {
				if !strings.Contains(other.log.String(), "The leader is") {
					return fmt.Errorf("not yet")
				}
				return nil
			})
			size, stop, over := uint64(5<<30), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(over)
				for {
					select {
					case <-stop:
						return
					case <-time.After(200 * time.Millisecond):
					}
					size += 1 << 20
					for _, f := range filled {
						_ = e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size })
					}
				}
			}()
			time.Sleep(time.Second) // changes are being written
			seen.mu.Lock()
			seen.begun = time.Now()
			seen.mu.Unlock()
			begun := time.Now()
			tc.hand(e)
			if code := old.exit(t, 10*time.Second); code != 1 {
				t.Errorf("it ended with %d", code)
			}
			t.Logf("it ended after %v", time.Since(begun).Round(10*time.Millisecond))
			if !strings.Contains(old.log.String(), "the lease was lost") {
				t.Error("it does not say why")
			}
			e.eventually("the other leads", 15*time.Second, other.leads)
			led := time.Since(begun)
			close(stop)
			<-over
			e.eventually("no change is lost", 20*time.Second, func() error { return e.right(filled, size) })
			healed(t, "Kubernetes: "+tc.fault, "the leader begins no write any more and exits with 1; the other leads", begun.Add(led))
			seen.mu.Lock()
			defer seen.mu.Unlock()
			// The answer is on its way for a moment, and a write that had begun, too.
			if late := seen.wrote.Sub(seen.answered); seen.answered.IsZero() || late > 300*time.Millisecond {
				t.Errorf("it looked after %v, was answered after %v and wrote %v after that", seen.looked.Sub(begun), seen.answered.Sub(begun), late)
			}
			if seen.took > 0 {
				t.Errorf("it wrote the Lease %d times after it had looked", seen.took)
			}
		})
	}
}
