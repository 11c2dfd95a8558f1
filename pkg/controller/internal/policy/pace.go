package policy

import "time"

// LastWrite is what our last write was to make of a record. Somebody may make something else of
// it as soon as it is written: another program, a policy. It is written again at once, then after
// a pause that doubles, and not at the pace of the API server. It is forgotten when that has
// passed and nobody has done so.
type LastWrite struct {
	Wanted uint64 // see Decision
	At     time.Time
	Pause  time.Duration
}

// firstUndone is the first of the pauses; the longest is that of a retry. For so long the first
// write is remembered too.
const firstUndone = time.Second

// Then is the next write of a record.
func (l LastWrite) Then(wanted uint64, now time.Time, longest time.Duration) LastWrite {
	next := LastWrite{Wanted: wanted, At: now}
	if l.Wanted == wanted {
		next.Pause = min(max(2*l.Pause, firstUndone), longest)
	}
	return next
}

// undone tells whether somebody has undone a write, and may go on doing it.
func (l LastWrite) undone() bool { return l.Pause > 0 }

// wants is a hash of what a record should say, never 0. Since when its volume is absent is no
// part of it: who takes that out is given another time.
func (d *Decision) wants() uint64 {
	want := d.Want
	if want.Mark != "" {
		want.Mark = "set"
	}
	return want.Hash()
}

// pace lets a record wait for its turn that is to say again what our last write was to make it
// say.
func (d *Decision) pace(o *Observation) {
	if d.Verdict == Save && d.differs && o.Record != nil {
		d.Wanted = d.wants()
	}
	last := o.Memory.LastWrite
	if last == (LastWrite{}) {
		return
	}
	d.Undone = d.Wanted == last.Wanted
	switch {
	case last.At.Add(max(last.Pause, firstUndone)).After(o.Now):
		d.NextListing = true
	case !d.Undone:
		d.Memory.LastWrite = LastWrite{}
	}
	if left := last.At.Add(last.Pause).Sub(o.Now); d.Undone && left > 0 {
		d.Verdict, d.Content = Keep, false
		d.later(left)
	}
}
