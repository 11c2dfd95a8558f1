package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

// soakFault is something that goes wrong, and what ends it; nil: it ends by itself.
type soakFault struct {
	name  string
	begin func(*soak, *rand.Rand) (end func())
	hides bool // lists lack volumes meanwhile that are there
}

// faults lets things go wrong, up to three at a time, and has all of them end.
func (s *soak) faults(random *rand.Rand, over <-chan struct{}) {
	const atOnce = 3
	var wg sync.WaitGroup
	defer wg.Wait()
	going := map[string]chan struct{}{}
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(300+random.IntN(1500)) * time.Millisecond):
		}
		for name, ended := range going {
			select {
			case <-ended:
				delete(going, name)
			default:
			}
		}
		f := soakFaults[random.IntN(len(soakFaults))]
		lasts := time.Duration(500+random.IntN(8000)) * time.Millisecond
		if len(going) >= atOnce || going[f.name] != nil {
			continue
		}
		s.log.Add(history.Event{Kind: history.Fault, Detail: f.name, Hides: f.hides})
		end, ended := f.begin(s, random), make(chan struct{})
		going[f.name] = ended
		wg.Go(func() {
			defer close(ended)
			if end == nil {
				return
			}
			select {
			case <-over:
			case <-time.After(lasts):
			}
			end()
			s.log.Add(history.Event{Kind: history.Healed, Detail: f.name, Hides: f.hides})
		})
	}
}

// one is one of the processes.
func (s *soak) one(random *rand.Rand) *soaked {
	all := s.processes()
	return all[random.IntN(len(all))]
}

// inStorageOS is a fault that every process meets at paths that end so; the CSI driver, whose
// mistakes are not what is looked for, does not.
func (s *soak) inStorageOS(suffix string, effect simulator.Effect) (end func()) {
	f := &storageOSFault{suffix, effect}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.broken = slices.DeleteFunc(s.broken, func(other *storageOSFault) bool { return other == f })
	}
}

// toKubernetes is a fault of one process's way to Kubernetes.
func (s *soak) toKubernetes(random *rand.Rand, fault func(http.ResponseWriter, *http.Request) bool) (end func()) {
	p := s.one(random)
	p.breakKube(fault)
	return func() { p.breakKube(nil) }
}

// toStorageOS is a fault of one process's way to StorageOS.
func (s *soak) toStorageOS(random *rand.Rand, fault func(http.ResponseWriter, *http.Request) bool) (end func()) {
	p := s.one(random)
	p.front.breakStorageOS(fault)
	return func() { p.front.breakStorageOS(nil) }
}

// late answers each request up to so much late.
func late(most time.Duration) func(http.ResponseWriter, *http.Request) bool {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(most)))): // no decision of the run depends on it
		case <-r.Context().Done():
		}
		return false
	}
}

