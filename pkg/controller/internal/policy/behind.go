package policy

// lag takes down whether the record is behind: it does not say all that it should, or nobody
// knows what it says, or somebody makes it say something else again and again. What counts as
// invalid or held is known to whoever reads these counts.
func (d *Decision) lag() {
	t := &d.Memory
	d.Behind = (d.differs || t.Unanswered.Was != nil || t.Before.Again()) && !t.Gauges.Invalid && t.Gauges.Held == ""
}
