package policy

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Observation is all that is known of one volume at one moment.
type Observation struct {
	Look       uint64 // its number: a later one sees what an earlier one has
	Now        time.Time
	Source     Source        // StorageOS
	PV         *state.PV     // nil if none refers to the volume
	Record     *state.Record // nil if there is none
	Duplicates int           // records of the same namespace that describe it too
	LeftAlone  int           // records that describe it too, of whatever namespace
	Memory     Memory        // what was remembered
	AnyCluster bool          // some record names a StorageOS cluster
	Tripped    bool          // the breaker has tripped
	Deleting   bool          // Kubernetes was asked to delete the record: it counts as deleted
	Aside      bool          // its turn to be asked for has not come
	Older      bool          // the CRD is known to drop some of what is written
	Polled     bool          // by the poller: a worker may be writing the record

	Provisioned time.Time // when a PersistentVolume last came

	Holder    NameHolder // of the name that its record waits for
	NotWanted bool       // that name is the PersistentVolume's of another volume by now
	NameTaken bool       // another volume's record has the name of its PersistentVolume
}

// Decision is what is to be done about one volume.
type Decision struct {
	Verdict Verdict
	Want    state.Summary // what the record should say, with save
	Content bool          // the volume's content has to be written, with save
	Lacking bool          // and cannot be now: it was refused, or is not at hand
	Why     string

	Standing Standing // of the record

	WantHash uint64 // hash of what a record should say that does not
	Undone   bool   // our last write was to make it say that

	differs bool // the record does not say all that it should
	unsure  bool // what it should say is not known: the next listing tells, or whoever deletes the record

	Memory      Memory  // what to remember
	Reports     []Event // what to say
	After       time.Duration
	NextListing bool
}

// Verdict is what is to be done about a record.
type Verdict int

// The verdicts.
const (
	Keep   Verdict = iota // nothing
	Save                  // create it or write what it should say
	Verify                // ask StorageOS for the volume, and delete the record if the answers prove it gone
	Hold                  // its volume is absent for longer than the grace and a rule holds it back
)

// invalid tells whether the volume is listed and cannot be recorded.
func (o *Observation) invalid() bool {
	r := o.Memory.Refused
	refused := !r.At.IsZero() && r.Content == o.Source.Digest.Content
	return o.Source.Presence == Present && (o.Source.Invalid != "" || refused)
}

// later asks for another look after a time; the soonest counts.
func (d *Decision) later(after time.Duration) {
	if after > 0 && (d.After == 0 || after < d.After) {
		d.After = after
	}
}

// Decide says what is to be done about one volume. It is a pure function.
func (s *Rules) Decide(o Observation) Decision {
	d := Decision{Memory: o.Memory}
	d.Memory.Gauges = Gauges{Invalid: o.invalid(), LeftAlone: o.LeftAlone}
	if o.Duplicates > 0 {
		d.Memory.Gauges.Duplicates, d.Memory.Gauges.Namespace = o.Duplicates, o.Record.NamespaceID.Value()
	}
	d.watchReferred(&o)
	switch {
	case o.Record != nil && o.Record.Terminating:
		s.decideTerminating(&o, &d)
	case o.Source.Presence == Present:
		s.decidePresent(&o, &d)
	// That a listing has shown an ID since is not kept of those that nothing in Kubernetes named then.
	// One that is remembered as absent was named.
	case o.Source.Presence == Absent && (!o.Source.Forgotten || !o.Memory.absent.since.IsZero()):
		s.decideAbsent(&o, &d)
	default:
		s.decideUnknown(&o, &d)
		d.NextListing = o.Source.Presence == Absent // it tells whether that is so
	}
	s.answer(&o, &d)
	d.pace(&o)
	d.stand(&o)
	return d
}

// decideTerminating: somebody's finalizer holds the record. It is neither written nor
// deleted again; when it is gone, its ID comes back. Whether its PersistentVolume has a
// volume is told all the same.
func (s *Rules) decideTerminating(o *Observation, d *Decision) {
	d.unsure = true
	switch o.Source.Presence {
	case Present:
		d.found(o)
	case Absent:
		s.decideMissing(o, d)
	default:
		d.Memory.absent = absenceStart{} // an answer may have shown it
		d.Memory.Gauges.Missing = o.Memory.Gauges.Missing && o.PV != nil
	}
}

// decideUnknown: whether StorageOS has the volume is not known, or not any more. What
// Kubernetes says is true all the same.
func (s *Rules) decideUnknown(o *Observation, d *Decision) {
	d.unsure = o.Record != nil || o.PV != nil
	d.Memory.absent = absenceStart{}
	d.Memory.Gauges.Missing = o.Memory.Gauges.Missing && o.PV != nil
	if o.Record == nil {
		if o.PV == nil {
			d.Memory = Memory{Gauges: d.Memory.Gauges} // nobody has heard of it
		}
		return
	}
	d.Want = o.Record.Summary
	if d.Want.Mark != "" {
		d.Want.Health = state.NotListed
	}
	d.Want.KnownToKubernetes(o.PV, d.Memory.unreferenced.outlived)
	d.compare(o)
}

