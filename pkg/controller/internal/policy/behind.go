package policy

// Standing is how a record stands to what is known of its volume.
type Standing int

// The standings.
const (
	Right  Standing = iota // it says all of that, or there is neither
	Behind                 // it does not, or may not
	Unsure                 // too little is known to tell: nothing has changed in that
)

// stand takes down how the record stands. It is behind if it does not say all that it should, if
// nobody knows what it says, if somebody makes it say something else again and again, and while
// it cannot say how the volume is, or does not say that it is absent.
func (d *Decision) stand(o *Observation) {
	t := &d.Memory
	unmarked := o.Source.Presence == Absent && o.Record != nil && d.Want.Mark == ""
	switch {
	case d.differs, t.Unanswered.Was != nil, t.LastWrite.undone(), t.Gauges.Invalid, unmarked && !d.unsure:
		d.Standing = Behind
	case d.unsure:
		d.Standing = Unsure
	}
}
