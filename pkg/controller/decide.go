package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// observation is all that is known of one volume at one moment.
type observation struct {
	now        time.Time
	sight      sight         // StorageOS
	pv         *state.PV     // nil if none refers to the volume
	record     *state.Record // nil if there is none
	copies     int           // records of the same namespace that describe it too
	leftAlone  int           // records that describe it too, of whatever namespace
	track      track         // what was remembered
	anyCluster bool          // some record names a StorageOS cluster
	tripped    bool          // the breaker has tripped
	deleting   bool          // Kubernetes was asked to delete the record: it counts as deleted
	aside      bool          // its turn to be asked for has not come
	older      bool          // the CRD is known to drop some of what is written
	polled     bool          // by the poller: a worker may be writing the record

	provisioned time.Time // when a PersistentVolume last came

	holder    nameHolder // of the name that its record waits for
	nameTaken bool       // another volume's record has the name of its PersistentVolume
}

// decision is what is to be done about one volume.
type decision struct {
	verdict verdict
	want    state.Summary // what the record should say, with save
	content bool          // the volume's content has to be written, with save
	lacking bool          // and is not: later
	why     string

	track       track   // what to remember
	reports     []event // what to say
	after       time.Duration
	nextListing bool
}

// verdict is what is to be done about a record.
type verdict int

const (
	keep verdict = iota // nothing
	save                // create it or write what it should say
	ask                 // ask StorageOS for the volume, delete the record if it is gone
	hold                // its volume is gone for longer than the grace and a rule holds it back
)

// invalid tells whether the volume is listed and cannot be recorded.
func (o *observation) invalid() bool {
	r := o.track.refused
	refused := !r.at.IsZero() && r.content == o.sight.digest.Content
	return o.sight.presence == present && (o.sight.invalid != "" || refused)
}

// later asks for another look after a time; the soonest counts.
func (d *decision) later(after time.Duration) {
	if after > 0 && (d.after == 0 || after < d.after) {
		d.after = after
	}
}

// decide says what is to be done about one volume. It is a pure function.
func (s *Settings) decide(o observation) decision {
	d := decision{track: o.track}
	d.track.levels = levels{invalid: o.invalid(), leftAlone: o.leftAlone}
	if o.copies > 0 {
		d.track.levels.copies, d.track.levels.namespace = o.copies, o.record.NamespaceID.Value()
	}
	d.watchReferred(&o)
	switch {
	case o.record != nil && o.record.Terminating:
		s.decideTerminating(&o, &d)
	case o.sight.presence == present:
		s.decidePresent(&o, &d)
	case o.sight.presence == absent && (!o.sight.forgotten || !o.track.absent.since.IsZero()):
		s.decideAbsent(&o, &d)
	default:
		s.decideUnknown(&o, &d)
		d.nextListing = o.sight.presence == absent // it tells whether that is so
	}
	d.answer(&o)
	d.pace(&o)
	return d
}

// decideTerminating: somebody's finalizer holds the record. It is neither written nor
// deleted again; when it is gone, its ID comes back. Whether its PersistentVolume has a
// volume is told all the same.
func (s *Settings) decideTerminating(o *observation, d *decision) {
	switch o.sight.presence {
	case present:
		d.found(o)
	case absent:
		s.decideMissing(o, d)
	default:
		d.track.absent = absenceStart{} // an answer may have shown it
		d.track.levels.missing = o.track.levels.missing && o.pv != nil
	}
}

// decideUnknown: whether StorageOS has the volume is not known, or not any more. What
// Kubernetes says is true all the same.
func (s *Settings) decideUnknown(o *observation, d *decision) {
	d.track.absent = absenceStart{}
	d.track.levels.missing = o.track.levels.missing && o.pv != nil
	if o.record == nil {
		if o.pv == nil {
			d.track = track{levels: d.track.levels} // nobody has heard of it
		}
		return
	}
	d.want = o.record.Summary
	if d.want.Mark != "" {
		d.want.Health = state.NotListed
	}
	d.want.KnownToKubernetes(o.pv, d.track.unreferenced.outlived)
	d.compare(o)
}

