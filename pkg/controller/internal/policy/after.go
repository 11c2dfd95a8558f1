package policy

import (
	"cmp"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What follows, for what is remembered of a volume, from what became of a decision.

// Saved follows from a save that was answered, and tells what there is to be said. Was is the
// record before it, nil if there was none, is the record after it, and cached what the cache
// has of that one.
func (t Memory) Saved(o Observation, d Decision, was, is, cached *state.Record) (Memory, []Event) {
	quiet, said := t.Quiet != 0, t.Unanswered
	t.Unanswered = Unanswered{}
	if was != nil && !d.Content && said.Health != "" && !was.Whole() {
		t.Unanswered.Health = said.Health // half of it is there still
	}
	if !d.Lacking {
		t.Quiet = 0
		t.Gauges.Invalid = o.Source.Presence == Present && o.Source.Invalid != ""
	}
	t.Applied, t.Written = AppliedBy(d, is), nil
	// Of a record that the cache does not know, or has as it is now, what was written is of
	// no use: a first start would remember every record by it.
	if Newest(is, cached) == is {
		t.Written = is
	}
	if d.Content {
		t.Refused = Refusal{}
		if was != nil && was.Progress != o.Source.Digest.Progress {
			t.Progressed = o.Now // or may have been: something may keep it from being stored
		}
	}
	if was == nil || quiet {
		return t, nil
	}
	pending := said.Health
	said.Health = cmp.Or(pending, was.CopiesHealth.Value().Health)
	events := said.Tell(was) // by the write that was not answered
	if d.Content || was.Whole() || pending == "" {
		events = append(events, HealthEvent(is.Ref(), said.Health, is.CopiesHealth.Value())...)
	}
	return t, events
}

// Lost follows from a write to a record that may have been stored, though it was not answered,
// or of which only the first half was, which led to half. What the record said before, was, is
// certain.
func (t Memory) Lost(was, half *state.Record, d *Decision) (Memory, []Event) {
	u := &t.Unanswered
	events := u.Tell(was)
	switch {
	case u.Health != "":
	case t.Quiet == 0:
		u.Health = was.CopiesHealth.Value().Health
	case half != nil:
		u.Health = d.Want.Health.Value().Health // that is how it was when this process began
	}
	u.Was, u.WantHash = was, d.WantHash
	if half != nil {
		u.Was, u.WantHash = half, 0 // what was written of it is known
	}
	t.Written = u.Was // the cache may be behind
	t.LastWrite = cmp.Or(t.LastWrite, d.Memory.LastWrite)
	return t, events
}

// FoundOut follows from the reading of a record of which nobody knew what it says; is is nil
// if it has gone.
func (s *Rules) FoundOut(t Memory, u Unanswered, is *state.Record, now time.Time) (Memory, []Event) {
	t.Unanswered, t.Written = Unanswered{}, is
	if is == nil || u.Was.OlderThan(is) {
		t.LastWrite = u.stored(t.LastWrite, now, s.LongestRetry())
	}
	if is == nil {
		return t, nil
	}
	t.Unanswered = u.Answered(is)
	return t, u.Tell(is)
}

// FoundStored follows from what the next write has found, was, of a record of which nobody knew what
// it says: a newer one. It is counted once, however often that is tried.
func (s *Rules) FoundStored(t Memory, was *state.Record, now time.Time) Memory {
	u := &t.Unanswered
	if u.Was == nil || was == nil || !u.Was.OlderThan(was) {
		return t
	}
	t.LastWrite = u.stored(t.LastWrite, now, s.LongestRetry())
	u.WantHash = 0
	return t
}

// WasRefused follows from a write that the API server does not take. It tells whether that is
// to be said: it was not so when this process began, and was not said of this content.
func (t Memory) WasRefused(o Observation) (_ Memory, tell bool) {
	t.Refused.At = o.Now
	t.Gauges.Invalid = o.Source.Presence == Present
	if !t.Gauges.Invalid {
		return t, false // it does not count, and what was said of the volume as it was listed holds
	}
	is := o.Source.Digest.Content
	told := o.Source.InitialSync || t.Quiet != 0 && t.Quiet == is || t.Refused.Told && t.Refused.Content == is
	tell = !told && (o.Record != nil || o.PV != nil)
	t.Refused.Content, t.Refused.Told = is, told || tell
	return t, tell
}

// Confirms tells whether a record that was asked about may be deleted as it is now, when each
// answer has shown that its volume is gone: the answers prove something about the record that
// they were asked for, as it was then, on the word of the cluster that answered.
func Confirms(asked, now Observation, d Decision) bool {
	return d.Verdict == Verify && now.Record.UID == asked.Record.UID &&
		now.Record.ResourceVersion == asked.Record.ResourceVersion && now.Source.Cluster == asked.Source.Cluster
}

// Proved follows from answers that have shown that the volume is gone.
func (t Memory) Proved(o Observation) Memory {
	t.Proven, t.Asked = o.Record.ResourceVersion, time.Time{}
	t.Gauges.Orphan, t.Gauges.Held = true, ""
	return t
}

// NotProved follows from answers that have not.
func (t Memory) NotProved(now time.Time) Memory {
	t.Asked, t.Proven = now, ""
	return t
}
