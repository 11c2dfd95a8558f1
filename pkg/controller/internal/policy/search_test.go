//go:build !race

package policy

import (
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// How many disturbances a history may have: edits by hand, volumes and PersistentVolumes that
// come and go, clusters that change, failures and lost answers. With 1 the searches take seconds,
// with 2 a minute.
var disturbances = flag.Int("disturbances", 1, "how many disturbances a history of a search may have")

// Every state that can be reached obeys the rules of deletion, and from each a world that
// stands still comes to rest with a record that is right.
func TestSearch(t *testing.T) {
	alone, handOver, two, names := firstWorld(), firstHandOver(), firstTwo(), firstNames()
	for _, left := range []*int{&alone.left, &handOver.left, &two.left, &names.left} {
		*left = *disturbances
	}
	for name, world := range map[string]struct {
		search func(progress func(searched)) searched
		kinds  [][]string // of steps
		cut    string
	}{
		"one volume": {func(progress func(searched)) searched {
			return search(alone, oneVolume.alone, oneVolume.stable, nil, progress)
		}, [][]string{stepsOfAll, stepsAlone, stepsOfClusters, stepsOfMany},
			"other volumes: the breaker trips and lets go as it likes; caches are never behind; one edit by hand of each kind"},
		"two processes": {func(progress func(searched)) searched {
			return search(handOver, oneVolume.handedOver, oneVolume.stable, nil, progress)
		}, [][]string{stepsOfAll, stepsOfHandOver},
			"edits, other volumes, the breaker; caches are at most one write behind; no more than two processes at a time"},
		"two volumes": {func(progress func(searched)) searched {
			return search(two, twoVolumes.steps, twoVolumes.stable, twoVolumes.mirrored, progress)
		}, [][]string{stepsOfAll, stepsOfClusters, stepsOfMany},
			"edits; caches are never behind; PersistentVolumes only go"},
		"two volumes, one name": {func(progress func(searched)) searched {
			return search(names, twoVolumes.steps, twoVolumes.stable, twoVolumes.mirrored, progress)
		}, [][]string{stepsOfAll, stepsOfClusters, stepsOfNames},
			"as with two volumes; records of somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("cut: %s; in all worlds: ages beyond the hold, what only is said (events, gauges), and more than %d disturbances", world.cut, *disturbances)
			begun := time.Now()
			found := world.search(func(s searched) {
				t.Logf("%d states, %d transitions, depth %d", s.states, s.transitions, s.depth)
			})
			t.Logf("%v for %s", time.Since(begun).Round(time.Second), found)
			if found.fault != "" {
				t.Fatal(found.fault)
			}
			for _, kind := range slices.Concat(world.kinds...) {
				if found.taken[kind] == 0 && *disturbances > 1 {
					t.Errorf("never taken: %s", kind)
				}
			}
		})
	}
}

// next is where a step leads from a state. Wrong says which rule the step has broken, "" if
// none.
type next[S any] struct {
	step  string
	state S
	wrong string
}

// searched is what a search has found.
type searched struct {
	states, transitions, depth int
	taken                      map[string]int // how often each step was
	fault                      string         // the first one, and the shortest history that leads to it
}

func (s searched) String() string {
	var steps []string
	for _, name := range slices.Sorted(maps.Keys(s.taken)) {
		steps = append(steps, fmt.Sprintf("%10d  %s", s.taken[name], name))
	}
	return fmt.Sprintf("%d states, %d transitions, depth %d\n%s", s.states, s.transitions, s.depth, strings.Join(steps, "\n"))
}

// search goes breadth first from a state to every other that steps lead to, until none is new.
// Stable tells what is wrong with a state if the world stands still in it, "" if nothing; of a
// state and its mirror image, if there is one, only the first that is met is looked into.
func search[S comparable](first S, steps func(S, func(next[S])), stable func(S) string, mirror func(S) S, progress func(searched)) searched {
	type node struct {
		parent int
		step   string
	}
	type reached struct {
		state S
		node  int
	}
	var (
		a, b  = maphash.MakeSeed(), maphash.MakeSeed()
		seen  = map[[2]uint64]struct{}{}
		nodes []node
		found = searched{taken: map[string]int{}}
		level []reached
		later []reached
	)
	history := func(n int, last string) string {
		lines := []string{last}
		for ; n > 0; n = nodes[n].parent {
			lines = append(lines, nodes[n].step)
		}
		slices.Reverse(lines)
		return strings.Join(lines, "\n")
	}
	hash := func(s S) [2]uint64 { return [2]uint64{maphash.Comparable(a, s), maphash.Comparable(b, s)} }
	visit := func(s S, parent int, step string) {
		key := hash(s)
		if mirror != nil {
			if other := hash(mirror(s)); slices.Compare(other[:], key[:]) < 0 {
				key = other
			}
		}
		if _, ok := seen[key]; ok {
			return
		}
		seen[key] = struct{}{}
		nodes = append(nodes, node{parent, step})
		later = append(later, reached{s, len(nodes) - 1})
		if wrong := stable(s); wrong != "" && found.fault == "" {
			found.fault = wrong + "\n" + history(len(nodes)-1, "the world stands still")
		}
	}
	visit(first, 0, "")
	said := time.Now()
	for len(later) > 0 && found.fault == "" {
		level, later = later, nil
		found.depth++
		for _, r := range level {
			if found.fault != "" {
				return found
			}
			steps(r.state, func(n next[S]) {
				found.transitions++
				kind, _, _ := strings.Cut(n.step, ":")
				found.taken[kind]++
				if n.wrong != "" && found.fault == "" {
					found.fault = n.wrong + "\n" + history(r.node, n.step)
				}
				visit(n.state, r.node, n.step)
			})
			found.states = len(nodes)
			if time.Since(said) > 5*time.Second {
				said = time.Now()
				progress(found)
			}
		}
	}
	found.depth--
	found.states = len(nodes)
	return found
}
