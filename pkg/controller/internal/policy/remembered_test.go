package policy

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// The soonest of several looks counts, and none is asked for without a time.
func TestLater(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked []time.Duration
		want  time.Duration
	}{
		"none": {}, "now is none": {[]time.Duration{0, -time.Second}, 0}, "one": {[]time.Duration{time.Minute}, time.Minute},
		"a sooner one": {[]time.Duration{time.Minute, time.Second}, time.Second}, "a later one": {[]time.Duration{time.Second, time.Minute}, time.Second},
	} {
		d := Decision{}
		for _, after := range tc.asked {
			d.later(after)
		}
		if d.After != tc.want {
			t.Errorf("%s: %v, want %v", name, d.After, tc.want)
		}
	}
}

// What is remembered of a volume follows from what is known of it now.
func TestRemembered(t *testing.T) {
	t.Parallel()
	terminating := func() *state.Record {
		r := recordOf(rightState())
		r.Terminating = true
		return r
	}
	missed := Memory{missing: Onset{at: ago(time.Hour), said: true}, Gauges: Gauges{Missing: true}}
	absent := lacking(time.Hour)
	for name, tc := range map[string]struct {
		o      Observation
		is     func(d Decision) bool
		sought string
	}{
		"copies of a record are counted in its namespace": {
			Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Duplicates: 2},
			func(d Decision) bool {
				return d.Memory.Gauges.Duplicates == 2 && d.Memory.Gauges.Namespace == "ns"
			}, "two copies in ns",
		},
		"a terminating record whose volume is back: its absence is forgotten": {
			Observation{Source: seen(noon), PV: pvBound(), Record: terminating(), Memory: absent},
			func(d Decision) bool { return d.Memory.absent == absenceStart{} }, "no absence",
		},
		"a terminating record whose volume is back: it is found": {
			Observation{Source: seen(noon), PV: pvBound(), Record: terminating(), Memory: missed},
			func(d Decision) bool { return len(d.Reports) == 1 && d.Reports[0].Reason == EventFound }, "VolumeFound",
		},
		"a terminating record of which nothing is known: its absence is forgotten": {
			Observation{PV: pvBound(), Record: terminating(), Memory: absent},
			func(d Decision) bool { return d.Memory.absent == absenceStart{} }, "no absence",
		},
		"a terminating record of which nothing is known: what was missing is": {
			Observation{PV: pvBound(), Record: terminating(), Memory: missed},
			func(d Decision) bool { return d.Memory.Gauges.Missing }, "missing",
		},
		"a terminating record of which nothing is known: what was not missing is not": {
			Observation{PV: pvBound(), Record: terminating()},
			func(d Decision) bool { return !d.Memory.Gauges.Missing }, "not missing",
		},
		"a terminating record without a PersistentVolume: nothing misses the volume": {
			Observation{Record: terminating(), Memory: missed},
			func(d Decision) bool { return !d.Memory.Gauges.Missing }, "not missing",
		},
		"a volume of which nothing is known: its absence is forgotten": {
			Observation{PV: pvBound(), Record: recordOf(rightState()), Memory: absent},
			func(d Decision) bool { return d.Memory.absent == absenceStart{} }, "no absence",
		},
		"a PersistentVolume that goes misses nothing any more": {
			func() Observation {
				pv := pvBound()
				pv.Terminating = true
				return Observation{Source: gone(noon), PV: pv, Memory: missed}
			}(),
			func(d Decision) bool { return d.Memory.missing == Onset{} }, "nothing missing",
		},
		"a volume that can be recorded again: what was said of it may be said again": {
			Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: Memory{Reported: "too large"}},
			func(d Decision) bool { return d.Memory.Reported == "" }, "nothing said",
		},
		"a volume that is back: others decide again by what is known now": {
			Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: absent},
			func(d Decision) bool { return d.NextListing == (d.Memory.returned != 0) }, "a look after the next listing if it returned",
		},
		"a judge that may not judge: nobody has watched": {
			func() Observation {
				s := gone(noon)
				s.Cluster = "another"
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState()), Memory: absent}
			}(),
			func(d Decision) bool { return d.Memory.absent.watch == WatchPoint{} && d.Memory.absent.judge == "" }, "no watch",
		},
		"what an older CRD drops is settled by its look": {
			func() Observation {
				s := seen(noon)
				dropped := rightState().Dropped(s.Digest)
				return Observation{Source: s, PV: pvBound(), Record: recordOf(dropped), Older: true}
			}(),
			func(d Decision) bool {
				return d.Verdict == Keep && d.Memory.Applied.Desired == rightState() && d.Memory.Applied != Applied{}
			}, "applied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.o.Now = noon
			s := defaultRules()
			if d := s.Decide(tc.o); !tc.is(d) {
				t.Errorf("not %s: %+v", tc.sought, d)
			}
		})
	}
}

