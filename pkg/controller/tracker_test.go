package controller

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// It trips at once, goes only when it is reset, and deletions count for as long
// as the hold.
func TestBreaker(t *testing.T) {
	t.Parallel()
	settings := defaultRules()
	settings.MaxOrphanCount = 2
	ts := newTracker(&settings, metrics.New())
	ids := strings.Split("abcdefghij", "")
	records := map[string]*state.Record{}
	for _, id := range ids {
		records[id] = aRecord()
		records[id].UID = state.UIDOf(types.UID(id))
		ts.recordChanged(nil, records[id])
	}
	absent := func(id string, kind policy.AbsenceKind) {
		ts.update(id, noon, func(tr policy.Memory, _ *policy.Breaker) policy.Memory {
			tr.Gauges.Absence, tr.Gauges.Namespace = kind, "ns"
			return tr
		})
	}
	tripped := func(want bool, when string) {
		t.Helper()
		if got := ts.holding(); (got != "") != want {
			t.Errorf("%s: %q; want tripped: %v", when, got, want)
		}
	}
	for _, id := range ids[:7] {
		absent(id, policy.Explained)
	}
	tripped(false, "seven are explained")
	absent("h", policy.Unexplained)
	absent("i", policy.Unexplained)
	tripped(false, "two are not")
	absent("j", policy.Unexplained)
	tripped(true, "three are not")
	absent("j", policy.NotAbsent)
	tripped(true, "one came back, but no listing was complete since")
	ts.resetBreaker(noon)
	tripped(false, "a listing was complete")
	ts.deleting("h", records["h"], policy.Unexplained, noon)
	ts.deleting("a", records["a"], policy.Explained, noon)
	ts.resetBreaker(noon)
	tripped(false, "of two that are deleted, one was explained")
	absent("j", policy.Unexplained)
	tripped(true, "with the one that was deleted there are three")
	ts.resetBreaker(noon.Add(settings.MassOrphanHold))
	tripped(false, "after the hold, deletions are forgotten")
	if len(ts.breaker.Deletions)+len(ts.breaker.Requested) != 0 {
		t.Error("they are not")
	}
}

// A deletion counts once, from the moment that Kubernetes is asked for it: whatever
// the watch tells before the answer, and whatever is decided meanwhile.
func TestBreakerDeleting(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(ts *tracker, r *state.Record, decide func(kind policy.AbsenceKind))
		lost, all int
	}{
		"nothing": {func(*tracker, *state.Record, func(policy.AbsenceKind)) {}, 3, 10},
		"it is done": {func(ts *tracker, r *state.Record, _ func(policy.AbsenceKind)) {
			ts.recordChanged(r, nil)
			ts.deleted("a", noon)
		}, 3, 10},
		"the watch is first": {func(ts *tracker, r *state.Record, decide func(policy.AbsenceKind)) {
			ts.recordChanged(r, nil)
			decide(policy.NotAbsent)
			ts.deleted("a", noon)
		}, 3, 10},
		"the answer is first": {func(ts *tracker, r *state.Record, decide func(policy.AbsenceKind)) {
			ts.deleted("a", noon)
			ts.recordChanged(r, nil)
			decide(policy.NotAbsent)
		}, 3, 10},
		"a finalizer keeps it": {func(ts *tracker, r *state.Record, _ func(policy.AbsenceKind)) {
			q := *r
			q.Terminating = true
			ts.recordChanged(r, &q)
			ts.deleted("a", noon)
		}, 3, 10},
		"it is decided before": {func(_ *tracker, _ *state.Record, decide func(policy.AbsenceKind)) { decide(policy.Unexplained) }, 3, 10},
		"it is not known if": {func(ts *tracker, r *state.Record, decide func(policy.AbsenceKind)) {
			decide(policy.Unexplained)
			ts.deleting("a", r, policy.Unexplained, noon)
		}, 3, 10},
		"it is refused": {func(ts *tracker, r *state.Record, decide func(policy.AbsenceKind)) {
			ts.notDeleted(r)
			decide(policy.Unexplained)
		}, 3, 10},
		"it is refused, and there": {func(ts *tracker, r *state.Record, decide func(policy.AbsenceKind)) {
			ts.notDeleted(r)
			decide(policy.NotAbsent)
		}, 2, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := defaultRules()
			ts := newTracker(&settings, metrics.New())
			records := map[string]*state.Record{}
			for _, id := range strings.Split("abcdefghij", "") {
				records[id] = aRecord()
				records[id].UID = state.UIDOf(types.UID(id))
				ts.recordChanged(nil, records[id])
			}
			decide := func(id string, kind policy.AbsenceKind) {
				ts.update(id, noon, func(tr policy.Memory, b *policy.Breaker) policy.Memory {
					o := policy.Observation{Record: records[id]}
					if o.Recall(tr, b); o.Deleting && kind == policy.Unexplained {
						kind = policy.NotAbsent
					}
					tr.Gauges.Absence, tr.Gauges.Namespace = kind, "ns"
					return tr
				})
			}
			for _, id := range []string{"a", "b", "c"} {
				decide(id, policy.Unexplained)
			}
			ts.deleting("a", records["a"], policy.Unexplained, noon)
			tc.meanwhile(ts, records["a"], func(kind policy.AbsenceKind) { decide("a", kind) })
			c := ts.breaker.Snapshot(noon)
			if lost, all := c.Absent+c.Deleted, c.Records+c.Deleted; lost != tc.lost || all != tc.all {
				t.Errorf("%d of %d are lost, want %d of %d", lost, all, tc.lost, tc.all)
			}
			h := c.Namespaces["ns"]
			if lost, all := h.Unexplained+c.DeletedIn["ns"], h.Records-c.CachedIn["ns"]+c.DeletedIn["ns"]; lost != tc.lost || all != tc.all {
				t.Errorf("%d of %d of its namespace are lost, want %d of %d", lost, all, tc.lost, tc.all)
			}
		})
	}
}

