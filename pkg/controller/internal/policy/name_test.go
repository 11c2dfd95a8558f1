package policy

import (
	"testing"
	"time"
)

// Until when a volume waits for the name of its record.
func TestWaits(t *testing.T) {
	t.Parallel()
	type step struct {
		at       time.Duration
		listings int
		holder   NameHolder
		waits    bool
	}
	leaving, held := NameHolder{Leaving: true}, NameHolder{Leaving: true, Held: true}
	const incomplete = -1 // the last listing was
	for name, tc := range map[string]struct {
		grace time.Duration
		steps []step
	}{
		"nobody has it":               {15 * time.Second, []step{{0, 1, NameHolder{}, false}}},
		"the grace and two":           {15 * time.Second, []step{{0, 1, leaving, true}, {10 * time.Second, 3, leaving, true}, {15 * time.Second, 4, leaving, true}, {20 * time.Second, 5, leaving, true}, {25 * time.Second, 6, leaving, false}}},
		"no grace, and two":           {0, []step{{0, 1, leaving, true}, {5 * time.Second, 2, leaving, true}, {10 * time.Second, 3, leaving, false}}},
		"no listing completes":        {15 * time.Second, []step{{0, 1, leaving, true}, {15 * time.Second, 1, leaving, true}, {time.Hour, 1, leaving, true}}},
		"a listing fails":             {15 * time.Second, []step{{0, 1, leaving, true}, {10 * time.Second, incomplete, leaving, true}, {24 * time.Second, incomplete, leaving, true}, {25 * time.Second, incomplete, leaving, false}}},
		"one fails and one does not":  {15 * time.Second, []step{{0, 1, leaving, true}, {10 * time.Second, incomplete, leaving, true}, {15 * time.Second, 2, leaving, true}, {20 * time.Second, 3, leaving, true}, {25 * time.Second, 4, leaving, false}}},
		"one fails late":              {15 * time.Second, []step{{0, 1, leaving, true}, {15 * time.Second, 4, leaving, true}, {20 * time.Second, incomplete, leaving, true}, {25 * time.Second, 5, leaving, true}, {30 * time.Second, incomplete, leaving, true}, {44 * time.Second, incomplete, leaving, true}, {45 * time.Second, 6, leaving, false}}},
		"held, and a listing fails":   {15 * time.Second, []step{{0, 1, held, true}, {time.Minute, 9, held, true}, {65 * time.Second, incomplete, held, true}, {79 * time.Second, incomplete, held, true}, {80 * time.Second, incomplete, held, false}}},
		"it becomes free":             {15 * time.Second, []step{{0, 1, leaving, true}, {5 * time.Second, 2, NameHolder{}, false}}},
		"held when the grace is over": {15 * time.Second, []step{{0, 1, leaving, true}, {15 * time.Second, 4, leaving, true}, {20 * time.Second, 5, held, true}, {25 * time.Second, 9, leaving, true}, {34 * time.Second, 9, leaving, true}, {35 * time.Second, 10, leaving, true}, {40 * time.Second, 12, leaving, false}}},
		"it is held, then goes":       {0, []step{{0, 1, held, true}, {time.Hour, 700, held, true}, {time.Hour, 701, leaving, true}, {time.Hour, 702, leaving, true}, {time.Hour, 703, leaving, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := defaultRules()
			s.OrphanGracePeriod = tc.grace
			w := NameWait{Name: "x", Since: noon}
			for n, step := range tc.steps {
				var waits bool
				is := Source{Listings: step.listings, LastComplete: step.listings != incomplete}
				if w, waits = s.Waits(w, step.holder, noon.Add(step.at), is); waits != step.waits {
					t.Errorf("step %d: %v, want %v", n, waits, step.waits)
				}
			}
		})
	}
}
