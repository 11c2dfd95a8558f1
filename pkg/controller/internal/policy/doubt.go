package policy

import (
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Unanswered is that the last write of a record was not answered: it may have been stored
// all the same. Until something newer is known than what the record was before, nobody
// knows what it says: where nothing seems to be written, it is read.
type Unanswered struct {
	Was      *state.Record // before that write; nil if it was answered
	Health   v1.Health     // of the volume, that was said last; "" if there is nothing to be said
	WantHash uint64        // what it was to make of the record, see Decision
}

// stored is the last write of a record that is newer than it was before one that was not answered:
// that was stored, and may have been undone since.
func (u Unanswered) stored(last LastWrite, now time.Time, longest time.Duration) LastWrite {
	if u.WantHash == 0 {
		return last
	}
	return last.Then(u.WantHash, now, longest)
}

// Answered is what is left of it when it is known what the record says: until that is whole,
// the health that was said last.
func (u Unanswered) Answered(is *state.Record) Unanswered {
	if is.Whole() {
		return Unanswered{}
	}
	return Unanswered{Health: u.Health}
}

// Tell tells what a record says of the health, if that was not said yet. Half a write says
// nothing: how many copies are wanted is in one half, and which there are is in the other.
func (u *Unanswered) Tell(is *state.Record) []Event {
	if u.Health == "" || !is.Whole() {
		return nil
	}
	said := u.Health
	u.Health = is.CopiesHealth.Value().Health
	return HealthEvent(is.Ref(), said, is.CopiesHealth.Value())
}

// answer looks whether the cache tells by now what the record says, and tells of a change
// of health. That is for a worker, as no other writes the record meanwhile and says the same.
func (s *Rules) answer(o *Observation, d *Decision) {
	u := o.Memory.Unanswered
	switch {
	case u == Unanswered{} || o.Record == nil || u.Was != nil && !u.Was.OlderThan(o.Record):
		return // the caller reads it
	case u.Health != "" && o.Polled && o.Record.Whole():
		d.later(time.Nanosecond)
		return
	}
	d.Reports = append(d.Reports, u.Tell(o.Record)...)
	d.Memory.Unanswered = u.Answered(o.Record)
	d.Memory.LastWrite = u.stored(d.Memory.LastWrite, o.Now, s.LongestRetry())
}
