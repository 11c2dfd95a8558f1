package controller

import "time"

// absence is what the rules of deletion look at: a record whose volume the
// view lacks.
type absence struct {
	now        time.Time
	since      time.Time // the record's mark
	clusterID  string    // the StorageOS cluster that the record names
	asked      time.Time // when the volume was last asked for without proof
	answering  string    // the StorageOS cluster that answers
	whole      bool      // the last listing was complete
	anyCluster bool      // some record names a cluster
	explained  bool      // the record's PersistentVolume explains the absence
	tripped    bool      // too many are absent and nothing explains it
}

// ruling is what the rules say of a record whose volume is absent.
type ruling struct {
	// ask: nothing stands in the way of the question whose answer may be the
	// proof.
	ask bool
	// held: the grace is over and a rule holds the record back; why says
	// which.
	held bool
	why  string
	// After this time it is worth looking again, if it is not 0; when it is
	// held, after the next listing too.
	after time.Duration
}

// Why a record is held back.
const (
	heldIncomplete   = "the last listing of StorageOS was incomplete"
	heldNotProven    = "StorageOS did not confirm that the volume is gone"
	heldOtherCluster = "another StorageOS cluster answers than the one that the record names"
	heldNoCluster    = "StorageOS does not tell which cluster answers"
	heldMass         = "too many records have lost their volumes at once and nothing explains it"
)

// judge applies the rules to a record whose volume is absent and whose absence
// is marked.
func (s *Settings) judge(a absence) ruling {
	if left := s.graceEnd(a.since).Sub(a.now); left > 0 {
		return ruling{after: left}
	}
	switch {
	case !a.whole:
		return ruling{held: true, why: heldIncomplete}
	case a.answering == "" && (a.anyCluster || a.clusterID != ""):
		return ruling{held: true, why: heldNoCluster}
	case a.clusterID != "" && a.clusterID != a.answering && a.answering != s.AcceptClusterID:
		return ruling{held: true, why: heldOtherCluster}
	}
	if a.tripped && !a.explained {
		if left := a.since.Add(s.MassOrphanHold).Sub(a.now); left > 0 {
			return ruling{held: true, why: heldMass, after: left}
		}
	}
	if !a.asked.IsZero() {
		if left := a.asked.Add(s.OrphanGracePeriod).Sub(a.now); left > 0 {
			return ruling{held: true, why: heldNotProven, after: left}
		}
	}
	return ruling{ask: true}
}

// graceEnd is when the grace of an absence ends. The mark is cut to whole
// seconds: the second that it may have lost is added, so that a grace is never
// shorter than what was asked for.
func (s *Settings) graceEnd(mark time.Time) time.Time {
	if s.OrphanGracePeriod == 0 {
		return mark
	}
	return mark.Add(s.OrphanGracePeriod + time.Second)
}
