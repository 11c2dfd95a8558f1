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
		p.presence, p.seen = Present, noon
		p.shownBy, p.shownVerified = w.answers, true
		w.judge.shown()
	case complete:
		p.presence, p.shownVerified, p.shownBy = Absent, false, ""
	case p.presence == Present: // a whole list lacks it, and the listing is not complete
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

// work is what a worker may do next.
func (w oneVolume) work(yield func(next[oneVolume])) {
	if w.leader.asked.on {
		w.answer(yield)
		return
	}
	o, d := w.decide(false)
	to := func(step string, then oneVolume, wrong string) { yield(next[oneVolume]{step, then.canonical(), wrong}) }
	if o.MarksInMass(d) {
		to("a worker waits with a mark", w, "")
	}
	if u := d.Memory.Unanswered; u.Was != nil && (d.Verdict != Save || o.Source.Presence != Present) {
		is := copyOf(w.rec)
		if is != nil && is.UID != u.Was.UID {
			is = nil
		}
		m, _ := w.leader.memory().FoundOut(u, is)
		w.leader.remember(m)
		o, d = w.decide(false)
	}
	switch d.Verdict {
	case Verify:
		w.ask(o, to)
	case Save:
		w.save(o, d, to)
	default:
		to("a worker finds nothing to do", w, "")
	}
}

func (w oneVolume) save(o Observation, d Decision, to func(string, oneVolume, string)) {
	rec, known := w.rec, o.Record
	switch {
	case known == nil && !w.has:
		rec = stored(state.Summary{})
		rec.UID = w.unusedUID()
	case !w.has: // the cache is behind
		to("a record to be written is not there", w, "")
		return
	case known != nil && rec.ResourceVersion != known.ResourceVersion && d.Want.Mark != "" && rec.Summary.Mark == "":
		to("a record to be marked is another", w, "")
		return
	}
	was := copyOf(w.rec)
	rec.Summary = d.Want
	if d.Content {
		rec.NamespaceID = state.Intern("one")
	}
	if o.Source.Presence == Present && o.Source.Cluster != "" {
		rec.ClusterID = state.Intern(o.Source.Cluster)
	}
	done := w
	done.store(rec, true)
	after := done.rec
	if was != nil && done.rec != w.rec {
		was.ResourceVersion = w.older(was.ResourceVersion)
	}
	saved := done
	m, _ := saved.leader.memory().Saved(o, d, was, &after, copyOf(saved.leader.cache), false)
	saved.leader.remember(m)
	to("a record is written", saved, w.judge.writes(w, rec))

	refused := w
	m, _ = refused.leader.memory().WasRefused(o)
	refused.leader.remember(m)
	to("a write is refused", refused, "")

	if was == nil {
		return
	}
	lost := w
	m, _ = lost.leader.memory().Lost(copyOf(w.rec), nil, d.Want.Health.Value().Health)
	lost.leader.remember(m)
	to("a write is lost", lost, "")
	m, _ = done.leader.memory().Lost(was, nil, d.Want.Health.Value().Health)
	done.leader.remember(m)
	to("the answer to a write is lost", done, "")
}

// gone tells whether each answer to a question that is asked now is a 404.
func (w oneVolume) gone(rec state.Record, pv pvKind) bool {
	named := rec.NamespaceID.Value() == "one" || pv != pvNone || rec.NamespaceID.Value() == ""
	return !w.exists || w.answers == clusterB || !named
}

func (w oneVolume) ask(o Observation, to func(string, oneVolume, string)) {
	if w.answers != o.Source.Cluster {
		w.heard(w.answers)
		w.notProved(to, "a question is answered by another cluster")
		return
	}
	w.heard(w.answers)
	asked := state.Record{UID: o.Record.UID, ResourceVersion: o.Record.ResourceVersion, NamespaceID: o.Record.NamespaceID}
	w.leader.asked = question{on: true, by: w.answers, gone: w.gone(asked, w.pv), record: asked, pv: w.pv}
	to("a question is asked", w, "")
}

func (w oneVolume) notProved(to func(string, oneVolume, string), step string) {
	w.leader.asked = question{}
	w.leader.remember(w.leader.memory().NotProved(noon))
	w.decide(false)
	to(step, w, "")
}

// answer is what may become of the question on its way.
func (w oneVolume) answer(yield func(next[oneVolume])) {
	to := func(step string, then oneVolume, wrong string) { yield(next[oneVolume]{step, then.canonical(), wrong}) }
	q := w.leader.asked
	w.heard(w.answers)
	w.notProved(to, "a question fails")
	if q.by != w.answers {
		return
	}
	if q.by == "" {
		w.leader.clock.Heard("")
		w.judge.heard("")
	}
	for _, late := range []bool{false, true} {
		gone, name := q.gone, ": as it was asked"
		if late {
			gone, name = w.gone(q.record, q.pv), ": as it is now"
		}
		then := w
		if !gone {
			then.judge.shown()
			if then.leader.presence == Absent {
				then.leader.presence = Unknown // an answer has shown it
			}
			then.notProved(to, "a question is answered"+name)
			continue
		}
		o, d := then.decide(false)
		then.leader.asked = question{}
		asked := Observation{Record: &q.record, Source: Source{Cluster: q.by}}
		if o.Record == nil || !Confirms(asked, o, d) || q.pv != w.pv {
			to("an answer is of no use any more", then, "")
			continue
		}
		then.leader.remember(then.leader.memory().Proved(o))
		if o.Record.UID != w.rec.UID || o.Record.ResourceVersion != w.rec.ResourceVersion {
			to("a record to be deleted is another", then, "")
			continue
		}
		wrong := w.judge.deletes(w, q)
		deleted, refused := then, then
		deleted.store(state.Record{}, false)
		deleted.leader.mem.Gauges = Gauges{}
		to("a record is deleted"+name, deleted, wrong)
		m := refused.leader.memory()
		m.Asked = noon
		refused.leader.remember(m)
		to("a deletion is refused"+name, refused, "")
	}
}
