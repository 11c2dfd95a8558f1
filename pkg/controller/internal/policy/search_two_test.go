//go:build !race

package policy

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// twoVolumes is the world of two volumes in one namespace, whose absences the breaker counts:
// both at once are too many.
type twoVolumes struct {
	v       [2]oneVolume
	tripped bool
	deleted [2]time.Duration // for how long their unexplained deletions have counted, and a tick; 0: they do not
	left    int              // disturbances
	names   oneName          // their records want one name, if they do
}

func firstTwo() twoVolumes {
	return twoVolumes{v: [2]oneVolume{firstWorld(), firstWorld()}}.counted().canonical()
}

// breaker has counted what there is.
func (w *twoVolumes) breaker() Breaker {
	b := NewBreaker(&worldRules)
	for i := range w.v {
		b.RecordChanged(nil, copyOf(w.v[i].rec))
		b.Count(w.v[i].leader.mem.Gauges.BreakerInput, 1)
		if w.deleted[i] > 0 {
			r := stored(state.Summary{})
			r.UID = uids[i]
			b.RecordChanged(nil, &r)
			b.Deleting(noon.Add(tick-w.deleted[i]), &r, r.NamespaceID.Value())
			b.RecordChanged(&r, nil)
		}
	}
	if w.tripped {
		b.Why = "too many"
	}
	return b
}

// counted trips the breaker if that is due, and lets each volume know of the other.
func (w twoVolumes) counted() twoVolumes {
	b := w.breaker()
	b.Trip(noon)
	w.tripped = b.Why != ""
	lost := 0
	for i := range w.v {
		if v := &w.v[i]; v.has && v.judge.lacks && !v.explained() {
			lost++
		}
		if w.deleted[i] > 0 {
			lost++
		}
	}
	for i := range w.v {
		other := &w.v[1-i]
		w.v[i].tripped, w.v[i].others = w.tripped, other.rec.ClusterID.Value() != ""
		w.v[i].many = lost > worldRules.MaxOrphanCount
		w.v[i].holder = w.holder(i)
	}
	return w
}

func (w twoVolumes) canonical() twoVolumes {
	for i := range w.v {
		w.v[i] = w.v[i].canonical()
	}
	return w
}

// mirrored has each volume in the place of the other.
func (w twoVolumes) mirrored() twoVolumes {
	w.v[0], w.v[1] = w.v[1], w.v[0]
	w.deleted[0], w.deleted[1] = w.deleted[1], w.deleted[0]
	n := &w.names
	n.has[0], n.has[1] = n.has[1], n.has[0]
	n.waits[0], n.waits[1] = n.waits[1], n.waits[0]
	return w
}

func (w twoVolumes) passes() twoVolumes {
	for i := range w.v {
		w.v[i] = w.v[i].passes()
		if w.deleted[i] > 0 {
			w.deleted[i] += tick
		}
		if w.deleted[i] > worldRules.MassOrphanHold {
			w.deleted[i] = 0
		}
	}
	w.names.passes()
	return w.counted()
}

// evaluates counts both volumes, and decides about each then.
func (w twoVolumes) evaluates() twoVolumes {
	for i := range w.v {
		would := w.v[i]
		_, d := would.decide(true)
		w.v[i].leader.mem.Gauges.BreakerInput = d.Memory.Gauges.BreakerInput
		w = w.counted()
	}
	for i := range w.v {
		w.v[i].decide(true)
		w = w.counted()
	}
	return w
}

func (w twoVolumes) list(complete bool) twoVolumes {
	for i := range w.v {
		w.v[i].look(complete)
	}
	w = w.evaluates()
	if complete {
		for i := range w.v {
			w.v[i].leader.synced = true
		}
		b := w.breaker()
		b.Reset(noon)
		w.tripped = b.Why != ""
	}
	return w.counted()
}

// works yields what a worker may do next with one of the volumes.
func (w twoVolumes) works(i int, yield func(next[twoVolumes])) {
	w.v[i].work(func(n next[oneVolume]) {
		then := w
		then.v[i] = n.state
		if kindOf(n.step) == "a record is deleted" && !w.v[i].explained() {
			then.deleted[i] = tick
		}
		if w.names.clash && !w.v[i].has && n.state.has {
			n = w.named(i, n, &then)
		}
		yield(next[twoVolumes]{n.step + []string{": the first", ": the second"}[i], then.counted().canonical(), n.wrong})
	})
}

func (w twoVolumes) steps(yield func(next[twoVolumes])) {
	yield(next[twoVolumes]{"a tick passes", w.passes().canonical(), ""})
	goes := func(step string, then twoVolumes) {
		if then != w {
			yield(next[twoVolumes]{step, then.canonical(), ""})
		}
	}
	goes("a listing is complete", w.list(true))
	for i := range w.v {
		w.works(i, func(n next[twoVolumes]) {
			if !disturbs[kindOf(n.step)] {
				yield(n)
			} else if w.left > 0 {
				n.state.left--
				yield(n)
			}
		})
	}
	if w.left == 0 {
		return
	}
	w.left--
	goes("a listing is not complete, and the list is whole", w.list(false))
	fails := w
	for i := range fails.v {
		fails.v[i].fails()
	}
	goes("a listing fails", fails.evaluates())
	both := func(step string, change func(*oneVolume)) {
		then := w
		for i := range then.v {
			change(&then.v[i])
		}
		goes(step, then.counted())
	}
	both("the first cluster answers", func(v *oneVolume) { v.answers = clusterA })
	both("another cluster answers", func(v *oneVolume) { v.answers = clusterB })
	both("the cluster refuses to tell", func(v *oneVolume) { v.answers = "" })
	both("the leader is killed", func(v *oneVolume) { v.leads(v.rec) })
	for i := range w.v {
		one := func(step string, change func(*oneVolume)) {
			then := w
			change(&then.v[i])
			goes(step+[]string{": the first", ": the second"}[i], then.counted())
		}
		one("the volume is hidden from lists", func(v *oneVolume) { v.hidden = v.exists })
		one("the volume is not hidden", func(v *oneVolume) { v.hidden = false })
		one("the volume is deleted", func(v *oneVolume) { v.exists, v.hidden = false, false })
		one("the volume is back", func(v *oneVolume) { v.exists = true })
		one("the PersistentVolume goes", func(v *oneVolume) { v.pv = pvNone })
	}
}

// stable lets the world stand still.
func (w twoVolumes) stable() string {
	for i := range w.v {
		w.v[i].answers, w.v[i].hidden = clusterA, false
	}
	for range mostRounds {
		before, written := w, false
		w = w.passes().list(true)
		for i := range w.v {
			then, wrote := settled(w, func(w twoVolumes, yield func(next[twoVolumes])) { w.works(i, yield) })
			w, written = then, written || wrote
		}
		if w = w.canonical(); w != before || written {
			continue
		}
		for i := range w.v {
			if wrong := w.v[i].rests(); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	return "not stable: " + w.v[0].String() + "\n" + w.v[1].String()
}
