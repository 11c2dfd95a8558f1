package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

func TestTrips(t *testing.T) {
	t.Parallel()
	one := func(h headcount) map[string]headcount { return map[string]headcount{"ns": h} }
	for name, tc := range map[string]struct {
		census census
		want   string // in the reason; "": it does not trip
	}{
		"nothing is absent":              {census{records: 100}, ""},
		"few of few":                     {census{records: 10, absent: 10}, ""},
		"many of many more":              {census{records: 1000, absent: 200}, ""},
		"more than both":                 {census{records: 1000, absent: 201}, "201 of 1000"},
		"one more than the count":        {census{records: 55, absent: 11}, ""},
		"and than the percentage":        {census{records: 54, absent: 11}, "11 of 54"},
		"what was deleted lately counts": {census{records: 50, absent: 5, deleted: 8}, "13 of 58"},
		"and so do the records it took":  {census{records: 52, absent: 5, deleted: 8}, "13 of 60"},
		"not quite":                      {census{records: 57, absent: 5, deleted: 8}, ""},

		"all of a namespace":                      {census{records: 1000, absent: 11, namespaces: one(headcount{records: 11, unexplained: 11})}, "all 11 records"},
		"all of a small one":                      {census{records: 1000, absent: 10, namespaces: one(headcount{records: 10, unexplained: 10})}, ""},
		"all but one":                             {census{records: 1000, absent: 11, namespaces: one(headcount{records: 12, unexplained: 11})}, ""},
		"all but one that is explained":           {census{records: 1000, absent: 11, namespaces: one(headcount{records: 12, unexplained: 11, explained: 1})}, "all 11 records"},
		"all, and nearly all are explained":       {census{records: 1000, absent: 1, namespaces: one(headcount{records: 200, unexplained: 1, explained: 199})}, ""},
		"all but a copy of one":                   {census{records: 1000, absent: 11, namespaces: one(headcount{records: 12, copies: 1, unexplained: 11})}, "all 11 records"},
		"what was deleted of it lately counts":    {census{records: 1000, absent: 6, deleted: 5, namespaces: one(headcount{records: 6, unexplained: 6}), deletedIn: map[string]int{"ns": 5}}, "all 11 records"},
		"records that name no namespace are none": {census{records: 1000, absent: 50, namespaces: map[string]headcount{"": {records: 50, unexplained: 50}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := DefaultSettings()
			got := settings.trips(tc.census)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// It trips at once, goes only when it is reset, and deletions count for as long
// as the hold.
func TestBreaker(t *testing.T) {
	t.Parallel()
	settings := DefaultSettings()
	settings.MaxOrphanCount = 2
	ts := newTracks(&settings, metrics.New())
	ids := strings.Split("abcdefghij", "")
	records := map[string]*state.Record{}
	for _, id := range ids {
		records[id] = recordOf(state.Summary{})
		records[id].UID = state.UID(id)
		ts.recordChanged(nil, records[id])
	}
	absent := func(id string, kind absenceKind) {
		ts.update(id, noon, func(tr track, _ *breaker) track {
			tr.levels.absence, tr.levels.namespace = kind, "ns"
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
		absent(id, explained)
	}
	tripped(false, "seven are explained")
	absent("h", unexplained)
	absent("i", unexplained)
	tripped(false, "two are not")
	absent("j", unexplained)
	tripped(true, "three are not")
	absent("j", notAbsent)
	tripped(true, "one came back, but no listing was complete since")
	ts.resetBreaker(noon)
	tripped(false, "a listing was complete")
	ts.deleting("h", records["h"], unexplained, noon)
	ts.deleting("a", records["a"], explained, noon)
	ts.resetBreaker(noon)
	tripped(false, "of two that are deleted, one was explained")
	absent("j", unexplained)
	tripped(true, "with the one that was deleted there are three")
	ts.resetBreaker(noon.Add(settings.MassOrphanHold))
	tripped(false, "after the hold, deletions are forgotten")
	if len(ts.breaker.deletions)+len(ts.breaker.asked) != 0 {
		t.Error("they are not")
	}
}

// Of a deletion that was asked for again the last time counts.
func TestBreakerDeletingAgain(t *testing.T) {
	t.Parallel()
	settings := DefaultSettings()
	b := newBreaker(&settings)
	r, other := recordOf(state.Summary{}), recordOf(state.Summary{})
	other.UID = "other"
	b.deleting(noon, r)
	b.deleting(noon.Add(time.Second), other)
	b.deleting(noon.Add(settings.MassOrphanHold-time.Second), r)
	for after, want := range map[time.Duration]int{0: 2, settings.MassOrphanHold: 2} {
		if n := b.census(noon.Add(after)).deleted; n != want {
			t.Errorf("after %v: %d deletions, want %d", after, n, want)
		}
	}
	if n := b.census(noon.Add(settings.MassOrphanHold + time.Second)).deleted; n != 1 {
		t.Errorf("when the hold of one is over there are %d", n)
	}
}

// A deletion counts once, from the moment that Kubernetes is asked for it: whatever
// the watch tells before the answer, and whatever is decided meanwhile.
func TestBreakerDeleting(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(ts *tracks, r *state.Record, decide func(kind absenceKind))
		lost, all int
	}{
		"nothing": {func(*tracks, *state.Record, func(absenceKind)) {}, 3, 10},
		"it is done": {func(ts *tracks, r *state.Record, _ func(absenceKind)) {
			ts.recordChanged(r, nil)
			ts.deleted("a", noon)
		}, 3, 10},
		"the watch is first": {func(ts *tracks, r *state.Record, decide func(absenceKind)) {
			ts.recordChanged(r, nil)
			decide(notAbsent)
			ts.deleted("a", noon)
		}, 3, 10},
		"the answer is first": {func(ts *tracks, r *state.Record, decide func(absenceKind)) {
			ts.deleted("a", noon)
			ts.recordChanged(r, nil)
			decide(notAbsent)
		}, 3, 10},
		"a finalizer keeps it": {func(ts *tracks, r *state.Record, _ func(absenceKind)) {
			q := *r
			q.Terminating = true
			ts.recordChanged(r, &q)
			ts.deleted("a", noon)
		}, 3, 10},
		"it is decided before": {func(_ *tracks, _ *state.Record, decide func(absenceKind)) { decide(unexplained) }, 3, 10},
		"it is not known if": {func(ts *tracks, r *state.Record, decide func(absenceKind)) {
			decide(unexplained)
			ts.deleting("a", r, unexplained, noon)
		}, 3, 10},
		"it is refused":            {func(ts *tracks, r *state.Record, decide func(absenceKind)) { ts.notDeleted(r); decide(unexplained) }, 3, 10},
		"it is refused, and there": {func(ts *tracks, r *state.Record, decide func(absenceKind)) { ts.notDeleted(r); decide(notAbsent) }, 2, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := DefaultSettings()
			ts := newTracks(&settings, metrics.New())
			records := map[string]*state.Record{}
			for _, id := range strings.Split("abcdefghij", "") {
				records[id] = recordOf(state.Summary{})
				records[id].UID = state.UID(id)
				ts.recordChanged(nil, records[id])
			}
			decide := func(id string, kind absenceKind) {
				ts.update(id, noon, func(tr track, b *breaker) track {
					o := observation{record: records[id]}
					if o.heeds(tr, b); o.deleting && kind == unexplained {
						kind = notAbsent
					}
					tr.levels.absence, tr.levels.namespace = kind, "ns"
					return tr
				})
			}
			for _, id := range []string{"a", "b", "c"} {
				decide(id, unexplained)
			}
			ts.deleting("a", records["a"], unexplained, noon)
			tc.meanwhile(ts, records["a"], func(kind absenceKind) { decide("a", kind) })
			c := ts.breaker.census(noon)
			if lost, all := c.absent+c.deleted, c.records+c.deleted; lost != tc.lost || all != tc.all {
				t.Errorf("%d of %d are lost, want %d of %d", lost, all, tc.lost, tc.all)
			}
			h := c.namespaces["ns"]
			if lost, all := h.unexplained+c.deletedIn["ns"], h.records-c.cachedIn["ns"]+c.deletedIn["ns"]; lost != tc.lost || all != tc.all {
				t.Errorf("%d of %d of its namespace are lost, want %d of %d", lost, all, tc.lost, tc.all)
			}
		})
	}
}

// Records that nobody deletes do not hide that all others of a namespace have lost
// their volumes: copies, and those behind a finalizer.
func TestBreakerNamespace(t *testing.T) {
	t.Parallel()
	for name, beside := range map[string]func(*tracks){
		"nothing": func(*tracks) {},
		"a copy of one": func(ts *tracks) {
			ts.recordChanged(nil, recordOf(state.Summary{}))
			ts.update("a", noon, func(tr track, _ *breaker) track {
				tr.levels.copies = 1
				return tr
			})
		},
		"a terminating one": func(ts *tracks) {
			r := recordOf(state.Summary{})
			ts.recordChanged(nil, r)
			ending := *r
			ending.Terminating = true
			ts.recordChanged(r, &ending)
		},
		"one that was deleted, behind a finalizer": func(ts *tracks) {
			r := recordOf(state.Summary{})
			r.UID = "z"
			ts.recordChanged(nil, r)
			ts.update("z", noon, func(tr track, _ *breaker) track {
				tr.levels.absence, tr.levels.namespace = unexplained, "ns"
				return tr
			})
			ts.deleting("z", r, unexplained, noon)
			ts.deleted("z", noon)
			ending := *r
			ending.Terminating = true
			ts.recordChanged(r, &ending)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := DefaultSettings()
			settings.MaxOrphanCount = 2
			ts := newTracks(&settings, metrics.New())
			for range 100 {
				other := recordOf(state.Summary{})
				other.NamespaceID = state.Intern("other")
				ts.recordChanged(nil, other)
			}
			for _, id := range []string{"a", "b", "c"} {
				ts.recordChanged(nil, recordOf(state.Summary{}))
				ts.update(id, noon, func(tr track, _ *breaker) track {
					tr.levels.namespace = "ns"
					return tr
				})
			}
			beside(ts)
			for _, id := range []string{"a", "b", "c"} {
				if ts.holding() != "" && id != "c" {
					t.Errorf("it trips before %s is absent", id)
				}
				ts.update(id, noon, func(tr track, _ *breaker) track {
					tr.levels.absence = unexplained
					return tr
				})
			}
			if ts.holding() == "" {
				t.Error("every volume of the namespace is absent, and it does not trip")
			}
		})
	}
}
