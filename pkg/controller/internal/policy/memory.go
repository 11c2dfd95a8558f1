package policy

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Memory is what this process remembers of one volume between two reconciles.
// A fail-over loses it, and that may only delay a deletion: what is not remembered was not
// watched, not asked and not proven.
type Memory struct {
	unreferenced Onset        // no PersistentVolume has referred to a volume that is listed or recorded since then
	missing      Onset        // a PersistentVolume has referred to an absent volume since then
	absent       absenceStart // no complete listing has shown the volume since then
	returned     int          // the generation of the view that ended the last absence
	Asked        time.Time    // when StorageOS was last asked for the volume in vain: it did not prove it gone, or Kubernetes did not let the record go
	Proven       string       // the resource version of the record whose volume was proven gone
	Progressed   time.Time    // when sync progress was last written
	Reported     string       // the VolumeInvalid that was last said
	Refused      Refusal
	Wait         NameWait
	without      string    // the name that its record was to have by a label, and waited for in vain
	nameTold     state.UID // the PersistentVolume that was told that the record has another name
	Quiet        uint64    // what the next save changes was so when this process began
	Unanswered   Unanswered
	Applied      Applied
	Written      *state.Record // as our last write has left it, while the cache is behind
	LastWrite    LastWrite
	Gauges       Gauges
}

// absenceStart is the begin of an absence.
type absenceStart struct {
	since time.Time  // as far as this process knows: for people
	watch WatchPoint // zero while nobody watches
	judge string     // the cluster that the record named then
}

// Refusal is that the API server did not take what was written.
type Refusal struct {
	Content uint64 // hash of the content that the volume had
	At      time.Time
	Told    bool // by an event, or it was so when this process began
}

// RefusedPause is for how long what was refused is not written again. Whatever made
// the API server refuse it may have been mended.
const RefusedPause = time.Minute

// Newest is what is known of a record: what the cache says, or what our last write has left
// if the cache is behind that. It learns of it by the watch: in a moment, or not for minutes
// if the watch has gone quiet. What came between may be told first.
func Newest(written, cached *state.Record) *state.Record {
	if written != nil && cached != nil && cached.UID == written.UID && cached.OlderThan(written) {
		return written
	}
	return cached
}

// Onset is the begin of something.
type Onset struct {
	at    time.Time
	quiet bool // it was already so when this process began: no event
	said  bool // by an event

	// Of a volume without a PersistentVolume: that may be yet to come, as it has just been
	// made; a listing begun since then has shown that it outlived the last one; or it was not
	// listed since then, and whether it is to be quiet is told by the list that shows it.
	pending, outlived, unlisted bool

	claimed bool // not begun: there is a PersistentVolume, and the record still says unclaimed
}

// Applied remembers a record that does not say what was last written to it: the
// API server dropped fields that its CRD does not know, or a host name that nobody
// tells any more was kept. Writing the same again would change nothing.
type Applied struct {
	Desired  state.Summary // what was written
	Observed state.Summary // what the record said after it
}

// AppliedBy tells what a save has settled: nothing if the record now says what it
// should, or if its content was not written and turns out to be another than it should.
// Somebody has edited it meanwhile, or changes what is stored: the event of that brings the
// ID back.
func AppliedBy(d Decision, after *state.Record) Applied {
	switch {
	case after.Summary == d.Want:
		return Applied{}
	case !d.Content && after.Summary.Content != d.Want.Content:
		return Applied{}
	default:
		return Applied{Desired: d.Want, Observed: after.Summary}
	}
}

// Gauges are what a volume counts in: gauges for people, and what the breaker goes by.
type Gauges struct {
	Unclaimed bool   // no PersistentVolume refers to it
	Missing   bool   // a PersistentVolume refers to it and it is not there
	Orphan    bool   // its record is to be deleted: proven gone
	Invalid   bool   // it is listed and cannot be recorded
	LeftAlone int    // records that describe it too and are left alone
	Held      string // its record is past its grace and held back: why
	BreakerInput
}

// BreakerInput is what the breaker counts of a volume.
type BreakerInput struct {
	Absence    AbsenceKind // its record is there and its volume is not
	Duplicates int         // records that describe it beside the one that counts
	Namespace  string      // of StorageOS, that the record names; or else the list that shows the volume, or its PersistentVolume
	Unnamed    bool        // the record does not
}

// Pruned tells whether the API server has dropped what was added to the CRD.
func (s Applied) Pruned() bool {
	lost := func(want, got state.Condition) bool { return want != state.Condition{} && got == state.Condition{} }
	return lost(s.Desired.Present, s.Observed.Present) || lost(s.Desired.Bound, s.Observed.Bound)
}
