package policy

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// LastWrite is what our last write was to make of a record. Somebody may make something else of
// it as soon as it is written: another program, a policy. It is written again at once, then after
// a pause that doubles, and not at the pace of the API server. It is forgotten when that has
// passed and the record says what it should.
type LastWrite struct {
	WantHash uint64 // see Decision
	Gone     bool   // a record that was made a moment before has gone: all that it said
	At       time.Time
	Pause    time.Duration
}

// firstUndone is the first of the pauses; the longest is that of a retry. For so long the first
// write is remembered too.
const firstUndone = time.Second

// LongestRetry is the longest pause before a record is written again. When a fault of Kubernetes
// has ended, every record is to be right again within two polls.
func (s *Rules) LongestRetry() time.Duration { return 2 * s.PollInterval }

// Then is the next write of a record. What is written of something else may be undone as well.
func (l LastWrite) Then(wanted uint64, now time.Time, longest time.Duration) LastWrite {
	return LastWrite{wanted, l.Gone, now, l.next(l.WantHash == wanted, longest)}
}

// ThenGone is after the record has gone, which the next write makes anew. Who makes one of his
// own each time undoes that as well as what is written of his.
func (l LastWrite) ThenGone(now time.Time, longest time.Duration) LastWrite {
	return LastWrite{l.WantHash, true, now, l.next(l.Gone, longest)}
}

func (l LastWrite) next(again bool, longest time.Duration) time.Duration {
	if !again {
		return l.Pause
	}
	return min(max(2*l.Pause, firstUndone), longest)
}

// Undone tells whether somebody has undone a write, and may go on doing it.
func (l LastWrite) Undone() bool { return l.Pause > 0 }

// over tells whether a record need not be remembered any more, when its pause has passed: it says
// what was written last, or what it should. Who has undone it is not forgotten for that while the
// volume is not known, or cannot be recorded as it is.
func (d *Decision) over(o *Observation) bool {
	last := d.Memory.LastWrite
	known := o.Source.Presence == Present && !d.unsure && !d.Memory.Gauges.Invalid
	stands := !d.Undone && o.Record != nil && d.hash(o, o.Record.Summary) == last.WantHash
	return (known || !last.Undone()) && (stands || !d.differs)
}

// hash is one of what a record should say, or says. What is left as it says it already is no
// part of it, as somebody may change that each time, nor is since when its volume is absent:
// who takes that out is given another time.
func (d *Decision) hash(o *Observation, want state.Summary) uint64 {
	if d.Lacking || o.Source.Presence != Present || o.Source.Invalid != "" {
		want.Content, want.Health = 0, state.Health{}
	}
	if o.PV == nil {
		want.PV = state.PVSummary{}
	}
	if want.Mark != "" {
		want.Mark = "set"
	}
	return want.Hash()
}

// pace lets a record wait for its turn that is to say again what our last write was to make it
// say.
func (d *Decision) pace(o *Observation) {
	if d.Verdict == Save && d.differs {
		d.WantHash = d.hash(o, d.Want)
	}
	last := d.Memory.LastWrite
	if last == (LastWrite{}) {
		return
	}
	d.Undone = d.WantHash != 0 && (d.WantHash == last.WantHash || o.Record == nil && last.Gone)
	switch {
	case last.At.Add(max(last.Pause, firstUndone)).After(o.Now):
		d.NextListing = true
	case !d.over(o):
	case o.Polled && last.Undone():
		d.later(time.Nanosecond) // a worker may be writing it: it is right for a moment
	default:
		d.Memory.LastWrite = LastWrite{}
	}
	if left := last.At.Add(last.Pause).Sub(o.Now); d.Undone && left > 0 {
		d.Verdict, d.Content = Keep, false
		d.later(left)
	}
}
