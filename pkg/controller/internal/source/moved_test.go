package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// A volume that has moved to another namespace is followed there, also while a list
// that has nothing to do with it cannot be read, or that of the namespace it came from.
func TestPollFollowsMoved(t *testing.T) {
	t.Parallel()
	was := map[string][]string{"one": {"a 1", "b 1"}, "two": {"d 1"}, "three": {"c 1"}}
	moved := map[string][]string{"one": {"b 1"}, "two": {"d 1", "a 1"}, "three": {"c 1"}}
	offline := map[string][]string{"one": {"b 1"}, "two": {"d 1", "a 1 offline"}, "three": {"c 1"}}
	twice := map[string][]string{"one": {"a 1", "b 1"}, "two": {"d 1", "a 2"}, "three": {"c 1"}}
	alike := map[string][]string{"one": {"b 1"}, "two": {"a 1 offline", "d 1", "a 1 offline"}, "three": {"c 1"}}
	back := map[string][]string{"one": {"a 1 offline", "b 1", "a 1 offline"}, "two": {"d 1"}, "three": {"c 1"}}
	for name, tc := range map[string]struct {
		failing string
		then    []map[string][]string // what the listings after the first show
		want    v1.Health
		invalid string
		doubt   int // IDs that may be in two lists, for which every list is looked into
	}{
		"another list fails":         {"volumes three", []map[string][]string{moved, offline}, v1.HealthOffline, "", 0},
		"the list it left fails":     {"volumes one", []map[string][]string{moved, offline}, v1.HealthOffline, "", 1},
		"the namespace it left goes": {"volumes three", []map[string][]string{{"two": moved["two"], "three": {"c 1"}}, {"two": offline["two"], "three": {"c 1"}}}, v1.HealthOffline, "", 0},
		"it moves and comes back": {
			"volumes three",
			[]map[string][]string{moved, {"one": {"b 1", "a 1 offline"}, "two": {"d 1"}, "three": {"c 1"}}, {"one": {"b 1", "a 1 offline"}, "two": {"d 1"}, "three": {"c 1"}}},
			v1.HealthOffline, "", 0,
		},
		"it is listed twice, then once": {
			"volumes three", []map[string][]string{twice, offline, offline}, v1.HealthOffline, "", 0,
		},
		"it is listed twice, then once, and that list is cut before it": {
			"volumes two", []map[string][]string{
				twice, {"one": {"b 1"}, "two": {"d 1"}, "three": {"c 1"}}, offline, offline,
			}, v1.HealthOffline, "", 0,
		},
		"it is listed twice, then once, and the other list fails": {
			"volumes one", []map[string][]string{twice, offline, offline}, v1.HealthHealthy, ListedTwice, 1, // it may show it still
		},
		"it is listed twice, and then the namespace goes that showed it first": {
			"volumes three", []map[string][]string{
				twice, {"two": offline["two"], "three": {"c 1"}}, {"two": offline["two"], "three": {"c 1"}},
			}, v1.HealthOffline, "", 0,
		},
		"it is listed twice, and then the namespace goes that showed it last": {
			"volumes three", []map[string][]string{
				twice, {"one": {"a 1 offline", "b 1"}, "three": {"c 1"}}, {"one": {"a 1 offline", "b 1"}, "three": {"c 1"}},
			}, v1.HealthOffline, "", 0,
		},
		"it is listed twice by one list, then once": {
			"volumes three", []map[string][]string{
				{"one": {"b 1"}, "two": {"a 2", "d 1", "a 3"}, "three": {"c 1"}}, offline, offline,
			}, v1.HealthOffline, "", 0,
		},
		"it is listed twice by one list, then twice alike": {
			"volumes three", []map[string][]string{
				{"one": {"b 1"}, "two": {"a 2", "d 1", "a 3"}, "three": {"c 1"}}, alike, alike,
			}, v1.HealthOffline, "", 0,
		},
		"it is listed twice, then by one list twice alike": {
			"volumes three", []map[string][]string{twice, alike, alike}, v1.HealthOffline, "", 0,
		},
		"it moves and comes back, twice alike, and the list it left fails": {
			"volumes one", []map[string][]string{moved, back, back}, v1.HealthOffline, "", 0,
		},
		"it is listed twice by one list, then twice alike and once otherwise": {
			"volumes three", []map[string][]string{
				{"one": {"b 1"}, "two": {"a 2", "d 1", "a 3"}, "three": {"c 1"}},
				{"one": {"b 1"}, "two": {"a 4", "a 4", "a 3"}, "three": {"c 1"}},
				{"one": {"b 1"}, "two": {"a 3", "a 4", "a 3"}, "three": {"c 1"}},
			}, v1.HealthHealthy, ListedTwice, 1,
		},
		"it is listed twice by one list, which is cut then": {
			"volumes two", []map[string][]string{
				{"one": {"b 1"}, "two": {"a 2", "d 1", "a 3"}, "three": {"c 1"}}, offline, offline,
			}, v1.HealthHealthy, ListedTwice, 1, // it may show it once more
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(was)
			p := newPolled(api)
			if err := p.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			failing(tc.failing, errBroken)(api)
			for _, api.Lists = range tc.then {
				api.NamespaceIDs = slices.Sorted(maps.Keys(api.Lists))
				if err := p.Poll(t.Context()); err == nil {
					t.Error("the listing is whole")
				}
			}
			if s := p.View.Look("a"); s.Invalid != tc.invalid || s.Invalid == "" && s.Digest.Health.Value().Health != tc.want || s.Presence != policy.Present {
				t.Errorf("it is %s (%s), moved: %t", s.Digest.Health.Value().Health, s.Invalid, s.Moved)
			}
			if n := len(p.View.ambiguous); n != tc.doubt {
				t.Errorf("%d IDs may be in two lists, want %d", n, tc.doubt)
			}
		})
	}
}

