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

// deletes tells which rule a deletion breaks that follows from an answered question.
func (m monitor) deletes(w oneVolume, q question) string {
	named := w.rec.ClusterID.Value()
	explained := w.pv == pvIsReleased || w.pv == pvNone && w.rec.Summary.PV.Name != ""
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
	case w.tripped && !explained && m.length < worldRules.MassOrphanHold:
		return fmt.Sprintf("rule 5: too many are absent, and it was watched for %v", m.length)
	case w.tripped && !explained && named == "":
		return "rule 5: too many are absent, and nothing vouches for the cluster"
	case w.exists && !w.hidden && w.answers == named && !q.gone:
		return "a record of a living volume is deleted"
	}
	return ""
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

// stable lets the world stand still with the first cluster answering and nothing hidden, and
// tells what is wrong when so many rounds have passed.
func (w oneVolume) stable() string {
	const rounds = 16
	w.answers, w.hidden, w.tripped = clusterA, false, false
	w.lags, w.hasFormer, w.leader.cache = false, false, w.rec
	writes, last := 0, -1
	for n := range rounds {
		w = w.passes()
		w.list(true)
		for range 6 {
			then, step := w.settle()
			if step == "" {
				break
			}
			if w = then; step == "a record is written" || step == "a record is deleted: as it was asked" {
				writes++
				last = n
			}
		}
		w = w.canonical()
	}
	switch {
	case last >= rounds-2:
		return fmt.Sprintf("not stable: %d writes in %d rounds, the last in round %d", writes, rounds, last)
	case w.exists && !w.has:
		return "not stable: a volume has no record"
	case w.exists && (w.rec.Summary.Present != state.PresentTrue || w.rec.Summary.Mark != "" || w.rec.ClusterID.Value() != clusterA || w.rec.NamespaceID.Value() != "one"):
		return "not stable: its record says " + said(w.rec) + "\n" + w.String()
	case !w.exists && w.has && (w.rec.ClusterID.Value() == "" && w.others == false || w.rec.ClusterID.Value() == clusterA):
		return fmt.Sprintf("not stable: a record is left of a volume that is gone: %s", w)
	}
	return ""
}

// settle takes the first step of a worker, with which everything goes well.
func (w oneVolume) settle() (then oneVolume, step string) {
	w.work(func(n next[oneVolume]) {
		good := n.step == "a record is written" || n.step == "a question is asked" || n.step == "a record is deleted: as it was asked" ||
			n.step == "a question is answered: as it was asked" || n.step == "an answer is of no use any more" || n.step == "a question is answered by another cluster"
		if good && step == "" || good && step == "a question fails" || step == "" && n.step == "a question fails" {
			then, step = n.state, n.step
		}
	})
	return then, step
}