func (s *Rules) decidePresent(o *Observation, d *Decision) {
	t := &d.Memory
	d.found(o)
	if o.Source.Moved {
		d.NextListing, d.unsure = true, true
		return
	}
	if o.Source.Invalid != "" {
		s.decideInvalid(o, d)
		return
	}
	t.Reported = ""

	if o.Record == nil && !o.Source.ClusterVerified {
		// A record is deleted on the word of the cluster that it names: none is
		// made before that is known: when the listing ends, or the volume is read by its ID.
		d.NextListing, d.differs = true, true
		return
	}
	if o.Record == nil && s.decideName(o, d) {
		return
	}
	if o.Record != nil {
		d.Want = o.Record.Summary
		d.tellName(o)
	}
	d.Want.Content, d.Want.Health = o.Source.Digest.Content, o.Source.Digest.Health
	d.Want.Present, d.Want.Mark = state.PresentTrue, ""
	if o.PV != nil {
		d.Want.Refer(o.PV)
	} else {
		s.decideUnreferenced(o, d)
	}
	d.compare(o)
	s.decideProgress(o, d)
	if d.Verdict != Save { // what was refused is not wanted any more
		t.Refused, t.Gauges.Invalid = Refusal{}, false
	}
	if d.Verdict == Save && d.Content && t.Refused.Content == o.Source.Digest.Content {
		if left := t.Refused.At.Add(RefusedPause).Sub(o.Now); left > 0 {
			d.later(left)
			d.WithoutContent(o)
		}
	}
	if d.Verdict == Save && o.Record != nil && o.Source.InitialSync {
		t.Quiet = o.Source.Digest.Content // of a new record, nothing is said: it needs no memory of every volume
	} else if t.Quiet != o.Source.Digest.Content || d.Verdict != Save && t.Refused == (Refusal{}) {
		t.Quiet = 0 // somebody else has written it
	}
}

// found takes note that the volume is there. That it is back is said where it was said
// that it was missing, by this process or by the one before.
func (d *Decision) found(o *Observation) {
	t := &d.Memory
	if said := t.missing.said || t.missing.quiet && !o.Tripped; said && o.Memory.Gauges.Missing && o.PV != nil {
		d.Reports = append(d.Reports, OnPersistentVolume(o.PV, corev1.EventTypeNormal, EventFound,
			"StorageOS has the volume of the PersistentVolume "+o.PV.Name+" again"))
	}
	switch {
	case t.absent != (absenceStart{}):
		t.returned = o.Source.Generation
	case o.Source.Generation > t.returned+1:
		t.returned = 0 // who was to decide by an older look has done so
	}
	d.NextListing = d.NextListing || t.returned != 0 || o.clusterOpen()
	t.missing, t.absent, t.Asked, t.Proven = Onset{}, absenceStart{}, time.Time{}, ""
	if ns, unnamed := o.namespace(); unnamed {
		t.Gauges.Namespace, t.Gauges.Unnamed = ns, true
	}
}

// WithoutContent takes the content from a save: it was refused a moment ago, or cannot be
// had. What else has changed is written.
func (d *Decision) WithoutContent(o *Observation) {
	d.Verdict, d.Content, d.Lacking = Keep, false, true
	if o.Record != nil {
		d.Want.Content, d.Want.Health = o.Record.Summary.Content, o.Record.CopiesHealth
		if o.Memory.Unanswered.Health != "" && !o.Record.Whole() && o.Record.Summary.Health != state.NotListed {
			d.Want.Health = o.Record.Summary.Health // half a write, whose copies say nothing
		}
		d.compare(o)
	}
}

// decideInvalid: the volume is there, but it cannot be recorded. What its record says of
// it stays as it is; what Kubernetes says is true all the same.
func (s *Rules) decideInvalid(o *Observation, d *Decision) {
	t := &d.Memory
	// Of a new volume nobody can be told before its PersistentVolume is there.
	told := o.Record != nil || o.PV != nil || o.Source.InitialSync
	if told && t.Reported != o.Source.Invalid {
		t.Reported = o.Source.Invalid
		if !o.Source.InitialSync {
			d.Reports = append(d.Reports, OnRecordOr(o.Record, o.PV, corev1.EventTypeWarning, EventInvalid,
				"the volume cannot be recorded: "+o.Source.Invalid)...)
		}
	}
	if o.Record == nil {
		return
	}
	d.Want = o.Record.Summary
	if d.Want.Mark != "" || d.Want.Present == state.PresentFalse { // a mark is two writes
		d.Want.Present, d.Want.Mark, d.Want.Health = state.PresentTrue, "", o.Record.CopiesHealth
	}
	if o.PV != nil {
		d.Want.Refer(o.PV)
	} else {
		s.decideUnreferenced(o, d) // it has outlived its PersistentVolume like any other
	}
	d.compare(o)
}

