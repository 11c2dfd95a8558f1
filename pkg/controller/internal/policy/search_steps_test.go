//go:build !race

package policy

import (
	"strings"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// The kinds of step that there are with two disturbances: in all worlds, and in some of them.
var (
	stepsOfAll = []string{
		"a listing fails",
		"a listing is complete",
		"a listing is not complete, and the list is whole",
		"a question fails",
		"a question is answered",
		"a question is answered by another cluster",
		"a question is asked",
		"a record is deleted",
		"a deletion is refused",
		"a record is written",
		"a tick passes",
		"a worker finds nothing to do",
		"a write is lost",
		"a write is refused",
		"the answer to a write is lost",
		"an answer is of no use any more",
		"another cluster answers",
		"the first cluster answers",
		"the PersistentVolume goes",
		"the volume is back",
		"the volume is deleted",
		"the volume is hidden from lists",
		"the volume is not hidden",
	}
	stepsAlone = []string{
		"a hand deletes the record",
		"a hand edits",
		"another record names a cluster",
		"the PersistentVolume is bound",
		"the PersistentVolume is released",
		"the breaker lets go",
		"the breaker trips",
		"the volume is read by its ID",
	}
	stepsOfClusters = []string{
		"the cluster refuses to tell",
		"the leader is killed",
	}
	stepsOfMany = []string{
		"a worker waits with a mark",
	}
	stepsOfNames = []string{
		"a record waits for its name",
	}
	stepsOfHandOver = []string{
		"a watch tells",
		"a record to be deleted is another",
		"a record to be written is not there",
		"another leads",
		"the volume is read by its ID",
		"another leads beside the former leader",
		"another leads beside the former leader, one write behind",
		"another leads, one write behind",
		"the former leader, a listing is complete",
		"the former leader, a question is answered",
		"the former leader, a question is asked",
		"the former leader, a record is deleted",
		"the former leader, a record is written",
		"the former leader, a record to be deleted is another",
		"the former leader, a watch tells",
		"the former leader, a worker finds nothing to do",
		"the former leader, an answer is of no use any more",
	}
)

// then is a way to name a step and to take it, if it changes anything.
type then func(step string, change func(*oneVolume))

func (w oneVolume) steps(yield func(next[oneVolume])) then {
	return func(step string, change func(*oneVolume)) {
		is := w
		if change(&is); is != w {
			yield(next[oneVolume]{step, is.canonical(), ""})
		}
	}
}

// alone are the steps of a world in which one process leads: what is as it should be, as often
// as it likes, and, while some are left, one of the disturbances.
func (w oneVolume) alone(yield func(next[oneVolume])) {
	yield(next[oneVolume]{"a tick passes", w.passes().canonical(), ""})
	w.goesOn(yield)
	if w.left == 0 {
		return
	}
	w.left--
	disturb := w.steps(yield)
	w.changes(disturb)
	w.edits(disturb)
	disturb("the cluster refuses to tell", func(w *oneVolume) { w.answers = "" })
	disturb("the PersistentVolume is bound", func(w *oneVolume) { w.pv = pvIsBound })
	disturb("the PersistentVolume is released", func(w *oneVolume) {
		if w.pv == pvIsBound {
			w.pv = pvIsReleased
		}
	})
	disturb("the breaker trips", func(w *oneVolume) { w.tripped = true })
	disturb("the breaker lets go", func(w *oneVolume) { w.tripped = false })
	disturb("another record names a cluster", func(w *oneVolume) { w.others = true })
	disturb("the leader is killed", func(w *oneVolume) { w.leads(w.rec) })
}

// handedOver are the steps of a world in which a leader is followed by one that knows only what
// Kubernetes holds, or has held before the last write, and goes on beside it until the fence
// stops its writes: a tick is longer than a lease.
func (w oneVolume) handedOver(yield func(next[oneVolume])) {
	later := w.passes()
	later.hasFormer = false
	yield(next[oneVolume]{"a tick passes", later.canonical(), ""})
	w.goesOn(yield)
	if w.hasFormer {
		w.swapped().goesOn(func(n next[oneVolume]) {
			yield(next[oneVolume]{"the former leader, " + n.step, n.state.swapped(), n.wrong})
		})
	}
	if w.left == 0 {
		return
	}
	w.left--
	disturb := w.steps(yield)
	w.changes(disturb)
	for name, cache := range map[string]state.Record{"": w.rec, ", one write behind": w.before} {
		disturb("another leads"+name, func(w *oneVolume) { w.leads(cache); w.hasFormer = false })
		disturb("another leads beside the former leader"+name, func(w *oneVolume) {
			*w = w.swapped()
			w.hasFormer = true
			w.leads(cache)
		})
	}
}

// leads begins with a process that leads, and has these records.
func (w *oneVolume) leads(cache state.Record) {
	w.leader = newProcess()
	w.leader.cache = cache
	w.judge.forget()
}

// goesOn are the steps of the process that leads.
func (w oneVolume) goesOn(yield func(next[oneVolume])) {
	goes := w.steps(yield)
	goes("a watch tells", func(w *oneVolume) { w.leader.cache = w.rec })
	goes("a listing is complete", func(w *oneVolume) { w.list(true) })
	w.work(func(n next[oneVolume]) {
		if !disturbs[kindOf(n.step)] {
			yield(n)
		} else if w.left > 0 {
			n.state.left--
			yield(n)
		}
	})
}

// changes are disturbances of what StorageOS and Kubernetes have, and of listings.
func (w oneVolume) changes(disturb then) {
	disturb("a listing is not complete, and the list is whole", func(w *oneVolume) { w.list(false) })
	disturb("a listing fails", func(w *oneVolume) { w.fails(); w.decide(true) })
	disturb("the volume is hidden from lists", func(w *oneVolume) { w.hidden = w.exists })
	disturb("the volume is not hidden", func(w *oneVolume) { w.hidden = false })
	disturb("the volume is deleted", func(w *oneVolume) { w.exists, w.hidden = false, false })
	disturb("the volume is read by its ID", func(w *oneVolume) { w.read() })
	disturb("the volume is back", func(w *oneVolume) { w.exists = true })
	disturb("the first cluster answers", func(w *oneVolume) { w.answers = clusterA })
	disturb("another cluster answers", func(w *oneVolume) { w.answers = clusterB })
	disturb("the PersistentVolume goes", func(w *oneVolume) { w.pv = pvNone })
}

// disturbs are the steps of a worker with which something goes wrong.
var disturbs = map[string]bool{
	"a write is refused": true, "a write is lost": true, "the answer to a write is lost": true, "a question fails": true,
	"a deletion is refused": true,
}

func kindOf(step string) string {
	kind, _, _ := strings.Cut(step, ":")
	return kind
}

// edits are made by hand, of what is believed.
func (w oneVolume) edits(change then) {
	if !w.has {
		return
	}
	edit := func(step string, fn func(*state.Record)) {
		change("a hand edits: "+step, func(w *oneVolume) { rec := w.rec; fn(&rec); w.store(rec, true) })
	}
	edit("no cluster", func(r *state.Record) { r.ClusterID = state.Intern("") })
	edit("an odd cluster", func(r *state.Record) { r.ClusterID = state.Intern("odd") })
	edit("an old mark", func(r *state.Record) { r.Summary.Mark = state.MarkAt(noon.Add(-oldest)) })
	edit("no mark", func(r *state.Record) { r.Summary.Mark = "" })
	edit("a mark that nobody can read", func(r *state.Record) { r.Summary.Mark = "soon" })
	edit("another namespace", func(r *state.Record) { r.NamespaceID, r.Summary.Content = state.Intern("two"), 8 })
	edit("no PersistentVolume", func(r *state.Record) { r.Summary.PV = state.PVSummary{} })
	change("a hand deletes the record", func(w *oneVolume) { w.store(state.Record{}, false) })
}

// listed tells whether the list that is asked for now has the volume.
func (w oneVolume) listed() bool { return w.exists && !w.hidden && w.answers != clusterB }

func (w *oneVolume) heard(cluster string) {
	if cluster != "" {
		w.leader.clock.Heard(cluster)
		w.judge.heard(cluster)
	}
}

// list lists the namespace of the volume, and others that may not answer.
func (w *oneVolume) list(complete bool) {
	w.look(complete)
	w.decide(true)
	w.leader.synced = w.leader.synced || complete
}

// read reads the volume between two listings, if it may be, and has it decided about. That it
// is not there says nothing.
func (w *oneVolume) read() {
	p := &w.leader
	if !p.lastComplete || !p.synced || p.completeBy != w.answers || p.clock.Cluster != w.answers || w.pv != pvIsBound {
		return
	}
	if !w.exists || w.answers == clusterB {
		return
	}
	p.early = p.early || p.presence != Present
	p.presence, p.seen = Present, noon
	p.shownBy, p.shownVerified = w.answers, true
	p.generation++
	w.judge.shown()
}

// fails takes note of a listing that shows nothing.
func (w *oneVolume) fails() {
	w.leader.lastComplete = false
	w.leader.generation++
	w.judge.incomplete()
}

// look takes note of what a listing shows.
func (w *oneVolume) look(complete bool) {
	p, shown := &w.leader, w.listed()
	w.heard(w.answers)
	if complete && w.answers == "" {
		p.clock.Heard("")
		w.judge.heard("")
	}
	p.generation++
	p.lastComplete = complete
	switch {
	case shown:
		p.presence, p.seen, p.early = Present, noon, false
		p.shownBy, p.shownVerified = w.answers, true
		w.judge.shown()
	case complete && p.early: // nobody may have decided yet
		p.presence, p.shownVerified, p.shownBy, p.early = Unknown, false, "", false
	case complete:
		p.presence, p.shownVerified, p.shownBy = Absent, false, ""
	case p.presence == Present && !p.early: // a whole list lacks it, and the listing is not complete
		p.presence, p.shownVerified, p.shownBy = Unknown, false, ""
	}
	if complete {
		p.complete, p.completeBy = true, w.answers
		p.listings++
		p.clock.Completed(noon, noon, w.answers)
		w.judge.complete(w.answers, shown)
	} else {
		w.judge.incomplete()
	}
}
