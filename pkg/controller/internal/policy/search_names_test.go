//go:build !race

package policy

import (
	"fmt"
	"time"
)

// oneName is the name that the records of two volumes want.
type oneName struct {
	clash bool
	has   [2]bool          // this record has it
	waits [2]time.Duration // for how long a volume has wanted it while it was about to be free, and a tick
}

// firstNames is the world of two volumes whose records want one name. The first has it; the
// second is yet to be born.
func firstNames() twoVolumes {
	w := firstTwo()
	w.names = oneName{clash: true, has: [2]bool{true, false}}
	second := &w.v[1]
	second.exists, second.pv = false, pvNone
	second.rec, second.has, second.leader.cache = second.before, false, second.before
	return w.counted().canonical()
}

func (n *oneName) passes() {
	for i := range n.waits {
		if n.waits[i] > 0 {
			n.waits[i] = min(n.waits[i]+tick, longest)
		}
	}
}

// holder is who has the name that the record of a volume wants.
func (w *twoVolumes) holder(i int) NameHolder {
	other := &w.v[1-i]
	if !w.names.clash || !other.has || !w.names.has[1-i] {
		return NameHolder{}
	}
	absent := other.leader.presence == Absent
	return NameHolder{
		Leaving: absent,
		Held:    absent && w.tripped && other.leader.mem.Gauges.Absence == Unexplained,
	}
}

// named is what becomes of the creation of a record: it waits for its name, has it, or has
// another.
func (w twoVolumes) named(i int, created next[oneVolume], then *twoVolumes) next[oneVolume] {
	n := &then.names
	taken, holder := w.v[1-i].has && n.has[1-i], w.holder(i)
	if !taken {
		n.has[i], n.waits[i] = true, 0
		return created
	}
	is := w.v[i]
	if wait := &is.leader.mem.Wait; holder.Leaving && !wait.Over {
		if wait.Name == "" {
			*wait = NameWait{Name: "rec", Since: noon}
		}
		*wait, _ = worldRules.Waits(*wait, holder, noon, Source{Listings: is.leader.listings, LastComplete: true})
		n.waits[i] = max(n.waits[i], tick)
		then.v[i] = is
		return next[oneVolume]{"a record waits for its name", is, ""}
	}
	// What the judge knows: for how long it has waited, and that the holder is gone.
	if waited := n.waits[i] - tick; holder.Leaving && !w.v[1-i].exists && waited < worldRules.OrphanGracePeriod {
		created.wrong = fmt.Sprintf("a record has another name than it wants, whose holder was about to go, after %v", max(waited, 0))
	}
	n.has[i], n.waits[i] = false, 0
	return created
}
