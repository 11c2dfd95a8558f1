package writer

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// A record that was asked for and that the cache does not have is looked for before another
// is made. It is forgotten once it is known not to be there, or to be another's.
func TestUncached(t *testing.T) {
	t.Parallel()
	deleted := func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Unix(1_700_000_000, 0)} }
	for name, tc := range map[string]struct {
		uid    types.UID // that is remembered, "" if nobody knows whether it was made
		record func(r *v1.Volume)
		none   bool
		fail   error
		is     string
		made   bool // another one
		kept   bool // it is remembered still
	}{
		"it was made":                      {uid: "its", is: "written, again", kept: true},
		"nobody knows, and it was":         {is: "written, again", kept: true},
		"it was not":                       {none: true, is: "written", made: true},
		"it cannot be read":                {fail: errBroken, is: "error", kept: true},
		"it was, and has gone for another": {uid: "other", is: "written", made: true},
		"it is being deleted":              {record: deleted, uid: "its", is: ", again", kept: true},
		"a hand has made it another's": {record: func(r *v1.Volume) {
			r.Labels[v1.LabelVolumeID], r.Status.VolumeID = "x", "x"
		}, uid: "its", is: "written", made: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := newWriter(t)
			c, r := aChange(t)
			r.Name, r.UID = "uncached", "its"
			if tc.record != nil {
				tc.record(r)
			}
			if !tc.none {
				s.store(r)
			}
			s.fail = func(string) error { return tc.fail }
			remembered := creation{"uncached", state.UIDOf(tc.uid)}
			w.creations.learn(c.VolumeID, remembered)
			is, _, err := write(t.Context(), w, c, nil)
			if is != tc.is || tc.fail != nil && !errors.Is(err, tc.fail) {
				t.Errorf("%s (%v), want %s", is, err, tc.is)
			}
			if made := slices.Contains(s.calls, "create pv"); made != tc.made || s.calls[0] != `get uncached at ""` {
				t.Errorf("another was made: %v, want %v: %v", made, tc.made, s.calls)
			}
			if now, _ := w.creations.of(c.VolumeID); (now == remembered) != tc.kept {
				t.Errorf("%+v is remembered", now)
			}
			// Of what is not there nothing is remembered, also if no other is made.
			s.fail = nil
			w.creations.learn(c.VolumeID, remembered)
			if live, err := w.uncached(t.Context(), c.VolumeID); err != nil || tc.made != (live == nil) || w.Uncached() == 0 != tc.made {
				t.Errorf("%v, %v, and %d are remembered", live, err, w.Uncached())
			}
		})
	}
}

// The first creation after the cache may have lacked records lists them all, once it can, and
// what the cache has is not taken for something that it lacks.
func TestListAnew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		distrust bool
		cached   string // the record that the cache has of the volume: "", "it", "another"
		pages    []string
		calls    []string
		is       string
		uncached types.UID // the record that is remembered then
	}{
		"the cache lacks none":       {cached: "it", is: ", again"},
		"the cache lacks it":         {distrust: true, calls: []string{`list ""`, `get old at ""`}, is: "written, again", uncached: "its"},
		"the cache has it":           {distrust: true, cached: "it", calls: []string{`list ""`}, is: ", again"},
		"the cache has had another":  {distrust: true, cached: "another", calls: []string{`list ""`, `get old at ""`}, is: "written, again", uncached: "its"},
		"there are too many at once": {distrust: true, pages: []string{"2", "3"}, calls: []string{`list ""`, `list "2"`, `list "3"`, `get old at ""`}, is: "written, again", uncached: "its"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, cache := newWriter(t)
			c, r := aChange(t)
			r.Name, r.UID = "old", "its"
			s.store(r)
			s.pages = tc.pages
			if tc.cached != "" {
				was := state.NewRecord(r)
				if tc.cached == "another" {
					was.UID = state.UIDOf("other")
				}
				cache.records[r.Name] = was
			}
			if tc.distrust {
				w.Distrust()
				s.fail = func(string) error { return errBroken }
				if is, _, err := write(t.Context(), w, c, nil); is != "error" || !errors.Is(err, errBroken) {
					t.Errorf("while they cannot be listed: %s, %v", is, err)
				}
				s.fail, s.calls = nil, nil
			}
			if is, _, err := write(t.Context(), w, c, nil); is != tc.is {
				t.Errorf("%s (%v), want %s", is, err, tc.is)
			}
			withoutPatches := slices.DeleteFunc(s.calls, func(call string) bool { return call[:5] == "patch" })
			if diff := cmp.Diff(tc.calls, withoutPatches); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if is, _ := w.creations.of(c.VolumeID); is.uid.Text() != tc.uncached {
				t.Errorf("%+v is remembered", is)
			}
			s.calls = nil
			_, _, _ = write(t.Context(), w, c, nil)
			if slices.Contains(s.calls, `list ""`) {
				t.Error("they are listed again")
			}
		})
	}
}

// What is remembered of creations, and what is not any more.
func TestCreations(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		history func(*creations)
		want    map[string]creation
	}{
		"asked for": {func(c *creations) { c.begun("v", "r") }, map[string]creation{"v": {name: "r"}}},
		"made":      {func(c *creations) { c.begun("v", "r"); c.made("v", creation{"r", state.UIDOf("u")}) }, map[string]creation{"v": {"r", state.UIDOf("u")}}},
		"made, and the cache had it before": {func(c *creations) {
			c.begun("v", "r")
			c.cached(&state.Record{Name: "r", UID: state.UIDOf("u"), LabelID: "v"})
			c.made("v", creation{"r", state.UIDOf("u")})
		}, map[string]creation{}},
		"made, and the cache has another": {func(c *creations) {
			c.begun("v", "r")
			c.made("v", creation{"r", state.UIDOf("u")})
			c.cached(&state.Record{Name: "r", UID: state.UIDOf("x"), LabelID: "v"})
		}, map[string]creation{"v": {"r", state.UIDOf("u")}}},
		"forgotten": {func(c *creations) { c.begun("v", "r"); c.forget("v") }, map[string]creation{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCreations()
			tc.history(c)
			if diff := cmp.Diff(tc.want, c.all, cmp.AllowUnexported(creation{})); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
			if n := c.len(); n != len(tc.want) || !c.mu.TryLock() {
				t.Errorf("%d are remembered, or counting them never ends", n)
			}
		})
	}
}

// Where more than so many are remembered, those go of which nobody knows whether they were
// made, unless their volumes are listed.
func TestBound(t *testing.T) {
	t.Parallel()
	for most, want := range map[int]int{4: 3, 3: 3, 2: 2, 0: 2} {
		t.Run(fmt.Sprint(most, " at most"), func(t *testing.T) {
			t.Parallel()
			w, _, cache := newWriter(t)
			w.creations.begun("uncertain", "a")
			w.creations.learn("made", creation{"b", state.UIDOf("u")})
			w.creations.begun("uncertain and listed", "c")
			cache.lists["uncertain and listed"] = true
			w.MaxUncertain = most
			w.Bound()
			if n := w.Uncached(); n != want {
				t.Errorf("%d are remembered, want %d", n, want)
			}
		})
	}
}