// Records that nobody deletes do not hide that all others of a namespace have lost
// their volumes: copies, and those behind a finalizer.
func TestBreakerNamespace(t *testing.T) {
	t.Parallel()
	for name, beside := range map[string]func(*tracker){
		"nothing": func(*tracker) {},
		"a copy of one": func(ts *tracker) {
			ts.recordChanged(nil, aRecord())
			ts.update("a", noon, func(tr policy.Memory, _ *policy.Breaker) policy.Memory {
				tr.Gauges.Duplicates = 1
				return tr
			})
		},
		"a terminating one": func(ts *tracker) {
			r := aRecord()
			ts.recordChanged(nil, r)
			ending := *r
			ending.Terminating = true
			ts.recordChanged(r, &ending)
		},
		"one that was deleted, behind a finalizer": func(ts *tracker) {
			r := aRecord()
			r.UID = state.UIDOf("z")
			ts.recordChanged(nil, r)
			ts.update("z", noon, func(tr policy.Memory, _ *policy.Breaker) policy.Memory {
				tr.Gauges.Absence, tr.Gauges.Namespace = policy.Unexplained, "ns"
				return tr
			})
			ts.deleting("z", r, policy.Unexplained, noon)
			ts.deleted("z", noon)
			ending := *r
			ending.Terminating = true
			ts.recordChanged(r, &ending)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := defaultRules()
			settings.MaxOrphanCount = 2
			ts := newTracker(&settings, metrics.New())
			for range 100 {
				other := aRecord()
				other.NamespaceID = state.Intern("other")
				ts.recordChanged(nil, other)
			}
			for _, id := range []string{"a", "b", "c"} {
				ts.recordChanged(nil, aRecord())
				ts.update(id, noon, func(tr policy.Memory, _ *policy.Breaker) policy.Memory {
					tr.Gauges.Namespace = "ns"
					return tr
				})
			}
			beside(ts)
			for _, id := range []string{"a", "b", "c"} {
				if ts.holding() != "" && id != "c" {
					t.Errorf("it trips before %s is absent", id)
				}
				ts.update(id, noon, func(tr policy.Memory, _ *policy.Breaker) policy.Memory {
					tr.Gauges.Absence = policy.Unexplained
					return tr
				})
			}
			if ts.holding() == "" {
				t.Error("every volume of the namespace is absent, and it does not trip")
			}
		})
	}
}
