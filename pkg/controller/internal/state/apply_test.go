package state

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// A condition's time is that at which it became so: that a volume is absent, and how it is
// unknown, since its mark says; all else, and what no mark that can be read tells, since now.
func TestApplyTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	before := now.Add(-time.Hour)
	for name, tc := range map[string]struct {
		mark  Mark
		since time.Time
	}{
		"marked an hour ago": {MarkAt(before), before},
		"marked now":         {MarkAt(now), now},
		"not marked":         {"", now},
		"marked by nobody":   {"yesterday", now},
		"marked for later":   {MarkAt(now.Add(time.Hour)), now},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Summary{Present: PresentFalse, Health: NotListed, Bound: BoundNone, Mark: tc.mark}
			r := &v1.Volume{}
			s.Apply(r, now)
			for kind, want := range map[string]time.Time{v1.ConditionPresent: tc.since, v1.ConditionHealthy: tc.since, v1.ConditionBound: now} {
				if c := meta.FindStatusCondition(r.Status.Conditions, kind); c == nil || !c.LastTransitionTime.Time.Equal(want) {
					t.Errorf("%s: %+v, want %v", kind, c, want)
				}
			}
		})
	}
}