func (s *Settings) decidePresent(o *observation, d *decision) {
	t := &d.track
	d.found(o)
	if o.sight.moved {
		d.nextListing = true
		return
	}
	if o.sight.invalid != "" {
		s.decideInvalid(o, d)
		return
	}
	t.reported = ""

	if o.record == nil && !o.sight.agreed {
		// A record is deleted on the word of the cluster that it names: none is
		// made before that is known, which is at the end of the listing.
		d.nextListing = true
		return
	}
	if o.record == nil && s.decideName(o, d) {
		return
	}
	if o.record != nil {
		d.want = o.record.Summary
		if o.pv != nil {
			d.tellName(o)
		}
	}
	d.want.Content, d.want.Health = o.sight.digest.Content, o.sight.digest.Health
	d.want.Present, d.want.Mark = state.PresentTrue, ""
	if o.pv != nil {
		d.want.Refer(o.pv)
	} else {
		s.decideUnreferenced(o, d)
	}
	d.compare(o)
	s.decideProgress(o, d)
	if d.verdict != save { // what was refused is not wanted any more
		t.refused, t.levels.invalid = refusal{}, false
	}
	if d.verdict == save && d.content && t.refused.content == o.sight.digest.Content {
		if left := t.refused.at.Add(refusedPause).Sub(o.now); left > 0 {
			d.later(left)
			d.withoutContent(o)
		}
	}
	if d.verdict == save && o.record != nil && o.sight.settling {
		t.quiet = o.sight.digest.Content // of a new record, nothing is said: it needs no memory of every volume
	} else if t.quiet != o.sight.digest.Content || d.verdict != save && t.refused == (refusal{}) {
		t.quiet = 0 // somebody else has written it
	}
}

// found takes note that the volume is there. That it is back is said where it was said
// that it was missing, by this process or by the one before.
func (d *decision) found(o *observation) {
	t := &d.track
	if said := t.missing.said || t.missing.quiet && !o.tripped; said && o.track.levels.missing && o.pv != nil {
		d.reports = append(d.reports, onPersistentVolume(o.pv, corev1.EventTypeNormal, EventFound,
			"StorageOS has the volume again"))
	}
	switch {
	case t.absent != (absenceStart{}):
		t.returned = o.sight.generation
	case o.sight.generation > t.returned+1:
		t.returned = 0 // who was to decide by an older look has done so
	}
	d.nextListing = d.nextListing || t.returned != 0
	t.missing, t.absent, t.asked, t.proven = since{}, absenceStart{}, time.Time{}, ""
}

// withoutContent takes the content from a save: it was refused a moment ago, or cannot be
// had. What else has changed is written.
func (d *decision) withoutContent(o *observation) {
	d.verdict, d.content, d.lacking = keep, false, true
	if o.record != nil {
		d.want.Content, d.want.Health = o.record.Summary.Content, o.record.Copies
		if o.track.unanswered.health != "" && !o.record.Whole() && o.record.Summary.Health != state.NotListed {
			d.want.Health = o.record.Summary.Health // half a write, whose copies say nothing
		}
		d.compare(o)
	}
}

// decideInvalid: the volume is there, but it cannot be recorded. What its record says of
// it stays as it is; what Kubernetes says is true all the same.
func (s *Settings) decideInvalid(o *observation, d *decision) {
	t := &d.track
	// Of a new volume nobody can be told before its PersistentVolume is there.
	told := o.record != nil || o.pv != nil || o.sight.settling
	if told && t.reported != o.sight.invalid {
		t.reported = o.sight.invalid
		if !o.sight.settling {
			d.reports = append(d.reports, onRecordOr(o.record, o.pv, corev1.EventTypeWarning, EventInvalid,
				"the volume cannot be recorded: "+o.sight.invalid)...)
		}
	}
	if o.record == nil {
		return
	}
	d.want = o.record.Summary
	if d.want.Mark != "" || d.want.Present == state.PresentFalse { // a mark is two writes
		d.want.Present, d.want.Mark, d.want.Health = state.PresentTrue, "", o.record.Copies
	}
	if o.pv != nil {
		d.want.Refer(o.pv)
	} else {
		s.decideUnreferenced(o, d) // it has outlived its PersistentVolume like any other
	}
	d.compare(o)
}