// A volume that was listed twice turns up in a third list, while one of the two cannot be
// read. When it leaves the third, it is where it has been all the time, and not gone.
func TestListedInThree(t *testing.T) {
	t.Parallel()
	for _, stays := range []string{"one", "two", "three"} {
		for _, leaves := range []string{"one", "two", "three"} {
			for _, content := range []string{"a 1", "a 2", "a 3"} {
				if stays == leaves {
					continue
				}
				t.Run(fmt.Sprintf("stays in %s, leaves %s, %s in the third", stays, leaves, content), func(t *testing.T) {
					t.Parallel()
					lists := map[string][]string{"one": nil, "two": nil, "three": nil}
					lists[stays], lists[leaves] = []string{"a 1"}, []string{"a 2"}
					api := storageostest.New(lists)
					p := newPolled(api)
					listings := func() {
						for range 2 { // what is no longer listed twice is decoded by the second
							_ = p.Poll(t.Context())
						}
					}
					listings()
					third := strings.NewReplacer(stays, "", leaves, "", " ", "").Replace("one two three")
					api.Lists[leaves], api.Lists[third] = nil, []string{content}
					failing("volumes "+stays, errBroken)(api)
					api.Lists[stays] = nil // it is cut before it
					listings()
					api.Fail = nil
					api.Lists[stays], api.Lists[third] = []string{"a 1"}, nil
					listings()
					if s := p.View.Look("a"); s.Presence != policy.Present || s.NamespaceID != stays || s.Invalid != "" || len(p.View.ambiguous) > 0 {
						t.Errorf("it is %v in %q (%s), in doubt are %v", s.Presence, s.NamespaceID, s.Invalid, p.View.ambiguous)
					}
				})
			}
		}
	}
}

// Of a volume that was listed twice, the list that goes on showing it is what counts when
// the other one lets it go, whatever fails meanwhile: it is never taken for gone.
func TestListedTwiceThenOnce(t *testing.T) {
	t.Parallel()
	twice := map[string][]string{"one": {"a 1"}, "two": {"a 2"}, "three": nil}
	leaves := map[string][]string{"one": nil, "two": {"a 2"}, "three": nil}
	removed := map[string][]string{"two": {"a 2"}, "three": nil}
	for name, tc := range map[string]struct {
		failing string
		then    map[string][]string
		want    policy.Presence
		in      string
	}{
		"the other list fails":              {"volumes two", leaves, policy.Present, "two"},
		"a third list fails":                {"volumes three", leaves, policy.Present, "two"},
		"the cluster fails":                 {"cluster", leaves, policy.Present, "two"},
		"its namespace goes":                {"volumes two", removed, policy.Present, "two"},
		"its namespace goes, a third fails": {"volumes three", removed, policy.Present, "two"},
		"the first namespace that was read": {"volumes one", map[string][]string{"one": {"a 1"}, "two": nil, "three": nil}, policy.Present, "one"},
		"both let it go":                    {"volumes three", map[string][]string{"one": nil, "two": nil, "three": nil}, policy.Unknown, ""},
		"one lets it go, the other goes":    {"volumes three", map[string][]string{"one": nil, "three": nil}, policy.Unknown, ""},
		"both namespaces go":                {"volumes three", map[string][]string{"three": nil}, policy.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(twice)
			p := newPolled(api)
			if err := p.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			listings := func(n int) {
				api.Lists, api.NamespaceIDs = tc.then, slices.Sorted(maps.Keys(tc.then))
				for range n {
					_ = p.Poll(t.Context())
				}
			}
			failing(tc.failing, errBroken)(api)
			if tc.then[strings.TrimPrefix(tc.failing, "volumes ")] != nil {
				api.Hidden = map[string]bool{"a": true} // that list is cut before it
			}
			listings(1)
			if s := p.View.Look("a"); s.Presence != tc.want || s.NamespaceID != tc.in {
				t.Errorf("after a listing that was not complete it is %v in %q, want %v in %q", s.Presence, s.NamespaceID, tc.want, tc.in)
			}
			api.Fail, api.Hidden = nil, nil
			listings(2) // what is no longer listed twice is decoded by the second
			s := p.View.Look("a")
			if want := map[policy.Presence]policy.Presence{policy.Present: policy.Present, policy.Unknown: policy.Absent}[tc.want]; s.Presence != want {
				t.Errorf("after complete ones it is %v, want %v", s.Presence, want)
			}
			if s.NamespaceID != tc.in || s.Invalid != "" || s.Moved || len(p.View.ambiguous) > 0 {
				t.Errorf("it is in %q (%s), moved %t, in doubt are %v; want it in %q", s.NamespaceID, s.Invalid, s.Moved, p.View.ambiguous, tc.in)
			}
		})
	}
}

