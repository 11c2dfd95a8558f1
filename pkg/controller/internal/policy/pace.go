package policy

import "time"

// Before is what a record said before our last write. Somebody may make it say so again as
// soon as it is written: another program, a policy. It is then written again after a pause
// that doubles, and not at the pace of the API server. It is forgotten when that has passed
// and nobody has done so.
type Before struct {
	Said  uint64 // see record.said
	At    time.Time
	Pause time.Duration
}

// FirstUndone is the first of the pauses; the longest is that of a retry.
const FirstUndone = time.Second

// Again tells whether somebody has made a record say so again, and may go on doing it.
func (b Before) Again() bool { return b.Pause > FirstUndone }

// Undone tells whether a record says again what it said before our last write.
func (o *Observation) Undone() bool {
	return o.Record != nil && o.Memory.Before.Said != 0 && o.Record.Said() == o.Memory.Before.Said
}

// pace lets a record that says again what it said before our last write wait for its turn.
func (d *Decision) pace(o *Observation) {
	b := o.Memory.Before
	if b == (Before{}) {
		return
	}
	left := b.At.Add(b.Pause).Sub(o.Now)
	undone := d.Verdict == Save && o.Undone()
	switch {
	case left > 0:
		d.NextListing = true
		if undone {
			d.Verdict, d.Content = Keep, false
			d.later(left)
		}
	case !undone:
		d.Memory.Before = Before{}
	}
}
