package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Something drops fields of some records for ever. That others keep them is no reason to
// write those again at each poll, unless the CRD has just come to keep them.
func TestHistorySomeDropped(t *testing.T) {
	t.Parallel()
	const dropped, polls = 30, 60 // five minutes
	for name, tc := range map[string]struct {
		since       time.Duration // the CRD keeps all
		least, most int           // how often each is written
	}{
		"the CRD is current":       {time.Hour, 2, 6},
		"it has just been renewed": {0, 12, 18}, // within crdLags at every other poll
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, dropped+10, nil, func(h *history) {
				h.leader.crd.is.Store(int32(crdCurrent))
				h.records.wrote = func(_ context.Context, _, obj *v1.Volume) {
					if obj != nil && len(obj.Name) == 3 { // v10 ... v39
						obj.Status.Conditions = nil
					}
				}
				for i := range h.api.Lists["one"] {
					h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
				}
				h.polls(3)
				h.leader.crd.since.Store(time.Now().Add(-tc.since).UnixNano())
				before := h.records.writes
				for n := range polls { // at each poll one other volume changes
					h.api.Lists["one"][0] = fmt.Sprintf("v0 %d", 10+n)
					h.polls(1)
				}
				if n := (h.records.writes - before - 2*polls) / dropped; n < tc.least || n > tc.most {
					t.Errorf("each was written %d times in %d polls", n, polls)
				}
			})
		})
	}
}

// After a new CRD has come, the watch of an API server may show a record as the older one
// left it, though it was written and is stored. The next listing writes it again: its
// volume is not asked for. Later it is, as of any record that says too little.
func TestHistoryWatchLagsBehindCRD(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		since time.Duration // the CRD keeps all
		asks  bool
	}{"it has just been renewed": {0, false}, "long ago": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.leader.crd.is.Store(int32(crdCurrent))
				h.leader.crd.since.Store(time.Now().Add(-tc.since).UnixNano())
				want := *stateIn(h, "v0")
				lags := func(r *v1.Volume) { r.Status.Conditions, r.Status.Capacity = nil, nil }
				h.undoing(lags)
				h.listings(1)
				asked := h.api.Calls["volume v0"]
				h.listings(1)
				h.records.after = nil
				h.listings(2)
				if got := *stateIn(h, "v0"); got != want {
					t.Errorf("it says\n%+v, want\n%+v", got, want)
				}
				if n := h.api.Calls["volume v0"] - asked; n > 0 != tc.asks {
					t.Errorf("its volume was asked for %d times", n)
				}
			})
		})
	}
}

// What is left to the next listing is not left to one that does not come: what Kubernetes
// tells is recorded all the same.
func TestHistoryReleasedWhileCRDLags(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]string{
		"no namespace is listed":      "namespaces",
		"the cluster does not answer": "cluster",
		"its namespace is not":        "volumes one",
	} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", released first: ", first), func(t *testing.T) {
				t.Parallel()
				told(t, 3, nil, func(h *history) {
					h.leader.crd.is.Store(int32(crdCurrent))
					h.leader.crd.since.Store(time.Now().UnixNano())
					h.undoing(func(r *v1.Volume) { r.Status.Conditions, r.Status.Capacity = nil, nil })
					h.listings(1)
					h.records.after = nil
					release := []func(){h.release, func() {
						h.api.Fail = func(call string, _ int) error { return map[string]error{fails: errDown, "volume v0": errDown}[call] }
					}}
					if !first {
						slices.Reverse(release)
					}
					for _, step := range release {
						step()
						h.work(h.leader, 10)
					}
					h.listings(4)
					if got := stateIn(h, "v0").Bound.Value().Reason; got != "Released" {
						t.Errorf("four polls later its record says %q, want Released", got)
					}
				})
			})
		}
	}
}

// Nor to one that ends, incomplete, when API servers go by the CRD for certain.
func TestHistoryLeftAtTheEndOfTheLag(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.leader.crd.is.Store(int32(crdCurrent))
		h.leader.crd.since.Store(time.Now().UnixNano())
		h.undoing(func(r *v1.Volume) { r.Status.Conditions, r.Status.Capacity = nil, nil })
		h.listings(1)
		h.records.after = nil
		h.leader.crd.since.Store(time.Now().Add(-crdLags + time.Second).UnixNano())
		h.release()
		h.tell(h.leader, -1)
		h.work(h.leader, 10)
		h.sleep(2 * time.Second)
		h.api.Fail = func(call string, _ int) error {
			return map[string]error{"volumes one": errDown, "volume v0": errDown}[call]
		}
		h.listings(36)
		if got := stateIn(h, "v0").Bound.Value().Reason; got != "Released" {
			t.Errorf("three minutes later its record says %q, want Released", got)
		}
	})
}