var soakFaults = []soakFault{
	{"a process is killed", func(s *soak, random *rand.Rand) func() {
		_ = s.one(random).cmd.Process.Kill() // it may have ended
		return nil
	}, false},
	{"a process is frozen", func(s *soak, random *rand.Rand) func() {
		p := s.one(random)
		_ = p.cmd.Process.Signal(syscall.SIGSTOP) // it may have ended
		return func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }
	}, false},
	{"a process is asked to stop", func(s *soak, random *rand.Rand) func() {
		_ = s.one(random).cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		return nil
	}, false},
	{"a process's connections to Kubernetes are cut", func(s *soak, random *rand.Rand) func() {
		p := s.one(random)
		p.breakKube(down)
		p.kube.cut()
		return func() { p.breakKube(nil) }
	}, false},
	{"Kubernetes answers a process late", func(s *soak, random *rand.Rand) func() {
		return s.toKubernetes(random, late(time.Second))
	}, false},
	{"Kubernetes does not answer a process", func(s *soak, random *rand.Rand) func() {
		p := s.one(random)
		p.breakKube(mute)
		return func() {
			p.breakKube(nil)
			p.kube.cut() // an API server answers after a minute, whatever happens: nobody waits for ever
		}
	}, false},
	{"Kubernetes refuses writes", func(s *soak, random *rand.Rand) func() {
		code := []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusForbidden}[random.IntN(4)]
		return s.toKubernetes(random, refuse(code, http.StatusText(code)))
	}, false},
	{"a process's watches tell nothing", func(s *soak, random *rand.Rand) func() {
		return s.one(random).kube.hush()
	}, false},
	{"StorageOS does not answer a process", func(s *soak, random *rand.Rand) func() {
		return s.toStorageOS(random, mute)
	}, false},
	{"StorageOS answers a process late", func(s *soak, random *rand.Rand) func() {
		return s.toStorageOS(random, late(time.Second))
	}, false},
	{"a process's connections to StorageOS are cut", func(s *soak, random *rand.Rand) func() {
		return s.toStorageOS(random, down)
	}, false},
	{"the API server is killed", func(s *soak, _ *rand.Rand) func() { return s.signal("kube-apiserver", syscall.SIGKILL) }, false},
	{"etcd is killed", func(s *soak, _ *rand.Rand) func() { return s.signal("etcd", syscall.SIGKILL) }, false},
	{"etcd is frozen", func(s *soak, _ *rand.Rand) func() { return s.signal("etcd", syscall.SIGSTOP) }, false},
	{"the password is changed", func(s *soak, _ *rand.Rand) func() {
		next := password + "-" + s.name("n")
		s.sim.SetCredentials("storageos", next)
		s.sim.ExpireTokens()
		return func() {
			if err := os.WriteFile(filepath.Join(s.secret, "password"), []byte(next), 0o600); err != nil {
				s.t.Error(err)
			}
		}
	}, false},
	{"another cluster answers", func(s *soak, _ *rand.Rand) func() {
		other := simulator.New(simulator.Options{Seed: 7, Password: password})
		other.AddNamespace("elsewhere")
		return s.inStorageOS("", simulator.Handler(other))
	}, false},
	{"every list is empty", func(s *soak, _ *rand.Rand) func() {
		return s.inStorageOS("/volumes", simulator.JSON("[]"))
	}, true},
	{"lists lack a third", func(s *soak, random *rand.Rand) func() {
		third := random.IntN(3)
		return s.inStorageOS("/volumes", simulator.Body(func(body []byte) []byte {
			var all, rest []json.RawMessage
			if json.Unmarshal(body, &all) != nil {
				return body
			}
			for i, v := range all {
				if i%3 != third {
					rest = append(rest, v)
				}
			}
			if rest == nil {
				return []byte("[]")
			}
			text, err := json.Marshal(rest)
			if err != nil {
				return body
			}
			return text
		}))
	}, true},
	{"the lists of volumes fail", func(s *soak, _ *rand.Rand) func() {
		return s.inStorageOS("/volumes", simulator.Status(http.StatusInternalServerError, "broken"))
	}, false},
	{"lists are cut", func(s *soak, random *rand.Rand) func() {
		return s.inStorageOS("/volumes", simulator.CutAfter(random.IntN(20_000)))
	}, false},
	{"there are no namespaces", func(s *soak, _ *rand.Rand) func() {
		return s.inStorageOS("/namespaces", simulator.JSON("[]"))
	}, true},
	{"the CRD is replaced by the older one", func(s *soak, _ *rand.Rand) func() {
		s.tryCRD(true)
		return func() { s.tryCRD(false) }
	}, false},
	{"a hand edits a record", func(s *soak, random *rand.Rand) func() {
		s.editOne(random, []string{
			`{"spec":{"sizeBytes":1}}`,
			`{"metadata":{"labels":{"api.storageos.com/volume-id":null}}}`,
			`{"metadata":{"annotations":{"api.storageos.com/absent-since":"2026-01-02T03:04:05Z"}}}`,
			`{"metadata":{"annotations":{"api.storageos.com/namespace-id":null}}}`,
		}[random.IntN(4)])
		return nil
	}, false},
	{"a hand deletes records", func(s *soak, random *rand.Rand) func() {
		for range 3 {
			s.editOne(random, "")
		}
		return nil
	}, false},
	{"a hand edits a PersistentVolume", func(s *soak, random *rand.Rand) func() {
		s.editPersistentVolume(random)
		return nil
	}, false},
	{"a hand edits the Lease", func(s *soak, random *rand.Rand) func() {
		s.editLeaseBy(random.IntN(3))
		return nil
	}, false},
}

// signal sends a signal to a part of the control plane, which is started again if it ends.
func (s *soak) signal(component string, signal syscall.Signal) (end func()) {
	pid, err := s.findComponent(component)
	if err != nil {
		return nil // it is about to be started again
	}
	_ = syscall.Kill(pid, signal)
	if signal != syscall.SIGSTOP {
		return nil
	}
	return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
}

// short is for requests to an API server that may not be there.
func short() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 3*time.Second)
}

// tryCRD applies the older CRD, or the current one, which has to succeed in the end.
func (s *soak) tryCRD(older bool) {
	change := currentCRD
	if older {
		change = olderCRD
	}
	for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		err := s.putCRD(change)
		if err == nil || older {
			return
		}
		if time.Since(begun) > time.Minute {
			s.t.Errorf("putting the CRD back: %v", err)
			return
		}
	}
}

// editOne patches a record by hand, or deletes it if there is no patch.
func (s *soak) editOne(random *rand.Rand, patch string) {
	ctx, cancel := short()
	defer cancel()
	records := s.records.StorageOSV1().Volumes()
	list, err := records.List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return
	}
	r := list.Items[random.IntN(len(list.Items))]
	if patch == "" {
		_ = records.Delete(ctx, r.Name, metav1.DeleteOptions{}) // it may have gone
		return
	}
	_, _ = records.Patch(ctx, r.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}) // the same
}

// editPersistentVolume labels a PersistentVolume.
func (s *soak) editPersistentVolume(random *rand.Rand) {
	ctx, cancel := short()
	defer cancel()
	pvs := s.kube.CoreV1().PersistentVolumes()
	list, err := pvs.List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return
	}
	name := list.Items[random.IntN(len(list.Items))].Name
	patch := fmt.Sprintf(`{"metadata":{"labels":{"edited":%q}}}`, s.name("e"))
	_, _ = pvs.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}) // it may have gone
}

// editLeaseBy deletes the Lease, empties it or gives it to a stranger.
func (s *soak) editLeaseBy(way int) {
	ctx, cancel := short()
	defer cancel()
	var err error
	switch way {
	case 0:
		err = s.kube.CoordinationV1().Leases("default").Delete(ctx, leaseName, metav1.DeleteOptions{})
	case 1:
		err = s.editLease(func(l *coordinationv1.LeaseSpec) { *l = coordinationv1.LeaseSpec{} })
	case 2:
		err = s.editLease(func(l *coordinationv1.LeaseSpec) {
			holder, seconds, now := "stranger", int32(2), metav1.NowMicro()
			*l = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}
		})
	}
	_ = err // there may be no Lease, or no API server
}
