package source

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// shown is a volume in a list of these tests: its ID and what stands for its
// content.
type shown struct {
	id  string
	raw uint64
}

// tell reads a list into the view, as the poller does, but stops after some
// entries unless that is -1. It returns how many it had to decode.
func tell(v *View, l *Listing, namespaceID string, list []shown, stop int) (decoded int) {
	decoded, _ = readList(v.Read(l, namespaceID), list, stop)
	return decoded
}

// readList does so with a list that was asked for. It returns the volumes of which the list
// counts now, too.
func readList(r *ListDiff, list []shown, stop int) (decoded int, overtaken []string) {
	is := storageos.FingerprintOf(fmt.Append(nil, list))
	if r.known() == is && stop < 0 {
		return 0, r.Close(is, true)
	}
	for n, s := range list {
		if n == stop {
			break
		}
		if !r.recognise(s.raw) && r.Show(s.id, s.raw) == changed {
			decoded++
			r.Store(s.id, s.raw, digestOfContent(s.raw), "")
		}
	}
	if stop >= 0 {
		is = storageos.Fingerprint{}
	}
	return decoded, r.Close(is, stop < 0)
}

// at is the n-th listing.
func at(n int) *Listing { return &Listing{Begun: noon, Verified: true, Cluster: fmt.Sprint(n)} }

// The view: what a listing shows, and what its end means.
func TestView(t *testing.T) {
	t.Parallel()
	v := newView()
	if p := v.Look("a").Presence; p != policy.Unknown {
		t.Errorf("before any listing: %v", p)
	}
	l := at(1)
	if n := tell(v, l, "ns", []shown{{"a", 1}, {"b", 1}}, -1); n != 2 {
		t.Errorf("%d of 2 new volumes were decoded", n)
	}
	if p := v.Look("c").Presence; p != policy.Unknown {
		t.Errorf("before a complete listing: %v", p)
	}
	v.End(l, true)
	if p := v.Look("c").Presence; p != policy.Absent {
		t.Errorf("after a complete listing: %v", p)
	}
	l = at(2)
	if n := tell(v, l, "ns", []shown{{"b", 1}, {"a", 1}}, -1); n != 0 {
		t.Errorf("in another order, %d were decoded", n)
	}
	v.End(l, true)
	l = at(3)
	tell(v, l, "ns", []shown{{"a", 1}, {"b", 1}}, 1)
	if gone, _ := v.End(l, false); gone != nil || !v.Lists("b") {
		t.Errorf("an incomplete listing took %v away", gone)
	}
	l = at(4)
	if n := tell(v, l, "ns", []shown{{"a", 2}, {"a", 3}}, -1); n != 1 {
		t.Errorf("%d were decoded, want the changed one", n)
	}
	gone, _ := v.End(l, true)
	if diff := cmp.Diff([]string{"b"}, gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	if s := v.Look("a"); s.Presence != policy.Present || s.Invalid != ListedTwice {
		t.Errorf("listed twice: %+v", s)
	}
}

// Of which cluster a volume is stays known while a list that has changed is read, and after
// a listing of which nobody knows the cluster.
func TestViewAgreed(t *testing.T) {
	t.Parallel()
	v, first, unknown := newView(), at(1), &Listing{Begun: noon}
	tell(v, first, "ns", []shown{{"a", 1}, {"b", 2}}, -1)
	v.End(first, true)
	agreed := func(when string) {
		t.Helper()
		for _, id := range []string{"a", "b"} {
			if s := v.Look(id); !s.ClusterVerified || s.Cluster != first.Cluster {
				t.Errorf("%s, volume %s: %+v", when, id, s)
			}
		}
	}
	agreed("at first")
	tell(v, unknown, "ns", []shown{{"b", 2}, {"a", 3}}, -1)
	agreed("while it is read")
	v.End(unknown, false)
	agreed("afterwards")
}

// What a list that has changed showed before is not kept.
func TestViewKeepsNothingOld(t *testing.T) {
	t.Parallel()
	v := newView()
	for n := range 5 {
		l := at(n)
		tell(v, l, "ns", []shown{{"a", 1}, {"b", uint64(n)}, {fmt.Sprint(n), 1}}, -1)
		if kept := v.states["ns"].stale; len(kept) > 1 {
			t.Errorf("listing %d: %d volumes are looked for, want the one that is gone", n, len(kept))
		}
		v.End(l, true)
		if kept := v.states["ns"].stale; kept != nil {
			t.Errorf("listing %d: room for %d volumes is kept", n, cap(kept))
		}
	}
	l := at(9)
	tell(v, l, "ns", []shown{{"a", 1}, {"b", 9}, {"4", 1}}, -1)
	if kept := v.states["ns"].stale; kept != nil {
		t.Errorf("nothing is gone: room for %d volumes is kept", cap(kept))
	}
}

// A list that is as it was has every volume that it had, also if what is known of it
// is thrown away while it is read.
func TestViewKnown(t *testing.T) {
	t.Parallel()
	v, first, second := newView(), at(1), at(2)
	list := []shown{{"a", 1}, {"b", 2}}
	tell(v, first, "ns", list, -1)
	v.End(first, true)
	r := v.Read(second, "ns")
	is := r.known()
	v.setNodes(map[string]string{"n": "node"})
	r.Close(is, true)
	if gone, _ := v.End(second, true); gone != nil || !v.Lists("a") {
		t.Errorf("gone are %v", gone)
	}
	if n := tell(v, at(3), "ns", list, -1); n != len(list) {
		t.Errorf("%d were decoded after the nodes have changed", n)
	}
}

// A volume that another namespace has shown already is not recognised by its bytes,
// even if they are the same.
func TestViewSameBytesElsewhere(t *testing.T) {
	t.Parallel()
	v, first, second := newView(), at(1), at(2)
	tell(v, first, "one", []shown{{"a", 1}}, -1)
	v.End(first, true)
	tell(v, second, "two", []shown{{"a", 1}}, -1)
	tell(v, second, "one", []shown{{"a", 1}, {"b", 2}}, -1)
	if _, twice := v.End(second, true); twice != 0 || v.Look("a").Invalid != ListedTwice {
		t.Errorf("%d were found to be listed twice in the end; it is %+v", twice, v.Look("a"))
	}
}

// One ID in two namespaces that are listed at the same time: both were asked
// for before one was stored.
func TestViewShownAtOnce(t *testing.T) {
	t.Parallel()
	v, l := newView(), at(1)
	one, two := v.Read(l, "one"), v.Read(l, "two")
	if one.Show("a", 1) != changed || two.Show("a", 2) != changed {
		t.Fatal("it is new to both")
	}
	if !one.Store("a", 1, state.Digest{Content: 1}, "") || two.Store("a", 2, state.Digest{Content: 2}, "") {
		t.Error("the second was stored over the first")
	}
	v.End(l, true)
	if s := v.Look("a"); s.Invalid != ListedTwice {
		t.Errorf("it is %+v", s)
	}
}

// A volume that another namespace shows may be listed in both: nothing is
// decided of it before the listing has ended. Whether the list that showed it
// first is looked into again does not matter.
func TestViewMoved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		one   []shown // what the first namespace lists then
		twice bool
	}{
		"it has moved":                             {nil, false},
		"it is listed in both":                     {[]shown{{"a", 1}}, true},
		"it is listed in both, and more than that": {[]shown{{"a", 1}, {"b", 1}}, true},
	} {
		for order, before := range map[string]bool{"before the other": true, "after the other": false} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				v, first, second := newView(), at(1), at(2)
				tell(v, first, "one", []shown{{"a", 1}}, -1)
				tell(v, first, "two", nil, -1)
				v.End(first, true)
				if before {
					tell(v, second, "one", tc.one, -1)
				}
				tell(v, second, "two", []shown{{"a", 2}}, -1)
				if s := v.Look("a"); !s.Moved && s.Invalid == "" {
					t.Error("it has not moved")
				}
				if !before {
					tell(v, second, "one", tc.one, -1)
				}
				v.End(second, true)
				if s := v.Look("a"); s.Moved || (s.Invalid == ListedTwice) != tc.twice {
					t.Errorf("it is %+v", s)
				}
			})
		}
	}
}

