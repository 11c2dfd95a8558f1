package policy

// Standing is how a record stands to what is known of its volume.
type Standing int

// The standings.
const (
	Right  Standing = iota // it says all of that, or there is neither
	Behind                 // it does not, or may not
	Past                   // its volume is absent: it says how that was
	Unsure                 // too little is known to tell: nothing has changed in that
)

// stand takes down how the record stands. It is behind if it does not say all that it should, if
// nobody knows what it says, if somebody makes it say something else again and again, and while
// it cannot say how the volume is. What it says of an absent volume is of before: should that
// come back, nothing of it has been right since.
func (d *Decision) stand(o *Observation) {
	t := &d.Memory
	switch {
	case o.Source.Presence == Absent && o.Record != nil && !d.unsure:
		d.Standing = Past
	case d.differs, t.Unanswered.Was != nil, t.LastWrite.Undone(), t.Gauges.Invalid:
		d.Standing = Behind
	case d.unsure:
		d.Standing = Unsure
	}
}
