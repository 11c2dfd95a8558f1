//go:build !race

package policy

import "github.com/storageos/volume-sync-controller/pkg/controller/internal/state"

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
		m, _ := worldRules.FoundOut(w.leader.memory(), u, is, noon)
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
	m, _ := saved.leader.memory().Saved(o, d, was, &after, copyOf(saved.leader.cache))
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
	m, _ = lost.leader.memory().Lost(copyOf(w.rec), nil, &d)
	lost.leader.remember(m)
	to("a write is lost", lost, "")
	m, _ = done.leader.memory().Lost(was, nil, &d)
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