// A volume that is back is looked at after the next listing.
func TestReturned(t *testing.T) {
	t.Parallel()
	s := defaultRules()
	source := seen(noon)
	source.Generation = 5
	o := Observation{Now: noon, Source: source, PV: pvBound(), Record: recordOf(rightState()), Memory: lacking(time.Minute)}
	d := s.Decide(o)
	if d.Memory.returned != 5 || !d.NextListing {
		t.Errorf("it returned in generation %d, is looked at after the next listing: %t", d.Memory.returned, d.NextListing)
	}
	for generation, want := range map[int]Presence{4: Unknown, 5: Absent, 6: Absent} {
		late := Observation{Source: gone(noon)}
		late.Source.Generation = generation
		b := NewBreaker(&s)
		if late.Recall(d.Memory, &b); late.Source.Presence != want {
			t.Errorf("absent in generation %d counts as %v, want %v", generation, late.Source.Presence, want)
		}
	}
	o.Memory, o.Source.Generation = d.Memory, 7
	if d := s.Decide(o); d.Memory.returned != 0 || d.NextListing {
		t.Errorf("later: %d, %t", d.Memory.returned, d.NextListing)
	}
}

// What is so of a volume that waits for its name, and of one that does not.
func TestDecideName(t *testing.T) {
	t.Parallel()
	waiting := NameWait{Name: "pv", Since: noon}
	other := pvBound()
	other.Name = "other"
	over := waiting
	over.Over = true
	for name, tc := range map[string]struct {
		wait  NameWait
		pv    *state.PV
		waits bool
	}{
		"it waits":                          {waiting, pvBound(), true},
		"it waits without one":              {waiting, nil, true},
		"it does not wait":                  {NameWait{}, pvBound(), false},
		"it has waited":                     {over, pvBound(), false},
		"its PersistentVolume is another's": {waiting, other, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := defaultRules()
			d := s.Decide(Observation{Now: noon, Source: seen(noon), PV: tc.pv, Memory: Memory{Wait: tc.wait}, Holder: NameHolder{Leaving: true}})
			if waits := d.Verdict != Save; waits != tc.waits || d.Memory.Gauges.Invalid != tc.waits || tc.waits && !d.NextListing {
				t.Errorf("verdict %v, %+v, next %t; want it to wait: %t", d.Verdict, d.Memory.Gauges, d.NextListing, tc.waits)
			}
		})
	}
}

// What is remembered after a save, and after answers that prove.
func TestSavedAndProved(t *testing.T) {
	t.Parallel()
	refused := Memory{Quiet: 7, Refused: Refusal{Content: 7, At: noon}, Progressed: ago(time.Minute), Gauges: Gauges{Held: "why"}}
	is := recordOf(rightState())
	was := recordOf(rightState())
	progressed := seen(noon)
	progressed.Digest.Progress = was.Progress + 1
	invalid := func(p Presence, why string) Source { return Source{Presence: p, Invalid: why} }
	for name, tc := range map[string]struct {
		source  Source
		d       Decision
		invalid bool
		refused bool
		now     bool // its progress was written, or may have been
	}{
		"its content":                         {source: seen(noon), d: Decision{Content: true}},
		"its progress with it":                {source: progressed, d: Decision{Content: true}, now: true},
		"not its content":                     {source: seen(noon), refused: true},
		"of a volume that cannot be recorded": {source: invalid(Present, "too large"), invalid: true, refused: true},
		"of one that is gone":                 {source: invalid(Absent, "too large"), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := refused.Saved(Observation{Now: noon, Source: tc.source}, tc.d, was, is, nil)
			if m.Gauges.Invalid != tc.invalid || m.Quiet != 0 || (m.Refused != Refusal{}) != tc.refused || m.Progressed.Equal(noon) != tc.now {
				t.Errorf("%+v", m)
			}
		})
	}
	if m := refused.Proved(Observation{Record: is}); !m.Gauges.Orphan || m.Gauges.Held != "" || m.Proven != is.ResourceVersion {
		t.Errorf("proved: %+v", m.Gauges)
	}
}

