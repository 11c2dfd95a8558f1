package policy

// MarksInMass tells whether a save marks one of too many unexplained absences.
func (o *Observation) MarksInMass(d Decision) bool {
	return d.Verdict == Save && o.Tripped && d.Memory.Gauges.Absence == Unexplained && d.Want.Mark != o.Record.Summary.Mark
}

// WithoutMark takes from a save the mark, which has to wait. What else has changed is
// written: what Kubernetes tells waits for nothing.
func (d *Decision) WithoutMark(o *Observation) {
	has := o.Record.Summary
	d.Want.Mark, d.Want.Present, d.Want.Health = has.Mark, has.Present, has.Health
	d.Verdict = Keep
	d.compare(o)
}
