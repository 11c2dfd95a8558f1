package policy

import (
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// A record is behind while it does not say what is known, whether it is written or not, and
// whatever counts it as well.
func TestStanding(t *testing.T) {
	t.Parallel()
	other := func(change func(*state.Record)) *state.Record {
		r := recordOf(rightState())
		change(r)
		return r
	}
	marked := func(r *state.Record) {
		r.Summary.Present, r.Summary.Health, r.Summary.Mark = state.PresentFalse, state.NotListed, state.MarkAt(noon)
	}
	otherwise := func(s Source, change func(*Source)) Source {
		change(&s)
		return s
	}
	changed := other(func(r *state.Record) { r.Summary.Content = 6 })
	again := func(pause time.Duration) Memory {
		return Memory{LastWrite: LastWrite{WantHash: wanted(), At: noon, Pause: pause}}
	}
	for name, tc := range map[string]struct {
		o    Observation
		want Standing
	}{
		"it says all of it":                                {Observation{Source: seen(noon), Record: recordOf(rightState())}, Right},
		"there is none":                                    {Observation{Source: seen(noon)}, Behind},
		"there is none, and no volume":                     {Observation{Source: gone(noon)}, Right},
		"it says something else":                           {Observation{Source: seen(noon), Record: changed}, Behind},
		"it names another cluster":                         {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.ClusterID = state.Intern("other") })}, Behind},
		"it lacks only progress":                           {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.Progress = 5 })}, Right},
		"it was written a moment ago":                      {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: again(0)}, Right},
		"that was undone, and waits for its turn":          {Observation{Source: seen(noon), Record: changed, Memory: again(firstUndone)}, Behind},
		"it was written again, as it is undone":            {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: again(firstUndone)}, Behind},
		"nobody knows what it says":                        {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: offlineBefore("7")}, Behind},
		"it is refused, which counts":                      {Observation{Source: seen(noon), Record: changed, Memory: Memory{Refused: Refusal{Content: 7, At: noon}}}, Behind},
		"it is being deleted, which anybody sees":          {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.Terminating, r.Summary.Content = true, 6 })}, Unsure},
		"it does not say that the volume is absent":        {Observation{Source: gone(noon), Record: recordOf(rightState())}, Past},
		"the same, which is not judged":                    {Observation{Source: otherwise(gone(noon), func(s *Source) { s.Cluster = "other" }), Record: recordOf(rightState())}, Past},
		"the same, and it is held":                         {Observation{Source: otherwise(gone(noon), func(s *Source) { s.Cluster = "other" }), Record: recordOf(rightState()), Memory: lacking(time.Hour)}, Past},
		"it says so":                                       {Observation{Source: gone(noon), Record: other(marked)}, Past},
		"the volume may have moved":                        {Observation{Source: otherwise(seen(noon), func(s *Source) { s.Moved = true }), Record: changed}, Unsure},
		"whether it is there is not known, nor its record": {Observation{}, Unsure},
		"whether it is there is not known":                 {Observation{Record: changed}, Unsure},
		"it cannot be recorded":                            {Observation{Source: otherwise(seen(noon), func(s *Source) { s.Invalid = "large" }), Record: recordOf(rightState())}, Behind},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := Rules{PollInterval: 5 * time.Second, OrphanGracePeriod: 15 * time.Second}
			tc.o.Now, tc.o.PV = noon, pvBound()
			if d := rules.Decide(tc.o); d.Standing != tc.want {
				t.Errorf("%v, want %v: %+v", d.Standing, tc.want, d)
			}
		})
	}
}
