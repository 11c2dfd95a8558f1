package policy

import (
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// A record is behind while it does not say what is known, whether it is written or not.
func TestBehind(t *testing.T) {
	t.Parallel()
	other := func(change func(*state.Record)) *state.Record {
		r := recordOf(rightState())
		change(r)
		return r
	}
	changed := other(func(r *state.Record) { r.Summary.Content = 6 })
	again := func(pause time.Duration) Memory {
		return Memory{Before: Before{Said: changed.Said(), At: noon, Pause: pause}}
	}
	for name, tc := range map[string]struct {
		o    Observation
		want bool
	}{
		"it says all of it":                         {Observation{Source: seen(noon), Record: recordOf(rightState())}, false},
		"there is none":                             {Observation{Source: seen(noon)}, true},
		"there is none, and no volume":              {Observation{Source: gone(noon)}, false},
		"it says something else":                    {Observation{Source: seen(noon), Record: changed}, true},
		"it names another cluster":                  {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.ClusterID = state.Intern("other") })}, true},
		"it lacks only progress":                    {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.Progress = 5 })}, false},
		"it was written a moment ago":               {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: again(FirstUndone)}, false},
		"that was undone, and waits for its turn":   {Observation{Source: seen(noon), Record: changed, Memory: again(FirstUndone)}, true},
		"it was written again, as it is undone":     {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: again(2 * FirstUndone)}, true},
		"nobody knows what it says":                 {Observation{Source: seen(noon), Record: recordOf(rightState()), Memory: offlineBefore("7")}, true},
		"it is refused, which counts":               {Observation{Source: seen(noon), Record: changed, Memory: Memory{Refused: Refusal{Content: 7, At: noon}}}, false},
		"it is being deleted, which anybody sees":   {Observation{Source: seen(noon), Record: other(func(r *state.Record) { r.Terminating, r.Summary.Content = true, 6 })}, false},
		"it does not say that the volume is absent": {Observation{Source: gone(noon), Record: recordOf(rightState())}, true},
		"it is held, which counts": {Observation{Source: func() Source {
			s := gone(noon)
			s.Cluster = "other"
			return s
		}(), Record: recordOf(rightState()), Memory: lacking(time.Hour)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := Rules{PollInterval: 5 * time.Second, OrphanGracePeriod: 15 * time.Second}
			tc.o.Now, tc.o.PV = noon, pvBound()
			if d := rules.Decide(tc.o); d.Behind != tc.want {
				t.Errorf("behind: %v, want %v: %+v", d.Behind, tc.want, d)
			}
		})
	}
}