// decideAbsent: a complete listing did not show the volume.
func (s *Rules) decideAbsent(o *Observation, d *Decision) {
	s.decideMissing(o, d)
	if o.Record == nil {
		// Neither a volume nor a record: of those nothing is remembered.
		d.Memory = Memory{missing: d.Memory.missing, Gauges: d.Memory.Gauges}
		return
	}

	d.Want = o.Record.Summary
	d.Want.KnownToKubernetes(o.PV, d.Memory.unreferenced.outlived) // the join explains the absence
	a := s.absence(o, d)
	if _, ok := d.Want.Mark.Since(o.Now); !ok && s.judges(a.answering, a.clusterID, a.anyCluster) {
		d.Want.Mark = state.MarkAt(o.Now)
	}
	if d.Want.Mark != "" {
		d.Want.Present, d.Want.Health = state.PresentFalse, state.NotListed
	}
	d.NextListing = true // time is watched by listings
	r := s.rule(a)
	if d.compare(o); d.Verdict == Save {
		// It is decided again when that is written.
		if left := d.Memory.Refused.At.Add(RefusedPause).Sub(o.Now); left > 0 {
			d.Verdict = Keep
			d.later(left)
		}
		// What the listing shows that ended the grace is written in a moment.
		if d.Memory.Gauges.Held = r.why; r.verify && a.watched >= s.OrphanGracePeriod+s.PollInterval {
			d.Memory.Gauges.Held = HeldNotWritten
		}
		return
	}

	if a.proven {
		d.Memory.Gauges.Orphan = true
		if !s.DeleteOrphans {
			return
		}
	}
	switch {
	case r.held:
		d.Verdict, d.Why = Hold, r.why
		d.Memory.Gauges.Held = r.why
	case r.verify:
		d.Verdict = Verify
		if !d.Memory.Asked.IsZero() {
			d.Memory.Gauges.Held = a.inVain() // until the answer says otherwise
		} else if o.Aside {
			d.Memory.Gauges.Held = HeldNotAsked
		}
	}
	d.later(r.after)
}

// absence takes down what the rules of deletion look at, and begins to watch.
func (s *Rules) absence(o *Observation, d *Decision) absence {
	t := &d.Memory
	a := absence{
		asked: t.Asked, clusterID: o.Record.ClusterID.Value(), explained: explains(d.Want.PV, o.PV),
		world: world{
			now: o.Now, lastComplete: o.Source.LastComplete, answering: o.Source.Cluster,
			anyCluster: o.AnyCluster, vouched: o.Source.Voucher.Counts(o.Record), tripped: o.Tripped,
		},
	}
	t.Gauges.Namespace, t.Gauges.Unnamed = o.namespace()
	switch {
	case o.Deleting: // it counts as deleted
	case a.explained:
		t.Gauges.Absence = Explained
	default:
		t.Gauges.Absence = Unexplained
	}
	if t.absent.since.IsZero() {
		t.absent.since = o.Now
	}
	a.since = t.absent.since
	if marked, ok := o.Record.Summary.Mark.Since(o.Now); ok && marked.Before(a.since) {
		a.since = marked
	}
	judged := s.judges(a.answering, a.clusterID, a.anyCluster)
	_, goesOn := o.Source.Watch.Since(t.absent.watch)
	switch { // where the watch begins anew, a proof is of before
	case !judged:
		t.absent.watch, t.absent.judge, t.Proven = WatchPoint{}, "", ""
	case !goesOn || t.absent.judge != a.clusterID:
		t.absent.watch, t.absent.judge, t.Proven = o.Source.Watch, a.clusterID, ""
	}
	a.watched, a.watching = o.Source.Watch.Since(t.absent.watch)
	a.proven = t.Proven == o.Record.ResourceVersion
	return a
}

// compare makes the decision a save if the record does not say what it should,
// unless it was tried and the API server would not have it.
func (d *Decision) compare(o *Observation) {
	if o.Record == nil {
		if d.Want.Content != 0 {
			d.Verdict, d.Content, d.differs = Save, true, true
		}
		return
	}
	has := o.Record.Summary
	if c := o.Source.Cluster; o.Source.Presence == Present && c != "" && o.Record.ClusterID.Value() != c {
		d.Verdict, d.differs = Save, true // adopt it, or take over what another cluster held
	}
	switch {
	case has == d.Want:
		d.Memory.Applied = Applied{}
	case o.Memory.Applied == Applied{d.Want, has}:
	case o.Older && has == d.Want.Dropped(o.Source.Digest):
		d.Memory.Applied = Applied{d.Want, has}
	default:
		d.Verdict, d.differs = Save, true
		d.Content = has.Content != d.Want.Content
	}
}

// decideProgress: sync progress alone causes a write only every so often.
func (s *Rules) decideProgress(o *Observation, d *Decision) {
	left := o.Memory.Progressed.Add(s.ProgressInterval).Sub(o.Now)
	switch {
	case o.Record == nil || o.Record.Progress == o.Source.Digest.Progress:
		if left <= 0 {
			d.Memory.Progressed = time.Time{}
		} else {
			d.NextListing = true // it is forgotten then, or later
		}
		return
	case d.Verdict == Save && d.Content:
		return // it takes the progress along
	case left > 0:
		d.later(left)
		return
	}
	d.Verdict, d.Content = Save, true
}
