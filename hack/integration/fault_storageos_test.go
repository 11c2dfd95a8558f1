package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// codes are those of the API's specification, and those of what lies before it.
var codes = []int{400, 401, 403, 404, 409, 412, 423, 429, 451, 500, 502, 503, 504, 507}

// Whatever code a call answers with: nothing is deleted, and two polls after it
// ends every record is right.
func TestFaultCodes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 2, Volumes: 12, CSI: -1})
	c := e.controller("-orphan-grace-period", "0", "-api-poll-interval", "200ms", "-api-retry-interval", "200ms", "-api-refresh-interval", "300ms")
	e.eventually("12 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	size := uint64(5 << 30)
	var longest time.Duration
	for _, call := range []simulator.Call{
		simulator.CallLogin, simulator.CallRefresh, simulator.CallCluster, simulator.CallNodes,
		simulator.CallNamespaces, simulator.CallVolumes, simulator.CallVolume,
	} {
		for _, code := range codes {
			size += 1 << 30
			before := e.sim.Stats().Answers[call][code]
			end := e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: call}, Effect: simulator.Status(code, "as the test wants it"), Count: simulator.Always})
			if call == simulator.CallLogin {
				e.sim.ExpireTokens()
			}
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			if call != simulator.CallVolume { // that one is asked only for proof, see TestProof
				e.eventually(fmt.Sprintf("%s is answered with %d", call, code), 10*time.Second, func() error {
					if n := e.sim.Stats().Answers[call][code] - before; n < 2 {
						return fmt.Errorf("%d times", n)
					}
					return nil
				})
			}
			end()
			begun := time.Now()
			e.eventually(fmt.Sprintf("after %d of %s every record is right", code, call), 15*time.Second, func() error { return e.right(filled, size) })
			longest = max(longest, time.Since(begun))
		}
	}
	healed(t, fmt.Sprintf("StorageOS: each of the codes %v on each call, the longest", codes),
		"nothing is deleted; what is still answered is written", time.Now().Add(-longest))
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// What is stranger than a code: the same holds.
func TestFaultStrange(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 4, Nodes: 2, Volumes: 40, CSI: -1})
	c := e.controller("-orphan-grace-period", "0", "-api-timeout", "1s")
	e.eventually("40 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	volumes := func(namespaceID string) simulator.Match {
		return simulator.Match{Call: simulator.CallVolumes, NamespaceID: namespaceID}
	}
	ns := filled[0].NamespaceID
	always := func(m simulator.Match, effect simulator.Effect) func() {
		return e.sim.AddFault(simulator.Fault{Match: m, Effect: effect, Count: simulator.Always})
	}
	size := uint64(5 << 30)
	for _, tc := range []struct {
		name  string
		begin func() (end func())
	}{
		{"nodes of the control plane that answer differently in turn", func() func() {
			// Every other listing comes from one that lags behind.
			remove := func() {}
			empty := simulator.JSON("[]")
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for lags := false; ; lags = !lags {
					remove()
					if remove = func() {}; lags {
						remove = e.sim.AddFault(simulator.Fault{Match: volumes(ns), Effect: empty, Count: simulator.Always})
					}
					select {
					case <-stop:
						remove()
						return
					case <-time.After(700 * time.Millisecond):
					}
				}
			}()
			return func() { close(stop); <-ended }
		}},
		{"every list in another order", func() func() {
			e.sim.SetShuffle(true)
			return func() { e.sim.SetShuffle(false) }
		}},
		{"a body cut at any byte", func() func() {
			var n atomic.Int64
			return always(volumes(""), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				simulator.CutAfter(int(n.Add(97)%3000))(w, r, next)
			})
		}},
		{"the token expires in the middle of each listing", func() func() {
			return always(volumes(ns), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				e.sim.ExpireTokens()
				next.ServeHTTP(w, r)
			})
		}},
		{"a login without a scheme", func() func() {
			end := always(simulator.Match{Call: simulator.CallLogin}, simulator.BareAuthorization())
			e.sim.ExpireTokens()
			return end
		}},
		{"a login without the header", func() func() {
			end := always(simulator.Match{Call: simulator.CallLogin}, simulator.NoAuthorization())
			e.sim.ExpireTokens()
			return end
		}},
		{"no answer at all", func() func() { return always(simulator.Match{}, simulator.Silence()) }},
		{"every connection cut", func() func() { return always(simulator.Match{}, simulator.Disconnect()) }},
		{"null for the namespaces", func() func() { return always(simulator.Match{Call: simulator.CallNamespaces}, simulator.JSON("null")) }},
		{"a namespace that is listed and not found", func() func() { return always(volumes(ns), simulator.Status(404, "no such namespace")) }},
		{"a namespace that a node of the control plane does not list", func() func() {
			return always(simulator.Match{Call: simulator.CallNamespaces}, simulator.Body(func(body []byte) []byte {
				var all []map[string]any
				e.must(json.Unmarshal(body, &all))
				body, err := json.Marshal(slices.DeleteFunc(all, func(n map[string]any) bool { return n["id"] == ns }))
				e.must(err)
				return body
			}))
		}},
		{"a proxy's page on everything", func() func() { return always(simulator.Match{}, simulator.HTML(200)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size += 1 << 30
			end := tc.begin()
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			time.Sleep(2500 * time.Millisecond) // how long the fault lasts: some polls
			if code := c.get("/livez"); code != http.StatusOK {
				t.Errorf("livez %d: a restart would not help", code)
			}
			end()
			begun := time.Now()
			eventually(t, "every record is right", 15*time.Second, func() error { return e.right(filled, size) })
			healed(t, "StorageOS: "+tc.name, "nothing is deleted; what is still answered whole is written", begun)
			eventually(t, "none is held", 15*time.Second, func() error {
				if n := c.metric("storageos_volume_deletions_held"); n != 0 {
					return fmt.Errorf("%v are", n)
				}
				return nil
			})
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// However many namespaces do not answer, one after the other: a restart would not
// help, so the probe passes.
func TestFaultManySilentNamespaces(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 40, Nodes: 1, Volumes: 40, CSI: -1})
	c := e.controller("-api-timeout", "500ms")
	e.eventually("40 records", 20*time.Second, func() error { return e.right(filled, 0) })
	end := e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: simulator.Silence(), Count: simulator.Always})
	const limit = 3 * (500 + 500) * time.Millisecond // of the probe; a listing takes longer
	for begun := time.Now(); time.Since(begun) < 3*limit; time.Sleep(50 * time.Millisecond) {
		if code := c.get("/livez"); code != http.StatusOK {
			t.Fatalf("livez %d after %v", code, time.Since(begun))
		}
	}
	end()
	begun := time.Now()
	e.eventually("it lists again", 15*time.Second, func() error {
		if c.metric("storageos_sync_volume_last_success_timestamp_seconds") < float64(begun.Unix()) {
			return errors.New("not yet")
		}
		return nil
	})
	healed(t, "StorageOS: 40 namespaces that do not answer", "nothing is deleted; each is waited for", begun)
}