// decideAbsent: a complete listing did not show the volume.
func (s *Settings) decideAbsent(o *observation, d *decision) {
	s.decideMissing(o, d)
	if o.record == nil {
		// Neither a volume nor a record: of those nothing is remembered.
		d.track = track{missing: d.track.missing, levels: d.track.levels}
		return
	}

	d.want = o.record.Summary
	d.want.KnownToKubernetes(o.pv, d.track.unreferenced.outlived) // the join explains the absence
	a := s.absence(o, d)
	if _, ok := d.want.Mark.Since(o.now); !ok && s.judges(a.answering, a.clusterID, a.anyCluster) {
		d.want.Mark = state.MarkAt(o.now)
	}
	if d.want.Mark != "" {
		d.want.Present, d.want.Health = state.PresentFalse, state.NotListed
	}
	d.nextListing = true // time is watched by listings
	r := s.rule(a)
	if d.compare(o); d.verdict == save {
		// It is decided again when that is written.
		if left := d.track.refused.at.Add(refusedPause).Sub(o.now); left > 0 {
			d.verdict = keep
			d.later(left)
		}
		// What the listing shows that ended the grace is written in a moment.
		if d.track.levels.held = r.why; r.ask && a.watched >= s.OrphanGracePeriod+s.PollInterval {
			d.track.levels.held = heldNotWritten
		}
		return
	}

	if a.proven {
		d.track.levels.orphan = true
		if !s.DeleteOrphans {
			return
		}
	}
	switch {
	case r.held:
		d.verdict, d.why = hold, r.why
		d.track.levels.held = r.why
	case r.ask:
		d.verdict = ask
		if !d.track.asked.IsZero() {
			d.track.levels.held = a.inVain() // until the answer says otherwise
		} else if o.aside {
			d.track.levels.held = heldNotAsked
		}
	}
	d.later(r.after)
}

// absence takes down what the rules of deletion look at, and begins to watch.
func (s *Settings) absence(o *observation, d *decision) absence {
	t := &d.track
	a := absence{
		asked: t.asked, proven: t.proven == o.record.ResourceVersion, clusterID: o.record.ClusterID.Value(), explained: explains(d.want.PV, o.pv),
		world: world{
			now: o.now, whole: o.sight.whole, answering: o.sight.cluster,
			anyCluster: o.anyCluster, vouched: o.sight.vouched, tripped: o.tripped,
		},
	}
	t.levels.namespace = o.record.NamespaceID.Value()
	switch {
	case o.deleting: // it counts as deleted
	case a.explained:
		t.levels.absence = explained
	default:
		t.levels.absence = unexplained
	}
	if t.absent.since.IsZero() {
		t.absent.since = o.now
	}
	a.since = t.absent.since
	if marked, ok := o.record.Summary.Mark.Since(o.now); ok && marked.Before(a.since) {
		a.since = marked
	}
	judged := s.judges(a.answering, a.clusterID, a.anyCluster)
	_, goesOn := o.sight.watch.since(t.absent.watch)
	switch {
	case !judged:
		t.absent.watch, t.absent.judge = watchPoint{}, ""
	case !goesOn || t.absent.judge != a.clusterID:
		t.absent.watch, t.absent.judge = o.sight.watch, a.clusterID
	}
	a.watched, a.watching = o.sight.watch.since(t.absent.watch)
	return a
}

// explains tells whether what became of the PersistentVolume that a record should name
// explains that the volume is gone: that is what somebody asked Kubernetes for.
func explains(named state.PVSummary, pv *state.PV) bool {
	if pv != nil {
		return pv.Deletes()
	}
	return named.Name != ""
}

// compare makes the decision a save if the record does not say what it should,
// unless it was tried and the API server would not have it.
func (d *decision) compare(o *observation) {
	if o.record == nil {
		if d.want.Content != 0 {
			d.verdict, d.content = save, true
		}
		return
	}
	has := o.record.Summary
	if c := o.sight.cluster; o.sight.presence == present && c != "" && o.record.ClusterID.Value() != c {
		d.verdict = save // adopt it, or take over what another cluster held
	}
	switch {
	case has == d.want:
		d.track.settled = settlement{}
	case o.track.settled == settlement{d.want, has}:
	case o.older && has == d.want.Dropped(o.sight.digest):
		d.track.settled = settlement{d.want, has}
	default:
		d.verdict = save
		d.content = has.Content != d.want.Content
	}
}

// decideProgress: sync progress alone causes a write only every so often.
func (s *Settings) decideProgress(o *observation, d *decision) {
	switch {
	case o.record == nil || o.record.Progress == o.sight.digest.Progress:
		return
	case d.verdict == save && d.content:
		return // it takes the progress along
	}
	if left := o.track.progressed.Add(s.ProgressInterval).Sub(o.now); left > 0 {
		d.later(left)
		return
	}
	d.verdict, d.content = save, true
}
