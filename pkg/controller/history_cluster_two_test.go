package controller

import (
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// twoClusters begins a history of a volume x, which the cluster that answers first has in the namespace two, and a
// stranger, which answers then, has too: one was made of a backup of the other, say. The lists of these
// calls fail.
func (h *history) twoClusters(strangers map[string][]string) (own map[string][]string, fails map[string]bool) {
	fails = map[string]bool{}
	h.api.NamespaceIDs = []string{"one", "two", "three"}
	h.api.Fail = func(call string, _ int) error {
		if fails[call] {
			return errDown
		}
		return nil
	}
	own = map[string][]string{"one": h.api.Lists["one"], "two": {"x 1"}}
	h.api.Lists = own
	h.setPV(nil, boundPV("x", "x"))
	h.polls(2)
	h.api.ClusterID, h.api.Lists = "stranger", strangers
	h.polls(2)
	h.api.ClusterID, h.api.Lists = "cluster", own
	return own, fails
}

// isItsOwn checks that the record of x names its own cluster, and outlives the stranger, which has x no more.
func (h *history) isItsOwn(t *testing.T) {
	t.Helper()
	if is := h.records.records["x"].Annotations[v1.AnnotationClusterID]; is != "cluster" {
		t.Errorf("its own cluster answers, and has shown it, and its record names %q", is)
	}
	h.api.Fail = nil
	h.api.ClusterID, h.api.Lists = "stranger", map[string][]string{"two": {"b 1"}}
	h.polls(12)
	if h.records.records["x"] == nil {
		t.Error("the record of a living volume was deleted")
	}
}

// Of a volume that two clusters have the record names the one that answers, once that has shown it, be its listings
// complete or not, and whatever of it the other has shown.
func TestHistoryClusterBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		theirs, own string
		untold      int // so many listings of its own do not tell which cluster it is
	}{
		"both show the same":                     {"x 1", "x 1", 0},
		"they show something else":               {"x 2", "x 1", 0},
		"first while its own does not tell it":   {"x 2", "x 1", 6},
		"its own shows what cannot be recorded":  {"x 1", "x large", 0},
		"and that while it does not tell its ID": {"x 1", "x large", 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 2, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
				own, fails := h.twoClusters(map[string][]string{"two": {tc.theirs}})
				own["two"] = []string{tc.own}
				fails["volumes three"], fails["cluster"] = true, tc.untold > 0
				h.polls(tc.untold)
				fails["cluster"] = false
				fails["volumes two"], own["two"] = true, nil // a list that fails, and shows nothing
				h.polls(1)
				fails["volumes two"], own["two"] = false, []string{tc.own}
				h.polls(3)
				h.isItsOwn(t)
			})
		})
	}
}

// What the stranger has shown in another namespace, which its own cluster cannot list, does not count again when a
// list of its own lacks the volume for once.
func TestHistoryClusterElsewhere(t *testing.T) {
	t.Parallel()
	told(t, 2, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
		own, fails := h.twoClusters(map[string][]string{"three": {"x 1"}})
		fails["volumes three"] = true
		h.polls(4)
		own["two"] = nil
		h.polls(1)
		own["two"] = []string{"x 1"}
		h.changedPV("x", func(pv *state.PV) { pv.ClaimName = "other" }) // anything that Kubernetes tells of it
		h.tell(h.leader, -1)
		h.work(h.leader, 100)
		h.isItsOwn(t)
	})
}