// While one list is never read to its end, the others are kept true: whatever changes in
// them, comes, goes, is listed twice or moves from one to another, or out of the one that is
// cut, and whichever namespace goes or comes back.
func TestModelViewCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, polls := newView(), 0
		lists := map[string][]shown{"cut": {{"a", 1}, {"b", 2}}, "one": {{"c", 3}, {"d", 4}}, "two": {{"e", 5}, {"f", 6}}}
		raw := uint64(len("abcdef"))
		list := func(cut bool) {
			polls++
			l, namespaces := at(polls), slices.Sorted(maps.Keys(lists))
			v.setNamespaces(l, namespaces)
			for _, ns := range rapid.Permutation(namespaces).Draw(t, "order") {
				stop := -1
				if cut && ns == "cut" {
					stop = rapid.IntRange(0, len(lists[ns])).Draw(t, "cut at")
				}
				tell(v, l, ns, lists[ns], stop)
			}
			v.End(l, !cut)
		}
		list(false)
		some := func(names ...string) (ns string, at int) {
			ns = rapid.SampledFrom(names).Draw(t, "namespace")
			if len(lists[ns]) == 0 {
				return ns, -1
			}
			lists[ns] = slices.Clone(lists[ns])
			return ns, rapid.IntRange(0, len(lists[ns])-1).Draw(t, "which")
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(*rapid.T) {
				if ns, i := some("one", "two"); i >= 0 {
					raw++
					lists[ns][i].raw = raw
				}
			},
			"move": func(t *rapid.T) {
				ns, i := some("cut", "one", "two")
				to := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "to")
				if i >= 0 && to != ns {
					raw++ // its JSON names the namespace
					lists[to] = append(slices.Clone(lists[to]), shown{lists[ns][i].id, raw})
					lists[ns] = slices.Delete(lists[ns], i, i+1)
				}
			},
			"repeat": func(t *rapid.T) {
				ns, i := some("one", "two")
				to := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "to")
				if i >= 0 {
					raw++
					lists[to] = append(slices.Clone(lists[to]), shown{lists[ns][i].id, raw})
				}
			},
			"take": func(*rapid.T) {
				if ns, i := some("one", "two"); i >= 0 {
					lists[ns] = slices.Delete(lists[ns], i, i+1)
				}
			},
			"end":  func(t *rapid.T) { delete(lists, rapid.SampledFrom([]string{"one", "two"}).Draw(t, "which")) },
			"list": func(*rapid.T) { list(true) },
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "check") > 0 {
					return
				}
				list(true)
				list(true) // what has come back is decoded by the second
				places := map[string]int{}
				for _, s := range slices.Concat(lists["one"], lists["two"]) {
					places[s.id]++
				}
				for _, ns := range []string{"one", "two"} {
					for _, s := range lists[ns] {
						got := v.Look(s.id)
						if places[s.id] > 1 {
							if got.Presence != policy.Present || got.Invalid != ListedTwice {
								t.Fatalf("%s is listed %d times and is %+v", s.id, places[s.id], got)
							}
						} else if got.Digest.Content != s.raw || got.NamespaceID != ns || got.Moved || got.Invalid != "" {
							t.Fatalf("%s in %s with %d is %+v", s.id, ns, s.raw, got)
						}
					}
				}
			},
		})
	})
}