// What the breaker counts: explained absences are no part of a namespace that has lost all.
func TestBreakerCounts(t *testing.T) {
	t.Parallel()
	rules := defaultRules()
	rules.MaxOrphanCount, rules.MaxOrphanPercent = 1, 100
	for name, tc := range map[string]struct {
		inputs []BreakerInput
		trips  bool
	}{
		"none is lost":                  {},
		"all that nothing explains":     {[]BreakerInput{{Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns"}, {Absence: Explained, Namespace: "ns"}}, true},
		"one of them, which is too few": {[]BreakerInput{{Absence: Unexplained, Namespace: "ns"}, {Absence: Explained, Namespace: "ns"}, {Absence: Explained, Namespace: "ns"}}, false},
		"one more, of which only its PersistentVolume tells that it is of it": {[]BreakerInput{
			{Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns", Unnamed: true}}, true},
		"three more, each of which two records describe": {[]BreakerInput{
			{Absence: Unexplained, Namespace: "ns", Unnamed: true, Duplicates: 1}, {Absence: Unexplained, Namespace: "ns", Unnamed: true, Duplicates: 1}, {Absence: Unexplained, Namespace: "ns", Unnamed: true, Duplicates: 1}}, false},
		"that one, and not all that name it":             {[]BreakerInput{{Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns", Unnamed: true}}, false},
		"two of three, the third is there":               {[]BreakerInput{{Absence: Unexplained, Namespace: "ns"}, {Absence: Unexplained, Namespace: "ns"}}, false},
		"two, the third describes the volume of another": {[]BreakerInput{{Absence: Unexplained, Namespace: "ns", Duplicates: 1}, {Absence: Unexplained, Namespace: "ns"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := NewBreaker(&rules)
			for _, uid := range []string{"1", "2", "3"} {
				r := recordOf(rightState())
				r.Name, r.LabelID, r.StatusID = uid, uid, uid
				b.RecordChanged(nil, r)
			}
			for _, in := range tc.inputs {
				b.Count(in, 1)
			}
			if b.Trip(noon); (b.Why != "") != tc.trips {
				t.Errorf("it says %q", b.Why)
			}
		})
	}
}

// Deletions alone trip nothing: something has to be absent.
func TestBreakerDeletionsAlone(t *testing.T) {
	t.Parallel()
	rules := defaultRules()
	rules.MaxOrphanCount, rules.MaxOrphanPercent = 1, 1
	b := NewBreaker(&rules)
	for _, uid := range []string{"1", "2", "3"} {
		r := recordOf(rightState())
		r.Name, r.UID = uid, state.UIDOf(types.UID(uid))
		b.RecordChanged(nil, r)
		b.Deleting(noon, r, r.NamespaceID.Value())
	}
	if b.Trip(noon); b.Why != "" {
		t.Errorf("nothing is absent, and it says %q", b.Why)
	}
	for n, want := range map[int]bool{0: false, 1: true} {
		c := Snapshot{
			Records: 1000, Namespaces: map[string]NamespaceCount{"ns": {Records: n, Unexplained: n}},
			DeletedIn: map[string]int{"ns": 3}, CachedIn: map[string]int{},
		}
		rules.MaxOrphanPercent = 100
		if got := rules.trips(c); (got != "") != want {
			t.Errorf("%d absent and 3 deleted: %q", n, got)
		}
	}
}

// A mark that was refused waits for its time, and is then written.
func TestDecideRefusedMark(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]Verdict{time.Second: Keep, 0: Save, -time.Second: Save} {
		after := 15 * time.Second // for the PersistentVolume that misses it
		if left > 0 {
			after = left
		}
		m := lacking(time.Minute)
		m.Refused.At = ago(RefusedPause - left)
		s := defaultRules()
		d := s.Decide(Observation{Now: noon, Source: gone(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: m})
		if d.Verdict != want || d.After != after {
			t.Errorf("%v left: verdict %v, again after %v; want %v", left, d.Verdict, d.After, want)
		}
	}
}

// A record that lacks its mark though its time has come is held for that, but not by the
// listing that ends the grace.
func TestDecideHeldNotWritten(t *testing.T) {
	t.Parallel()
	s := defaultRules()
	due := s.OrphanGracePeriod + s.PollInterval
	for watched, want := range map[time.Duration]string{due: HeldNotWritten, due - 1: ""} {
		d := s.Decide(Observation{Now: noon, Source: gone(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: lacking(watched)})
		if d.Verdict != Save || d.Memory.Gauges.Held != want {
			t.Errorf("watched for %v: verdict %v, held %q, want %q", watched, d.Verdict, d.Memory.Gauges.Held, want)
		}
	}
}

// That a volume is back is said of one whose absence was said, or would have been but for this
// process's begin, unless many are.
func TestDecideFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		missing Onset
		tripped bool
		said    bool
	}{
		"said": {Onset{said: true}, false, true}, "said, many are": {Onset{said: true}, true, true},
		"quiet": {Onset{quiet: true}, false, true}, "quiet, many are": {Onset{quiet: true}, true, false},
		"neither": {Onset{at: noon}, false, false},
	} {
		s := defaultRules()
		o := Observation{Now: noon, Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Tripped: tc.tripped}
		o.Memory = Memory{missing: tc.missing, Gauges: Gauges{Missing: true}}
		if got := len(s.Decide(o).Reports) == 1; got != tc.said {
			t.Errorf("%s: said %t, want %t", name, got, tc.said)
		}
	}
}

// Progress waits for its turn, unless the content is written anyway.
func TestDecideProgressWithOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		is    func(*state.Summary)
		after time.Duration
	}{
		"alone":                      {func(*state.Summary) {}, 20 * time.Second},
		"with what Kubernetes tells": {func(s *state.Summary) { s.Bound = state.BoundNone }, 20 * time.Second},
		"with the content":           {func(s *state.Summary) { s.Content = 6 }, 0},
	} {
		s := defaultRules()
		summary := rightState()
		tc.is(&summary)
		source := seen(noon)
		source.Digest.Progress = 3
		d := s.Decide(Observation{Now: noon, Source: source, PV: pvBound(), Record: recordOf(summary), Memory: Memory{Progressed: ago(10 * time.Second)}})
		if d.After != tc.after {
			t.Errorf("%s: again after %v, want %v", name, d.After, tc.after)
		}
	}
}

// What waits with a mark is written without it, if there is anything else.
func TestWithoutMark(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		is   func(*state.Summary)
		want Verdict
	}{
		"nothing else": {func(*state.Summary) {}, Keep},
		"its claim":    {func(s *state.Summary) { s.PV.ClaimName = "other" }, Save},
	} {
		s := defaultRules()
		summary := rightState()
		tc.is(&summary)
		o := Observation{Now: noon, Source: gone(noon), PV: pvBound(), Record: recordOf(summary), Memory: lacking(time.Minute), Tripped: true}
		d := s.Decide(o)
		if !o.MarksInMass(d) {
			t.Fatalf("%s: it would not be marked: %+v", name, d)
		}
		d.WithoutMark(&o)
		if d.Verdict != tc.want || d.Want.Mark != "" || d.Want.Present != state.PresentTrue {
			t.Errorf("%s: verdict %v, %+v; want %v", name, d.Verdict, d.Want, tc.want)
		}
	}
}

// wanted is what our last write was to make of a record that should say what is right.
func wanted() uint64 {
	d := Decision{Want: rightState()}
	return d.hash(&Observation{Source: seen(noon), PV: pvBound()}, d.Want)
}

// What somebody undoes is written again when its pause is over, and something else at once.
func TestPace(t *testing.T) {
	t.Parallel()
	undone, last := rightState(), func(wanted uint64, before, pause time.Duration) LastWrite {
		return LastWrite{WantHash: wanted, At: ago(before), Pause: pause}
	}
	undone.Content = 6
	stands := (&Decision{}).hash(&Observation{Source: seen(noon), PV: pvBound()}, undone)
	for name, tc := range map[string]struct {
		is         state.Summary
		last       LastWrite
		want       Verdict
		after      time.Duration
		remembered bool
	}{
		"for the first time":                  {undone, last(wanted(), 0, 0), Save, 0, true},
		"before its pause is over":            {undone, last(wanted(), time.Minute, time.Minute+time.Second), Keep, time.Second, true},
		"after it":                            {undone, last(wanted(), time.Minute, time.Minute), Save, 0, true},
		"it is to say something else":         {undone, last(wanted()+1, 0, time.Minute), Save, 0, true},
		"the same, when the pause is over":    {undone, last(wanted()+1, time.Minute, time.Minute), Save, 0, true},
		"another change, the last one stands": {undone, last(stands, time.Minute, time.Minute), Save, 0, false},
		"nobody has":                          {rightState(), last(wanted(), 0, 0), Keep, 0, true},
		"nobody has for long":                 {rightState(), last(wanted(), time.Minute, time.Minute), Keep, 0, false},
		"nobody has for a second, the first":  {rightState(), last(wanted(), firstUndone, 0), Keep, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := defaultRules()
			d := s.Decide(Observation{Now: noon, Source: seen(noon), PV: pvBound(), Record: recordOf(tc.is), Memory: Memory{LastWrite: tc.last}})
			if d.Verdict != tc.want || d.After != tc.after || (d.Memory.LastWrite != LastWrite{}) != tc.remembered {
				t.Errorf("verdict %v, again after %v, %+v; want %v, %v, remembered %t", d.Verdict, d.After, d.Memory.LastWrite, tc.want, tc.after, tc.remembered)
			}
		})
	}
}

// Who has undone something is forgotten by a worker, as it is the one to write, and not while
// nobody knows what the record should say.
func TestPaceOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change     func(*Observation)
		remembered bool
	}{
		"a worker":              {func(*Observation) {}, false},
		"the poller":            {func(o *Observation) { o.Polled = true }, true},
		"it cannot be recorded": {func(o *Observation) { o.Source.Invalid = "too large" }, true},
		"it is not listed":      {func(o *Observation) { o.Source = Source{} }, true},
		"it is moved":           {func(o *Observation) { o.Source.Moved = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Observation{Now: noon, Source: seen(noon), PV: pvBound(), Record: recordOf(rightState())}
			o.Memory.LastWrite = LastWrite{WantHash: 1, At: ago(time.Minute), Pause: time.Second}
			tc.change(&o)
			s := defaultRules()
			d := s.Decide(o)
			if (d.Memory.LastWrite != LastWrite{}) != tc.remembered || (d.After > 0) != o.Polled {
				t.Errorf("%+v is left, again after %v", d.Memory.LastWrite, d.After)
			}
		})
	}
}

// What was undone is not forgotten while nothing is written for another reason.
func TestPaceRefused(t *testing.T) {
	t.Parallel()
	undone, s := rightState(), defaultRules()
	undone.Content = 6
	o := Observation{Now: noon, Source: seen(noon), PV: pvBound(), Record: recordOf(undone)}
	o.Memory = Memory{LastWrite: LastWrite{WantHash: wanted(), At: ago(time.Minute)}, Refused: Refusal{Content: o.Source.Digest.Content, At: ago(time.Second)}}
	if d := s.Decide(o); d.WantHash != 0 || d.Memory.LastWrite != o.Memory.LastWrite {
		t.Errorf("%d is wanted, and of %+v there is left %+v", d.WantHash, o.Memory.LastWrite, d.Memory.LastWrite)
	}
}

// What somebody undoes again and again is written less and less often, and who does so may undo
// something else as well.
func TestLastWriteThen(t *testing.T) {
	t.Parallel()
	const longest = 5 * time.Second
	var last LastWrite
	for n, step := range []struct {
		wanted uint64
		pause  time.Duration
	}{
		{2, 0}, {1, 0}, {1, firstUndone}, {2, firstUndone}, {2, 2 * firstUndone}, {2, 4 * firstUndone}, {2, longest}, {2, longest}, {1, longest},
	} {
		at := noon.Add(time.Duration(n) * time.Minute)
		last = last.Then(step.wanted, at, longest)
		if want := (LastWrite{step.wanted, false, at, step.pause}); last != want {
			t.Errorf("write %d: %+v, want %+v", n, last, want)
		}
	}
}

// So is what somebody deletes each time, be it to make one of his own, which is written then.
func TestLastWriteThenGone(t *testing.T) {
	t.Parallel()
	const longest = 9 * time.Second
	var last LastWrite
	for n, step := range []struct {
		gone  bool
		pause time.Duration
	}{{false, 0}, {true, 0}, {false, firstUndone}, {true, 2 * firstUndone}, {true, 4 * firstUndone}, {false, 8 * firstUndone}, {true, longest}} {
		at := noon.Add(time.Duration(n) * time.Minute)
		if step.gone {
			last = last.ThenGone(at, longest)
		} else {
			last = last.Then(7, at, longest)
		}
		if want := (LastWrite{7, n > 0, at, step.pause}); last != want {
			t.Errorf("step %d: %+v, want %+v", n, last, want)
		}
	}
}

// What somebody may change each time, as the record is left as it says it, makes no other want.
func TestWants(t *testing.T) {
	t.Parallel()
	of := func(o Observation, lacking bool, change func(*state.Summary)) uint64 {
		d := Decision{Want: rightState(), Lacking: lacking}
		d.Want.Mark = "2026-01-02T03:04:05Z"
		change(&d.Want)
		return d.hash(&o, d.Want)
	}
	listed := Observation{Source: seen(noon), PV: pvBound()}
	large := listed
	large.Source.Invalid = "too large"
	content := func(s *state.Summary) { s.Content++ }
	health := func(s *state.Summary) { s.Health = state.NotListed }
	claim := func(s *state.Summary) { s.PV.ClaimName = "other" }
	for name, tc := range map[string]struct {
		o       Observation
		lacking bool
		change  func(*state.Summary)
		same    bool
	}{
		"another content":                    {listed, false, content, false},
		"another content, which is lacking":  {listed, true, content, true},
		"another health, which is lacking":   {listed, true, health, true},
		"another content of one too large":   {large, false, content, true},
		"another content of one not listed":  {Observation{Source: gone(noon), PV: pvBound()}, false, content, true},
		"another claim":                      {listed, false, claim, false},
		"another claim, there is none":       {Observation{Source: seen(noon)}, false, claim, true},
		"absent since another time":          {listed, false, func(s *state.Summary) { s.Mark = "2026-01-02T03:04:06Z" }, true},
		"not absent":                         {listed, false, func(s *state.Summary) { s.Mark = "" }, false},
		"another condition, whatever it has": {large, true, func(s *state.Summary) { s.Bound = state.BoundNone }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if same := of(tc.o, tc.lacking, func(*state.Summary) {}) == of(tc.o, tc.lacking, tc.change); same != tc.same {
				t.Errorf("the same: %t, want %t", same, tc.same)
			}
		})
	}
}

// A write that was not answered, and is found stored when its record is read, may be undone like
// any other. It was one.
func TestFoundOutStored(t *testing.T) {
	t.Parallel()
	s, was := defaultRules(), recordOf(rightState())
	newer := *was
	newer.ResourceVersion = was.ResourceVersion + "0"
	for name, tc := range map[string]struct {
		is     *state.Record
		wanted uint64
		want   LastWrite
	}{
		"it is stored":            {&newer, 7, LastWrite{WantHash: 7, At: noon}},
		"it is not":               {was, 7, LastWrite{}},
		"the record has gone":     {nil, 7, LastWrite{WantHash: 7, At: noon}},
		"there was nothing to do": {&newer, 0, LastWrite{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := Unanswered{Was: was, WantHash: tc.wanted}
			if is, _ := s.FoundOut(Memory{}, u, tc.is, noon); is.LastWrite != tc.want {
				t.Errorf("%+v, want %+v", is.LastWrite, tc.want)
			}
			if tc.is == nil {
				tc.want = LastWrite{} // it is made anew: nothing was found
			}
			// Found by the next write, which is tried more than once.
			is := s.FoundStored(s.FoundStored(Memory{Unanswered: u}, tc.is, noon), tc.is, noon)
			if is.LastWrite != tc.want || is.Unanswered.Was != was {
				t.Errorf("%+v, %+v, want %+v", is.LastWrite, is.Unanswered, tc.want)
			}
		})
	}
}
