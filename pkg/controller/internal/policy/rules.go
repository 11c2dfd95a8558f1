package policy

import "time"

// Rules are what an operator can choose of what is decided.
type Rules struct {
	// PollInterval is the time from the begin of one listing to the next.
	PollInterval time.Duration
	// DeleteOrphans false: decide, count and report, but delete nothing.
	DeleteOrphans bool
	// OrphanGracePeriod is how long a volume must be watched to be absent before its
	// record may go. It is the patience of reports as well.
	OrphanGracePeriod time.Duration
	// MaxOrphanPercent, MaxOrphanCount: when more than this percentage of the records and
	// more than this many of them have lost their volumes, and nothing explains it, the
	// breaker trips.
	MaxOrphanPercent int
	MaxOrphanCount   int
	// MassOrphanHold is for how long absences are watched then before a record may go.
	MassOrphanHold time.Duration
	// AcceptClusterID names the StorageOS cluster that may also judge records that name
	// another.
	AcceptClusterID string
	// ProgressInterval is how often at most the sync progress of replicas alone causes a
	// write.
	ProgressInterval time.Duration
}

// absence is what the rules of deletion look at: a record whose volume the last
// complete listing did not show.
type absence struct {
	since     time.Time     // when that was so first, as far as it is known: for people
	watched   time.Duration // for how long the cluster that answers was seen not to have it
	watching  bool          // false: that was not seen yet, or another cluster answered since
	asked     time.Time     // when the volume was last asked for in vain
	proven    bool          // it was proven gone then
	clusterID string        // the StorageOS cluster that the record names
	explained bool          // the record's PersistentVolume explains the absence
	world
}

// world is what more than one absence has in common.
type world struct {
	now          time.Time
	lastComplete bool   // the last listing was complete
	answering    string // the cluster of the last complete listing, "" if it refused to tell
	anyCluster   bool   // some record names a cluster
	vouched      bool   // the one that answers has listed the volume of a record that counts for this one (Voucher)
	tripped      bool   // too many are absent and nothing explains it
}

// ruling is what the rules say of a record whose volume is absent.
type ruling struct {
	// verify: nothing stands in the way of the question whose answer may be the
	// proof.
	verify bool
	// held: the grace is over and a rule holds the record back; why says
	// which.
	held bool
	why  string
	// After this time it is worth looking again, if it is not 0; after the next listing
	// it always is.
	after time.Duration
}

// Why a record is held back.
const (
	heldIncomplete   = "the last listing of StorageOS was incomplete"
	HeldNotWritten   = "the record does not say yet what it should"
	HeldNotAsked     = "StorageOS is asked for other volumes first"
	heldNotProven    = "StorageOS did not confirm that the volume is gone"
	HeldNotDeleted   = "Kubernetes does not delete the record"
	HeldNotWatched   = "the volume was not watched to be absent for long enough"
	HeldOtherCluster = "another StorageOS cluster answers than the one that the record names"
	HeldNoCluster    = "StorageOS does not tell which cluster answers"
	HeldMass         = "too many records have lost their volumes at once and nothing explains it"
	HeldNotVouched   = "too many records have lost their volumes at once, and nothing shows that the StorageOS cluster that answers ever had those that name no cluster"
)

// rule applies the rules of deletion to a record whose volume is absent. The first line that
// fits decides:
//
//	the cluster that answers does not judge the record   no
//	the absence was not watched for the grace            no
//	the last listing was incomplete                      no
//	tripped, unexplained, not watched for the hold       no
//	tripped, unexplained, names no cluster, not vouched  no, unless it is accepted
//	asked for in vain less than a grace ago              no
//	otherwise                                            ask; delete if the answers prove it
//
// Each "no" makes a record wait. That the record is marked, and says so in Kubernetes, is necessary
// too: decideAbsent sees to it before it heeds this, and keeps all with DeleteOrphans off. Since when
// the mark says is for people: what a process has not watched itself permits nothing.
func (s *Rules) rule(a absence) ruling {
	why, after := s.forbids(a)
	switch {
	case why == "":
		return ruling{verify: true}
	case s.fresh(a):
		return ruling{}
	default:
		return ruling{held: true, why: why, after: after}
	}
}

// forbids tells why the question may not be asked now, "" if it may, and in which time
// that will be otherwise, 0 if only a listing can tell.
func (s *Rules) forbids(a absence) (why string, after time.Duration) {
	mass := a.tripped && !a.explained
	switch {
	case !s.judges(a.answering, a.clusterID, a.anyCluster):
		if a.answering == "" {
			return HeldNoCluster, 0
		}
		return HeldOtherCluster, 0
	case !a.watching || a.watched < s.OrphanGracePeriod:
		return HeldNotWatched, 0
	case !a.lastComplete:
		return heldIncomplete, 0
	case mass && a.watched < s.MassOrphanHold:
		return HeldMass, 0
	case mass && a.clusterID == "" && !a.vouched && (a.answering == "" || a.answering != s.AcceptClusterID):
		return HeldNotVouched, 0
	case !a.asked.IsZero() && a.now.Sub(a.asked) < s.OrphanGracePeriod:
		return a.inVain(), s.OrphanGracePeriod - a.now.Sub(a.asked)
	default:
		return "", 0
	}
}

// inVain tells why a record is still there though its volume was asked for.
func (a absence) inVain() string {
	if a.proven {
		return HeldNotDeleted
	}
	return heldNotProven
}

// judges tells whether the cluster that answers judges a record that names this one:
//
//	answers   the record names       judges
//	unnamed   none                   while no record names one
//	unnamed   any                    no
//	a         none                   yes
//	a         a                      yes
//	a         b                      if a is accepted
func (s *Rules) judges(answering, named string, anyCluster bool) bool {
	switch {
	case answering == "":
		return named == "" && !anyCluster
	case named == "":
		return true
	default:
		return named == answering || answering == s.AcceptClusterID
	}
}

// fresh tells whether an absence is younger than the grace, by its mark: a record that is kept then
// does not count as held. It is for reports alone: the grace of a deletion is watched time. A mark is
// cut to whole seconds: the second that it may have lost is added.
func (s *Rules) fresh(a absence) bool {
	grace := s.OrphanGracePeriod
	if grace > 0 {
		grace += time.Second
	}
	return a.now.Sub(a.since) < grace
}
