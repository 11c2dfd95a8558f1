package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// A volume does not wait for a name for as long as the list of another namespace fails.
func TestHistoryNameWhileListsFail(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]func(*history){
		"the volume of the record has gone": func(h *history) { h.api.Lists["one"] = []string{"x 1", "v1 1", "v2 1"} },
		"the record is behind a finalizer": func(h *history) {
			old := h.records.records["v0"]
			obj := old.DeepCopy()
			obj.DeletionTimestamp = &metav1.Time{Time: time.Now()}
			h.records.store(old, obj)
			h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.NamespaceIDs = append(h.api.NamespaceIDs, "two")
				h.polls(2)
				gone(h)
				h.setPV(h.pvs["v0"], boundPV("v0", "x"))
				h.polls(1)
				h.api.Fail = func(call string, _ int) error {
					if call == "volumes two" {
						return errDown
					}
					return nil
				}
				h.polls(6)
				if n := h.names()["x"]; n != "x" {
					t.Errorf("after two graces it is recorded as %q", n)
				}
			})
		})
	}
}

// Whoever waited for a name and has none to wait for any more is not told of a conflict later.
func TestHistoryNameNotWaitedFor(t *testing.T) {
	t.Parallel()
	events := told(t, 3, nil, func(h *history) {
		h.api.Lists["one"] = []string{"x 1", "v1 1", "v2 1"}
		pv := boundPV("v0", "x")
		h.setPV(h.pvs["v0"], pv)
		h.readEarly()
		h.setPV(pv, nil)
		h.polls(12)
		if n := h.names()["x"]; n != "x" {
			t.Errorf("it is recorded as %q", n)
		}
		h.setPV(nil, pv)
		h.polls(3)
	})
	if n := events[policy.EventNameConflict]; n > 0 {
		t.Errorf("%d conflicts are told, and nobody has the name", n)
	}
}

// One listing that fails takes no name away.
func TestHistoryNameWhenOneListingFails(t *testing.T) {
	t.Parallel()
	for fails := range 6 {
		t.Run(fmt.Sprintf("after %d listings", fails+1), func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.NamespaceIDs = append(h.api.NamespaceIDs, "two")
				h.polls(2)
				h.api.Lists["one"] = []string{"x 1", "v1 1", "v2 1"}
				h.setPV(h.pvs["v0"], boundPV("v0", "x"))
				h.polls(fails + 1)
				h.api.Fail = func(call string, _ int) error {
					if call == "volumes two" {
						return errDown
					}
					return nil
				}
				h.polls(1)
				h.api.Fail = nil
				h.polls(12)
				if n := h.names()["x"]; n != "v0" {
					t.Errorf("it is recorded as %q", n)
				}
			})
		})
	}
}

// A volume does not wait for the hold to end for a name that it should not have any more, and waits for
// one that it should quietly.
func TestHistoryNameNotWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		volume       string
		before, then func(*history)
		polls        int
		want         string
	}{
		"its PersistentVolume has gone": {
			"b 1",
			func(h *history) { h.setPV(nil, boundPV("pvc-a", "b")) },
			func(h *history) { h.setPV(h.pvs["pvc-a"], nil) },
			2, "b",
		},
		"and the label tells the same name": {
			labelled("b", "pvc-a"),
			func(h *history) { h.setPV(nil, boundPV("pvc-a", "b")) },
			func(h *history) { h.setPV(h.pvs["pvc-a"], nil) },
			30, "",
		},
		"a PersistentVolume of that name is another's": {
			labelled("b", "pvc-a"),
			func(*history) {},
			func(h *history) { h.setPV(nil, boundPV("pvc-a", "a")) },
			2, "b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				for _, id := range strings.Split("acdefghijklm", "") {
					h.api.Lists["one"] = append(h.api.Lists["one"], labelled(id, "pvc-"+id))
				}
				h.polls(2)
				tc.before(h)
				h.api.Lists["one"] = []string{tc.volume}
				h.polls(2)
				if n := h.names()["b"]; n != "" {
					t.Fatalf("it did not wait, and is recorded as %q", n)
				}
				tc.then(h)
				tried := 0
				h.records.fail = func(verb string) error {
					if verb == "create" {
						tried++
					}
					return nil
				}
				h.polls(tc.polls)
				if n := h.names()["b"]; n != tc.want || tried > 2 {
					t.Errorf("it is recorded as %q after %d attempts", n, tried)
				}
			})
		})
	}
}