// Namespaces that come and go, also between two requests of one listing.
func TestFaultNamespaces(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 2, Volumes: 9, CSI: -1})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("9 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	gone := filled[0].NamespaceID
	e.sim.AddFault(simulator.Fault{
		Match: simulator.Match{Call: simulator.CallVolumes, NamespaceID: gone},
		Effect: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			e.must(e.sim.RemoveNamespace(gone)) // it was listed a moment ago
			next.ServeHTTP(w, r)
		},
	})
	left := slices.DeleteFunc(slices.Clone(filled), func(f simulator.Filled) bool { return f.NamespaceID == gone })
	begun := time.Now()
	e.eventually("its records go, the others stay", 10*time.Second, func() error { return e.right(left, 0) })
	healed(t, "StorageOS: a namespace vanishes between two requests", "the namespaces are listed again; its records go once each volume is proven gone", begun)

	added := make(chan string, 1)
	e.sim.AddFault(simulator.Fault{
		Match: simulator.Match{Call: simulator.CallVolumes},
		Effect: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			id, err := e.sim.AddVolume(e.sim.AddNamespace("new"), simulator.VolumeSpec{}) // it was not listed a moment ago
			e.must(err)
			added <- id
			next.ServeHTTP(w, r)
		},
	})
	id := <-added
	begun = time.Now()
	e.eventually("what is in a new one is recorded", 15*time.Second, func() error {
		return e.want(id, func(r *v1.Volume) bool { return r.Status.VolumeID == id })
	})
	healed(t, "StorageOS: a namespace appears between two requests", "the next listing shows it", begun)
}
