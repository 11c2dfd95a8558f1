//go:build !race

package policy

import (
	"fmt"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// monitor judges deletions by what was real and what was said, and by none of the code's own
// memory: since when complete listings of one cluster have lacked the volume, one after the
// other, as far as this process has seen them, and no answer has shown it.
type monitor struct {
	lacked   bool
	by       string        // the cluster whose listings lack it
	length   time.Duration // from the end of the first to that of the last
	since    time.Duration // from the end of the first until now
	last     bool          // the last listing was complete, and lacked it
	lists    string        // the cluster of the last complete listing
	lacks    bool          // that has lacked it, and nothing has shown it since
	answered string        // the cluster that was heard last
	heardAny bool
}

func (m *monitor) passes() {
	if m.lacked {
		m.since = min(m.since+tick, longest)
	}
}

func (m *monitor) forget() { *m = monitor{} }

func (m *monitor) heard(cluster string) {
	if m.heardAny && m.answered != cluster {
		*m = monitor{lists: m.lists, lacks: m.lacks}
	}
	m.heardAny, m.answered = true, cluster
}

func (m *monitor) incomplete() { m.last = false }

func (m *monitor) shown() {
	m.lacked, m.by, m.length, m.since, m.last, m.lists, m.lacks = false, "", 0, 0, false, "", false
}

func (m *monitor) complete(by string, shown bool) {
	if shown {
		m.shown()
		return
	}
	if !m.lacked || m.by != by {
		m.lacked, m.by, m.length, m.since = true, by, 0, 0
	}
	m.length, m.last, m.lists, m.lacks = m.since, true, by, true
}

// deletes tells which rule a deletion breaks that follows from an answered question, by its number in
// docs/reliability.md.
func (m monitor) deletes(w oneVolume, q question) string {
	named := w.rec.ClusterID.Value()
	explained := w.explained()
	switch {
	case q.record.ResourceVersion != w.rec.ResourceVersion:
		return fmt.Sprintf("rule 4: the record is deleted as %s, the question was asked for %s", said(w.rec), said(q.record))
	case !m.lacked || m.length < worldRules.OrphanGracePeriod:
		return fmt.Sprintf("rule 3: it was watched to be absent for %v", m.length)
	case !m.last:
		return "rule 1: the last listing was not complete"
	case named != "" && named != m.by || q.by != m.by:
		return fmt.Sprintf("rule 6: it names %q, %q has answered and %q has listed", named, q.by, m.by)
	case m.by == "" && (w.others || named != ""):
		return "rule 6: nobody knows who has answered, and records name clusters"
	case (w.tripped || w.many) && !explained && m.length < worldRules.MassOrphanHold:
		return fmt.Sprintf("rule 5: too many are absent, and it was watched for %v", m.length)
	case (w.tripped || w.many) && !explained && named == "":
		return "rule 5: too many are absent, and nothing vouches for the cluster"
	case w.exists && !w.hidden && w.answers == named && !q.gone:
		return "a record of a living volume is deleted"
	}
	return ""
}

// explained tells whether what became of the PersistentVolume explains that the volume is gone.
func (w oneVolume) explained() bool {
	return w.pv == pvIsReleased || w.pv == pvNone && w.rec.Summary.PV.Name != ""
}

// writes tells which rule a write breaks.
func (m monitor) writes(w oneVolume, rec state.Record) string {
	if _, marked := rec.Summary.Mark.Since(noon); marked && rec.Summary.Health != state.NotListed && rec.Summary.Health != (state.Health{}) {
		return "a record that is marked says that its volume is well"
	}
	if named := w.rec.ClusterID.Value(); rec.Summary.Mark != "" && w.rec.Summary.Mark == "" && (!m.lacks || named != "" && named != m.lists) {
		return fmt.Sprintf("rule 2: a record that names %q is marked, and %q has listed; it lacks the volume: %t", named, m.lists, m.lacks)
	}
	return ""
}

// mostRounds is within how many listings a world that stands still comes to rest: the hold, the
// grace, and some for what is asked and written.
const mostRounds = 16

// stable lets the world stand still with the first cluster answering and nothing hidden, and
// tells what is wrong when it comes to rest, or that it does not.
func (w oneVolume) stable() string {
	w.answers, w.hidden, w.tripped = clusterA, false, false
	w.lags, w.hasFormer, w.leader.cache = false, false, w.rec
	for range mostRounds {
		before := w
		w = w.passes()
		w.list(true)
		then, wrote := settled(w, oneVolume.work)
		if w = then.canonical(); w == before && !wrote {
			return w.rests()
		}
	}
	return "not stable: " + w.String()
}

// settled is what becomes of a world when a worker works and everything goes well, and whether
// it has written anything.
func settled[S comparable](w S, work func(S, func(next[S]))) (_ S, wrote bool) {
	for range 8 {
		then, step := w, ""
		work(w, func(n next[S]) {
			kind := kindOf(n.step)
			switch {
			case disturbs[kind] && kind != "a question fails" || kind == "a worker finds nothing to do" || kind == "a worker waits with a mark":
			case step == "" || step == "a question fails":
				then, step = n.state, kind
			}
		})
		if step == "" {
			break
		}
		w, wrote = then, wrote || step == "a record is written" || step == "a record is deleted"
	}
	return w, wrote
}

// rests tells what is wrong with a record that is at rest.
func (w oneVolume) rests() string {
	switch {
	case w.exists && !w.has:
		return "not stable: a volume has no record"
	case w.exists && (w.rec.Summary.Present != state.PresentTrue || w.rec.Summary.Mark != "" || w.rec.ClusterID.Value() != clusterA || w.rec.NamespaceID.Value() != "one"):
		return "not stable: its record says " + said(w.rec) + "\n" + w.String()
	case !w.exists && w.has && (w.rec.ClusterID.Value() == "" && w.others == false || w.rec.ClusterID.Value() == clusterA):
		return fmt.Sprintf("not stable: a record is left of a volume that is gone: %s", w)
	}
	return ""
}