// Volumes that have changed, come or gone do not make a list one of another order:
// only for that are all that it showed before put into a map.
func TestReadingOrder(t *testing.T) {
	t.Parallel()
	const volumes = 100
	for name, tc := range map[string]struct {
		change  func([]shown) []shown
		decoded int
		another bool // order
	}{
		"one has changed":    {func(l []shown) []shown { l[50].raw = 1000; return l }, 1, false},
		"neighbours changed": {func(l []shown) []shown { l[50].raw, l[51].raw, l[52].raw = 1000, 1001, 1002; return l }, 3, false},
		"every tenth changed": {func(l []shown) []shown {
			for i := 0; i < volumes; i += 10 {
				l[i].raw += 1000
			}
			return l
		}, 10, false},
		"the last has changed": {func(l []shown) []shown { l[volumes-1].raw = 1000; return l }, 1, false},
		"some have come":       {func(l []shown) []shown { return slices.Insert(l, 50, shown{"x", 1000}, shown{"y", 1001}) }, 2, false},
		"some have gone":       {func(l []shown) []shown { return slices.Delete(l, 50, 53) }, 0, false},
		"the first have gone":  {func(l []shown) []shown { return l[2:] }, 0, false},
		"most have gone":       {func(l []shown) []shown { return slices.Delete(l, 10, 90) }, 0, true},
		"another order":        {func(l []shown) []shown { slices.Reverse(l); return l }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView()
			list := make([]shown, volumes)
			for i := range list {
				list[i] = shown{fmt.Sprint("v", i), uint64(i + 1)}
			}
			tell(v, at(1), "ns", list, -1)
			list = tc.change(list)
			r, decoded := v.Read(at(2), "ns"), 0
			for _, s := range list {
				if !r.recognise(s.raw) && r.Show(s.id, s.raw) == changed {
					decoded++
					r.Store(s.id, s.raw, state.Digest{Content: s.raw}, "")
				}
			}
			if decoded != tc.decoded || (r.byRaw != nil) != tc.another {
				t.Errorf("%d were decoded, another order: %v; want %d, %v", decoded, r.byRaw != nil, tc.decoded, tc.another)
			}
			if n := len(r.ns.order); n != len(list) {
				t.Errorf("of %d volumes %d are in the order", len(list), n)
			}
		})
	}
}

// A view that is full takes no volume more, and still knows those that it has.
func TestViewFull(t *testing.T) {
	t.Parallel()
	v := newView()
	v.most = 1
	tell(v, at(1), "ns", []shown{{"a", 1}}, -1)
	if v.full("a") || !v.full("b") {
		t.Error("there is room for another, or none for the one that is there")
	}
}