// The end of a wait is that of the name that was waited for.
func TestHistoryNameAfterAnother(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.edit("v0", func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Now()} }) // behind a finalizer
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.setPV(h.pvs["v0"], boundPV("v0", "x"))
		h.polls(4)
		over := func() bool { return h.leader.tracker.all["x"].Wait.Over }
		h.records.fail = func(verb string) error {
			if verb == "create" && over() {
				return errDown
			}
			return nil
		}
		h.polls(6)
		if !over() {
			t.Fatal("it waits")
		}
		h.api.Lists["one"] = []string{"v0 1", "v2 1", "x 1"} // v1 goes, and its name is wanted now
		h.setPV(h.pvs["v0"], nil)
		h.setPV(h.pvs["v1"], boundPV("v1", "x"))
		h.polls(1)
		h.records.fail = nil
		h.polls(12)
		if n := h.names()["x"]; n != "v1" {
			t.Errorf("it is recorded as %q", n)
		}
	})
}

// Nor is the end of a wait that of another one for the same name, later.
func TestHistoryNameOnceMore(t *testing.T) {
	t.Parallel()
	told(t, 0, nil, func(h *history) {
		h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
		h.polls(1)
		h.edit("pvc-x", func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
		h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
		h.polls(8)
		h.records.store(h.records.records["pvc-x"], nil)
		h.api.Lists["one"] = []string{labelled("b", ""), labelled("c", "pvc-x")}
		h.polls(3)
		if names := h.names(); names["b"] != "b" || names["c"] != "pvc-x" {
			t.Fatalf("they are %v", names)
		}
		h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
		h.polls(1)
		h.records.store(h.records.records["b"], nil) // by hand
		h.polls(12)
		if n := h.names()["b"]; n != "pvc-x" {
			t.Errorf("it is recorded as %q", n)
		}
	})
}

// conflicts are the messages of name conflicts.
type conflicts struct{ said []string }

func (c *conflicts) Event(_ runtime.Object, _, reason, message string) {
	if reason == policy.EventNameConflict {
		c.said = append(c.said, message)
	}
}

// Each PersistentVolume whose name another record has is told so, once and truly.
func TestHistoryNameConflicts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tell func(*history)
		want string // the names of PersistentVolumes, and whether that is said of the past
	}{
		"it comes when the name has become free": {func(h *history) {
			h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
			h.polls(1)
			h.edit("pvc-x", func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
			h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
			h.polls(8)
			h.records.store(h.records.records["pvc-x"], nil)
			h.polls(1)
			h.setPV(nil, boundPV("pvc-x", "b"))
			h.polls(3)
		}, "pvc-x had"},
		"the record was made anew since": {func(h *history) {
			h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
			h.polls(1)
			h.edit("pvc-x", func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
			h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
			h.polls(8)
			h.records.store(h.records.records["pvc-x"], nil)
			h.api.Lists["one"] = []string{labelled("b", "")}
			h.polls(3)
			h.records.store(h.records.records["b"], nil)
			h.polls(3)
			h.setPV(nil, boundPV("pvc-x", "b"))
			h.polls(3)
		}, ""},
		"another one comes": {func(h *history) {
			h.api.Lists["one"] = []string{"v0 1", "v1 1", "x 1"}
			h.polls(2)
			for _, name := range []string{"v0", "v1"} {
				pv := boundPV(name, "x")
				h.setPV(nil, pv)
				h.polls(3)
				h.setPV(pv, nil)
				h.polls(1)
			}
		}, "v0 has, v1 has"},
		"it is made anew": {func(h *history) {
			h.api.Lists["one"] = []string{"v0 1", "x 1"}
			h.polls(2)
			for n := range 2 {
				pv := boundPV("v0", "x")
				pv.UID[0] = byte(n)
				h.setPV(nil, pv)
				h.polls(3)
				h.setPV(pv, nil)
				h.polls(1)
			}
		}, "v0 has, v0 has"},
		"the name was taken later": {func(h *history) {
			h.api.Lists["one"] = []string{"a 1"}
			h.polls(3)
			h.api.Lists["one"] = append(h.api.Lists["one"], labelled("data", ""))
			h.polls(3)
			h.setPV(nil, boundPV("data", "a"))
			h.polls(3)
		}, "data has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := &conflicts{}
			told(t, 0, nil, func(h *history) {
				h.leader.events = events
				tc.tell(h)
			})
			var got []string
			for _, message := range events.said {
				verb := "has"
				if strings.Contains(message, "when it was made, another record had") {
					verb = "had"
				}
				got = append(got, message[strings.LastIndex(message, " ")+1:]+" "+verb)
			}
			if got := strings.Join(got, ", "); got != tc.want {
				t.Errorf("%q, want %q: %q", got, tc.want, events.said)
			}
		})
	}
}
