package source

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// Whatever is listed, in whatever order, and wherever lists are cut: after a
// complete listing the view has what was listed, and nothing is decoded that is
// known already.
func TestModelView(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := newView()
		lists := map[string][]shown{"one": nil, "two": nil, "three": nil}
		raw, polls := uint64(0), 0
		listAll := func(cut string) (decoded int) {
			polls++
			l := at(polls)
			before := slices.Sorted(slices.Values(v.IDs()))
			for _, ns := range rapid.Permutation(slices.Sorted(maps.Keys(lists))).Draw(t, "order") {
				stop := -1
				if ns == cut {
					stop = rapid.IntRange(0, len(lists[ns])).Draw(t, "cut at")
				}
				decoded += tell(v, l, ns, lists[ns], stop)
			}
			v.End(l, cut == "")
			if cut != "" {
				for ns, list := range lists {
					for _, s := range list {
						if ns != cut && !v.Lists(s.id) {
							t.Fatalf("an incomplete listing took %s away, which it has shown", s.id)
						}
					}
				}
				for _, id := range before {
					if p := v.Look(id).Presence; !v.Lists(id) && p != policy.Unknown {
						t.Fatalf("after an incomplete listing %s is %d", id, p)
					}
				}
			}
			return decoded
		}
		namespace := rapid.SampledFrom([]string{"one", "two", "three"})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				ns, id := namespace.Draw(t, "namespace"), rapid.StringMatching("[a-f]").Draw(t, "id")
				raw++
				lists[ns] = append(slices.Clone(lists[ns]), shown{id, raw})
			},
			"put alike": func(t *rapid.T) {
				ns := namespace.Draw(t, "namespace")
				if n := len(lists[ns]); n > 0 {
					lists[ns] = append(slices.Clone(lists[ns]), lists[ns][rapid.IntRange(0, n-1).Draw(t, "which")])
				}
			},
			"change": func(t *rapid.T) {
				ns := namespace.Draw(t, "namespace")
				if len(lists[ns]) > 0 {
					raw++
					lists[ns] = slices.Clone(lists[ns])
					lists[ns][rapid.IntRange(0, len(lists[ns])-1).Draw(t, "which")].raw = raw
				}
			},
			"take": func(t *rapid.T) {
				ns := namespace.Draw(t, "namespace")
				if n := len(lists[ns]); n > 0 {
					i := rapid.IntRange(0, n-1).Draw(t, "which")
					lists[ns] = slices.Delete(slices.Clone(lists[ns]), i, i+1)
				}
			},
			"move": func(t *rapid.T) {
				from, to := namespace.Draw(t, "from"), namespace.Draw(t, "to")
				if n := len(lists[from]); n > 0 && from != to {
					lists[to] = append(slices.Clone(lists[to]), lists[from][n-1])
					lists[from] = lists[from][: n-1 : n-1]
				}
			},
			"shuffle": func(t *rapid.T) {
				ns := namespace.Draw(t, "namespace")
				lists[ns] = slices.Clone(lists[ns])
				random := rand.New(rand.NewPCG(raw, 1))
				random.Shuffle(len(lists[ns]), func(i, j int) { lists[ns][i], lists[ns][j] = lists[ns][j], lists[ns][i] })
			},
			"forget a namespace": func(t *rapid.T) { delete(lists, namespace.Draw(t, "namespace")) },
			"rename a node":      func(t *rapid.T) { raw++; v.setNodes(map[string]string{"n": fmt.Sprint(raw)}) },
			"list":               func(*rapid.T) { listAll("") },
			"list, cut":          func(t *rapid.T) { listAll(namespace.Draw(t, "cut")) },
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "check") > 0 {
					return
				}
				want, twice := map[string]shown{}, map[string]bool{}
				where := map[string]string{}
				for ns, list := range lists {
					for _, s := range list {
						was, again := want[s.id]
						twice[s.id] = twice[s.id] || again && (was != s || where[s.id] != ns)
						want[s.id], where[s.id] = s, ns
					}
				}
				listAll("")
				if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(v.IDs()))); diff != "" && len(want) > 0 {
					t.Fatalf("volumes (-want +got):\n%s", diff)
				}
				listAll("") // what is no longer listed twice is decoded again
				healths := map[v1.Health]int{}
				for id, s := range want {
					got := v.Look(id)
					if twice[id] != (got.Invalid == ListedTwice) || got.Presence != policy.Present || !got.ClusterVerified || got.Cluster != fmt.Sprint(polls) {
						t.Fatalf("%s, listed twice %v, is %+v after listing %d", id, twice[id], got, polls)
					}
					if twice[id] {
						healths[v1.HealthUnknown]++
						continue
					}
					healths[v1.HealthHealthy]++
					if got.Digest.Content != s.raw || got.NamespaceID != where[id] || got.Moved {
						t.Fatalf("%s in %s with %d is %+v", id, where[id], s.raw, got)
					}
				}
				if n := listAll(""); n != 0 {
					t.Fatalf("%d were decoded although nothing has changed", n)
				}
				for h, n := range v.ByHealth() {
					if n != healths[h] {
						t.Fatalf("%d are %s, want %d", n, h, healths[h])
					}
				}
				if len(v.ambiguous) > 0 && !slices.Contains(slices.Collect(maps.Values(twice)), true) {
					t.Fatalf("in doubt: %v", slices.Collect(maps.Keys(v.ambiguous)))
				}
				for _, s := range v.states {
					if len(s.stale) > 0 || strings.TrimSpace(s.id) == "" {
						t.Fatalf("namespace %s keeps %d volumes that are gone", s.id, len(s.stale))
					}
				}
			},
		})
	})
}
