package record

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Outcome is what becomes of a volume when nodes go, all at once.
type Outcome string

// The outcomes, the worst first.
const (
	OutcomeOffline  Outcome = "Offline"  // no copy is left that it can go on with
	OutcomeUnknown  Outcome = "Unknown"  // it depends on a copy of which nobody knows where it is
	OutcomeDegraded Outcome = "Degraded" // it goes on with fewer copies than are wanted
	OutcomeMoved    Outcome = "Moved"    // as many copies as are wanted stay; it is used, or led, elsewhere
)

var outcomes = []Outcome{OutcomeOffline, OutcomeUnknown, OutcomeDegraded, OutcomeMoved}

// Drained is what becomes of one volume.
type Drained struct {
	Outcome  Outcome
	Record   *v1.Volume
	Attached bool   // it is used on one of the nodes
	Gone     []Copy // on these nodes
	Left     []Copy // elsewhere
}

// Drain foretells what becomes of the volumes that have to do with nodes of StorageOS, given
// by their IDs, the worst first.
func Drain(records []v1.Volume, nodes map[string]bool) []Drained {
	var all []Drained
	for _, r := range records {
		d := drain(&r, func(id string) bool { return nodes[id] })
		// A copy may be on one of the nodes if nobody says where it is.
		worst := drain(&r, func(id string) bool { return nodes[id] || id == "" })
		if worst.Outcome == OutcomeOffline && d.Outcome != OutcomeOffline || r.Status.Master == nil {
			d.Outcome = OutcomeUnknown
		}
		if d.Outcome != "" {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Drained) int {
		return cmp.Or(
			cmp.Compare(slices.Index(outcomes, a.Outcome), slices.Index(outcomes, b.Outcome)),
			cmp.Compare(ClaimOf(a.Record).Namespace, ClaimOf(b.Record).Namespace),
			cmp.Compare(ClaimOf(a.Record).Name, ClaimOf(b.Record).Name),
			cmp.Compare(a.Record.Name, b.Record.Name))
	})
	return all
}

// drain foretells what becomes of one volume. Without an outcome it has nothing to do with
// what goes.
//
//	a copy goes   the rest            outcome
//	yes           none survives       Offline
//	yes           fewer than wanted   Degraded
//	yes           as many as wanted   Moved
//	no, it is attached there          Moved
func drain(r *v1.Volume, goes func(nodeID string) bool) Drained {
	d := Drained{Record: r, Attached: r.Status.AttachedOn != "" && goes(r.Status.AttachedOn)}
	usable, survives := 0, false
	for _, c := range Copies(&r.Status) {
		if goes(c.NodeID) {
			d.Gone = append(d.Gone, c)
			continue
		}
		d.Left = append(d.Left, c)
		survives = survives || c.Survives
		if c.Usable {
			usable++
		}
	}
	switch {
	case len(d.Gone) == 0 && d.Attached:
		d.Outcome = OutcomeMoved
	case len(d.Gone) == 0:
	case !survives:
		d.Outcome = OutcomeOffline
	case usable < wantedCopies(r):
		d.Outcome = OutcomeDegraded
	default:
		d.Outcome = OutcomeMoved
	}
	return d
}

// wantedCopies is how many copies a volume wants, the master among them.
func wantedCopies(r *v1.Volume) int {
	if n, ok := replicasLabel(r.Spec.ConfigLabels); ok {
		return 1 + n
	}
	return max(1, len(Copies(&r.Status)))
}

// ClaimOf is the claim that uses a volume, as far as the record knows one.
func ClaimOf(r *v1.Volume) v1.ClaimReference {
	if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil {
		return *pv.Claim
	}
	return v1.ClaimReference{}
}

// Fresh is how old a complete listing may be for records to be believed, and that of which all is
// in them: the Lease of the listings is written every half a minute.
const Fresh = time.Minute

// apart is how far clocks may be apart. A listing that ended in the future could be old.
const apart = 5 * time.Second

// Age is how long ago by the clock here something was, given as the controller's clock said it.
func (h Heartbeat) Age(at, now time.Time) (time.Duration, error) {
	age := now.Sub(at.Add(-h.Ahead))
	if age < -apart {
		return 0, fmt.Errorf("the clock here is %v behind the controller's", (-age).Round(time.Second))
	}
	return age, nil
}

// Doubts are the reasons for which nothing may be concluded from records, none if something may:
// they are old, they are of another cluster than the one that was listed, or something is not in
// them.
func Doubts(records []v1.Volume, h Heartbeat, now time.Time) []string {
	var doubts []string
	doubt := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	doubtMany := func(n int, one, many string) {
		if n > 0 {
			doubt("%s", count(n, one, many))
		}
	}
	switch age, err := h.Age(h.Completed, now); {
	case err != nil:
		doubt("%v", err)
	case age > Fresh:
		doubt("StorageOS was last listed completely %v ago", age.Round(time.Second))
	}
	doubtMany(h.Held, "record is held: its volume is not listed, and not proven gone",
		"records are held: their volumes are not listed, and not proven gone")
	doubtMany(h.Unwritten, "record could not be written", "records could not be written")
	doubtMany(h.Invalid, "volume or PersistentVolume cannot be recorded, or waits for a name",
		"volumes or PersistentVolumes cannot be recorded, or wait for a name")
	if h.Cluster == "" {
		doubt("StorageOS does not tell which cluster was listed")
	}
	others, going := 0, 0
	for i := range records {
		if records[i].Annotations[v1.AnnotationClusterID] != h.Cluster {
			others++
		}
		if records[i].DeletionTimestamp != nil {
			going++
		}
	}
	doubtMany(others, fmt.Sprintf("record is not of the cluster that was listed, %q", h.Cluster),
		fmt.Sprintf("records are not of the cluster that was listed, %q", h.Cluster))
	doubtMany(going, "record is being deleted and not kept true any more", "records are being deleted and not kept true any more")
	return doubts
}

// count is a number of something in words.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Waiting is how many records wait for the proof that their volumes are gone, "" if none does.
// After the grace they go, or are held, or are among those that are kept.
func Waiting(records []v1.Volume, h Heartbeat) string {
	absent, sum := 0, Sum(0)
	for i := range records {
		if records[i].Annotations[v1.AnnotationAbsentSince] != "" {
			absent++
			sum += SumOfOne(records[i].UID)
		}
	}
	switch {
	case sum == h.Kept:
		return ""
	case h.Kept != 0:
		return "the records that say that their volumes are absent are not those whose volumes are proven gone"
	}
	return count(absent, "record waits for the proof that its volume is gone", "records wait for the proof that their volumes are gone")
}

// Lag is what is not recorded that was listed longer ago than is Fresh, "" if all is. After a
// start that may be over in a moment.
func Lag(h Heartbeat, now time.Time) string {
	switch age, err := h.Age(h.Recorded, now); {
	case h.Recorded.IsZero():
		return "what was listed is not all recorded yet, or not any more"
	case err != nil:
		return err.Error()
	case age > Fresh:
		return fmt.Sprintf("what was listed in the last %v is not all recorded yet", age.Round(time.Second))
	}
	return ""
}
