package cache

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/client-go/tools/cache"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What is found by ID after some changes, of which the index may have missed one.
func TestIndex(t *testing.T) {
	t.Parallel()
	pv := func(name, id string) *state.PV {
		return &state.PV{PVSummary: state.PVSummary{Name: name}, VolumeID: id}
	}
	a, b, c := pv("a", "1"), pv("b", "1"), pv("c", "1")
	moved, other := pv("a", "2"), pv("d", "2")
	for name, tc := range map[string]struct {
		changes [][2]*state.PV // old and new, as the handler is told
		missed  *state.PV      // in the cache, and the handler is not told yet
		gone    string         // from the cache, and the handler is not told yet
		one     []string       // names found by ID 1
		two     []string
		all     []string // IDs
	}{
		"nothing":                     {},
		"one":                         {changes: [][2]*state.PV{{nil, a}}, one: []string{"a"}, all: []string{"1"}},
		"no ID":                       {changes: [][2]*state.PV{{nil, pv("x", "")}}},
		"three with one ID":           {changes: [][2]*state.PV{{nil, a}, {nil, b}, {nil, c}}, one: []string{"a", "b", "c"}, all: []string{"1"}},
		"the first of three goes":     {changes: [][2]*state.PV{{nil, a}, {nil, b}, {nil, c}, {a, nil}}, one: []string{"b", "c"}, all: []string{"1"}},
		"the second of three goes":    {changes: [][2]*state.PV{{nil, a}, {nil, b}, {nil, c}, {b, nil}}, one: []string{"a", "c"}, all: []string{"1"}},
		"all go":                      {changes: [][2]*state.PV{{nil, a}, {nil, b}, {a, nil}, {b, nil}}},
		"another ID":                  {changes: [][2]*state.PV{{nil, a}, {nil, other}, {a, moved}}, two: []string{"a", "d"}, all: []string{"2"}},
		"another state":               {changes: [][2]*state.PV{{nil, a}, {a, pv("a", "1")}}, one: []string{"a"}, all: []string{"1"}},
		"not told of another ID":      {changes: [][2]*state.PV{{nil, a}}, missed: moved, all: []string{"1"}},
		"not told that it has gone":   {changes: [][2]*state.PV{{nil, a}, {nil, b}}, gone: "a", one: []string{"b"}, all: []string{"1"}},
		"gone under another ID, back": {changes: [][2]*state.PV{{nil, a}, {moved, nil}, {nil, pv("a", "1")}}, one: []string{"a"}, all: []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := cache.NewStore(cache.MetaNamespaceKeyFunc)
			i := newIndex[*state.PV](store)
			for _, change := range tc.changes {
				if obj := change[1]; obj != nil {
					_ = store.Add(obj)
				} else {
					_ = store.Delete(change[0])
				}
				i.change(change[0], change[1])
			}
			if tc.missed != nil {
				_ = store.Add(tc.missed)
			}
			if tc.gone != "" {
				_ = store.Delete(pv(tc.gone, ""))
			}
			found := func(id string) (names []string) {
				for _, p := range i.of(id) {
					names = append(names, p.Name)
				}
				slices.Sort(names)
				return names
			}
			if diff := cmp.Diff([][]string{tc.one, tc.two, tc.all}, [][]string{found("1"), found("2"), i.allIDs()}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("found by 1, by 2, and all IDs (-want +got):\n%s", diff)
			}
		})
	}
}
