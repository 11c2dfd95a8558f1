package source

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Of a list in another order, or of one that has changed, few IDs have to be read.
func TestRecognised(t *testing.T) {
	t.Parallel()
	const volumes = 100
	for name, tc := range map[string]struct {
		change func([]shown) []shown
		read   int // IDs
	}{
		"the same":              {func(l []shown) []shown { return l }, 0},
		"the first has changed": {func(l []shown) []shown { l[0].raw = 1000; return l }, 1},
		"the first has gone":    {func(l []shown) []shown { return l[1:] }, 0},
		"the last is new":       {func(l []shown) []shown { return append(l, shown{"x", 1000}) }, 1},
		"another order":         {func(l []shown) []shown { slices.Reverse(l); return l }, mostLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView()
			list := make([]shown, volumes)
			for i := range list {
				list[i] = shown{fmt.Sprint("v", i), uint64(i + 1)}
			}
			tell(v, at(1), "ns", list, -1)
			r, read := v.Read(at(2), "ns"), 0
			for _, s := range tc.change(list) {
				if r.recognise(s.raw) {
					continue
				}
				read++
				if r.Show(s.id, s.raw) == changed {
					r.Store(s.id, s.raw, state.Digest{}, "")
				}
			}
			if read != tc.read {
				t.Errorf("%d IDs were read, want %d", read, tc.read)
			}
		})
	}
}

// A list whose volume another one has shown since is looked into, whatever its bytes.
func TestShownElsewhereSince(t *testing.T) {
	t.Parallel()
	v, first, second := newView(), at(1), at(2)
	tell(v, first, "one", []shown{{"a", 1}}, -1)
	tell(v, first, "two", nil, -1)
	v.End(first, true)
	if v.states["one"].rev.fingerprint == (storageos.Fingerprint{}) {
		t.Fatal("a list that is as it was would be looked into")
	}
	tell(v, second, "two", []shown{{"a", 2}}, -1)
	if v.states["one"].rev.fingerprint != (storageos.Fingerprint{}) {
		t.Error("it would pass for unchanged")
	}
}

// A volume that comes back to the list that it had left is decoded again, with what that list
// shows now.
func TestMovedAndBack(t *testing.T) {
	t.Parallel()
	v := newView()
	list := func(n int, complete bool, one []shown, stop int, two []shown) {
		l := at(n)
		tell(v, l, "one", one, stop)
		tell(v, l, "two", two, -1)
		v.End(l, complete)
	}
	list(1, true, []shown{{"a", 1}}, -1, nil)
	list(2, false, []shown{{"a", 1}}, 0, []shown{{"a", 2}}) // cut: it may show it still
	if s := v.Look("a"); s.NamespaceID != "two" || s.Digest.Content != 2 || len(v.ambiguous) != 1 {
		t.Fatalf("it is %+v, in doubt are %v", s, v.ambiguous)
	}
	for n := range 2 { // the second decodes it
		list(3+n, true, []shown{{"a", 3}}, -1, nil)
	}
	if s := v.Look("a"); s.NamespaceID != "one" || s.Digest.Content != 3 || len(v.ambiguous) != 0 {
		t.Errorf("it is %+v, in doubt are %v", s, v.ambiguous)
	}
}

// A volume that two lists have shown is gone once both have let it go, one after the other,
// whichever had shown it first.
func TestBothLetItGo(t *testing.T) {
	t.Parallel()
	v := newView()
	a := func(raw uint64) []shown { return []shown{{"a", raw}} }
	list := func(n int, one, two []shown, fails bool) (changed []string) {
		l := at(n)
		tell(v, l, "one", one, -1)
		if !fails {
			tell(v, l, "two", two, -1)
		}
		changed, _ = v.End(l, !fails)
		return changed
	}
	list(1, a(1), a(2), false)
	list(2, nil, nil, true)
	if s := v.Look("a"); s.Presence != policy.Present || s.NamespaceID != "two" || len(v.ambiguous) > 0 {
		t.Fatalf("it is %+v, in doubt are %v", s, v.ambiguous)
	}
	if gone := list(3, nil, nil, false); !slices.Equal(gone, []string{"a"}) || v.Look("a").Presence != policy.Absent {
		t.Errorf("gone are %v, it is %v", gone, v.Look("a").Presence)
	}
}

// While a list is never read to its end, what one part of it has shown twice and another does
// not show is given up, with the doubt.
func TestTwiceInAList(t *testing.T) {
	t.Parallel()
	v := newView()
	list := func(n int, list ...shown) {
		l := at(n)
		tell(v, l, "ns", append(list, shown{"cut", 1}), len(list))
		v.End(l, false)
	}
	list(1, shown{"a", 1}, shown{"a", 2}, shown{"b", 1})
	if len(v.ambiguous) != 1 || v.Look("a").Invalid != ListedTwice {
		t.Fatalf("in doubt are %v", v.ambiguous)
	}
	for n := range 2 {
		list(2+n, shown{"b", 1})
		if v.Lists("a") || len(v.ambiguous) != 0 || !v.Lists("b") {
			t.Errorf("it is listed: %v, in doubt are %v", v.Lists("a"), v.ambiguous)
		}
	}
}

// The end of a listing tells of which volumes more is known now.
func TestEndTells(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		history  func(v *View, l *Listing)
		complete bool
		changed  []string
		twice    int
		unknown  []string
	}{
		"nothing has changed": {func(v *View, l *Listing) {
			tell(v, l, "one", []shown{{"a", 1}}, -1)
			tell(v, l, "two", nil, -1)
		}, true, nil, 0, nil},
		"it has moved": {func(v *View, l *Listing) {
			tell(v, l, "one", nil, -1)
			tell(v, l, "two", []shown{{"a", 2}}, -1)
		}, true, []string{"a"}, 0, nil},
		"it is listed twice, and that list was as it was": {func(v *View, l *Listing) {
			one := v.Read(l, "one")
			is := one.known() // before it is shown elsewhere
			tell(v, l, "two", []shown{{"a", 2}}, -1)
			one.Close(is, true)
		}, true, []string{"a"}, 1, nil},
		"one was asked for before, and is not there": {func(v *View, l *Listing) {
			v.shown("x", l.Begun.Add(-time.Second))
			tell(v, l, "one", []shown{{"a", 1}}, -1)
		}, true, []string{"x"}, 0, nil},
		"one was asked for as it began, and is not there": {func(v *View, l *Listing) {
			v.shown("x", l.Begun)
			tell(v, l, "one", []shown{{"a", 1}}, -1)
		}, true, nil, 0, []string{"x"}},
		"one was asked for before, and the listing is not complete": {func(v *View, l *Listing) {
			v.shown("x", l.Begun.Add(-time.Second))
			tell(v, l, "one", []shown{{"a", 1}}, -1)
		}, false, nil, 0, []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, first, second := newView(), at(1), at(2)
			tell(v, first, "one", []shown{{"a", 1}}, -1)
			tell(v, first, "two", nil, -1)
			v.End(first, true)
			tc.history(v, second)
			changed, twice := v.End(second, tc.complete)
			if diff := cmp.Diff(tc.changed, changed); diff != "" || twice != tc.twice {
				t.Errorf("%d are listed twice, want %d; changed (-want +got):\n%s", twice, tc.twice, diff)
			}
			if s := v.Look("a"); s.Presence != policy.Present || s.Moved || (s.Invalid == ListedTwice) != (tc.twice > 0) {
				t.Errorf("it is %+v", s)
			}
			for _, id := range tc.unknown {
				if is := v.Look(id).Presence; is != policy.Unknown {
					t.Errorf("%s is %v", id, is)
				}
			}
			if n := v.Size().Unknown; n != len(tc.unknown) {
				t.Errorf("%d are unknown, want %d", n, len(tc.unknown))
			}
		})
	}
}
