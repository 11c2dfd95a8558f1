package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// The rules, one by one, on a record whose volume is absent and marked. A case beside
// each line of the table above rule.
func TestRule(t *testing.T) {
	t.Parallel()
	// Nothing stands in the way.
	settled := absence{
		since: ago(time.Minute), watching: true, watched: time.Minute, clusterID: "a",
		world: world{now: noon, answering: "a", anyCluster: true, vouched: true, lastComplete: true},
	}
	held := func(why string) ruling { return ruling{held: true, why: why} }
	for name, tc := range map[string]struct {
		change   func(*absence)
		settings func(*Rules)
		want     ruling
	}{
		"nothing stands in the way": {nil, nil, ruling{verify: true}},

		"the last listing was incomplete": {func(a *absence) { a.lastComplete = false }, nil, held(heldIncomplete)},

		"grace: the grace is not over":            {func(a *absence) { a.watched, a.since = 10*time.Second, ago(10*time.Second) }, nil, ruling{}},
		"grace: nor is the second of the mark":    {func(a *absence) { a.watched, a.since = 14*time.Second, ago(15*time.Second) }, nil, ruling{}},
		"grace: the mark is old, and nobody saw":  {func(a *absence) { a.watching, a.watched, a.since = false, 0, ago(time.Hour) }, nil, held(HeldNotWatched)},
		"grace: the mark is old, one listing saw": {func(a *absence) { a.watched, a.since = 0, ago(time.Hour) }, nil, held(HeldNotWatched)},
		"grace: it is over":                       {func(a *absence) { a.watched, a.since = 15*time.Second, ago(15*time.Second) }, nil, ruling{verify: true}},
		"grace: there is no grace":                {func(a *absence) { a.watched, a.since = 0, noon }, func(s *Rules) { s.OrphanGracePeriod = 0 }, ruling{verify: true}},
		"grace: nor is there a listing":           {func(a *absence) { a.watching, a.watched, a.since = false, 0, noon }, func(s *Rules) { s.OrphanGracePeriod = 0 }, held(HeldNotWatched)},

		"asked: it was not proven a moment ago": {func(a *absence) { a.asked = ago(5 * time.Second) }, nil, ruling{held: true, why: heldNotProven, after: 10 * time.Second}},
		"asked: it is asked again":              {func(a *absence) { a.asked = ago(15 * time.Second) }, nil, ruling{verify: true}},

		"mass: too many are absent":                 {func(a *absence) { a.tripped = true }, nil, held(HeldMass)},
		"mass: but this one is explained":           {func(a *absence) { a.tripped, a.explained = true, true }, nil, ruling{verify: true}},
		"mass: marked before the hold":              {func(a *absence) { a.tripped, a.since = true, ago(10*time.Minute) }, nil, held(HeldMass)},
		"mass: watched for the hold":                {func(a *absence) { a.tripped, a.watched = true, 10*time.Minute }, nil, ruling{verify: true}},
		"mass: nearly":                              {func(a *absence) { a.tripped, a.watched = true, 10*time.Minute-1 }, nil, held(HeldMass)},
		"mass: explained is exempt from this alone": {func(a *absence) { a.tripped, a.explained, a.lastComplete = true, true, false }, nil, held(heldIncomplete)},
		"mass: it names no cluster, and this one listed no volume": {
			func(a *absence) { a.tripped, a.watched, a.clusterID, a.vouched = true, 10*time.Minute, "", false },
			nil, held(HeldNotVouched),
		},
		"mass: or did": {func(a *absence) { a.tripped, a.watched, a.clusterID = true, 10*time.Minute, "" }, nil, ruling{verify: true}},
		"mass: or is accepted": {
			func(a *absence) { a.tripped, a.watched, a.clusterID, a.vouched = true, 10*time.Minute, "", false },
			func(s *Rules) { s.AcceptClusterID = "a" }, ruling{verify: true},
		},
		"mass: or it names it": {func(a *absence) { a.tripped, a.watched, a.vouched = true, 10*time.Minute, false }, nil, ruling{verify: true}},
		"mass: one that does not tell lists none": {
			func(a *absence) {
				a.tripped, a.watched, a.vouched = true, 10*time.Minute, false
				a.clusterID, a.answering, a.anyCluster = "", "", false
			}, nil, held(HeldNotVouched),
		},

		"judge: another cluster answers":              {func(a *absence) { a.answering = "b" }, nil, held(HeldOtherCluster)},
		"judge: which is accepted":                    {func(a *absence) { a.answering = "b" }, func(s *Rules) { s.AcceptClusterID = "b" }, ruling{verify: true}},
		"judge: one that does not answer is accepted": {func(a *absence) { a.answering = "b" }, func(s *Rules) { s.AcceptClusterID = "c" }, held(HeldOtherCluster)},
		"judge: the record names none":                {func(a *absence) { a.clusterID = "" }, nil, ruling{verify: true}},
		"judge: the API does not tell, records do":    {func(a *absence) { a.answering, a.clusterID = "", "" }, nil, held(HeldNoCluster)},
		"judge: nor does it, and the record does":     {func(a *absence) { a.answering, a.anyCluster = "", false }, nil, held(HeldNoCluster)},
		"judge: nobody tells":                         {func(a *absence) { a.answering, a.anyCluster, a.clusterID = "", false, "" }, nil, ruling{verify: true}},
		"judge: another answers within the grace":     {func(a *absence) { a.answering, a.since = "b", ago(time.Second) }, nil, ruling{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := settled, defaultRules()
			if tc.change != nil {
				tc.change(&a)
			}
			if tc.settings != nil {
				tc.settings(&s)
			}
			if diff := cmp.Diff(tc.want, s.rule(a), cmp.AllowUnexported(ruling{})); diff != "" {
				t.Errorf("ruling (-want +got):\n%s", diff)
			}
		})
	}
}

// What destroyed data elsewhere.
func TestLessons(t *testing.T) {
	t.Parallel()
	settings := defaultRules()
	marked := func(d time.Duration) *state.Record {
		s := rightState()
		s.Present, s.Health, s.Bound, s.Mark = state.PresentFalse, state.NotListed, state.BoundNone, state.MarkAt(ago(d))
		return recordOf(s)
	}
	incomplete, other := gone(ago(time.Minute)), gone(noon)
	incomplete.LastComplete = false
	other.Cluster = "other"
	for name, tc := range map[string]struct {
		o    Observation
		want Verdict
	}{
		"an empty or partial list deleted everything":             {Observation{Source: incomplete, Record: marked(time.Hour)}, Hold},
		"a list that was never complete proved absence":           {Observation{Record: marked(time.Hour)}, Keep},
		"a grace was kept in memory, and lost at a fail-over":     {Observation{Source: gone(noon), Record: marked(time.Minute)}, Hold},
		"a grace was shared between two backends":                 {Observation{Source: other, AnyCluster: true, Record: marked(time.Hour)}, Hold},
		"nothing limited deletions":                               {Observation{Source: gone(noon), Record: recordOf(state.Summary{Content: 7, Health: state.NotListed, Present: state.PresentFalse, Bound: state.BoundNone, Mark: state.MarkAt(ago(time.Minute))}), Tripped: true}, Hold},
		"an object that a hand deleted came back after a restart": {Observation{Source: seen(noon), PV: pvBound()}, Save},
		"what was flagged once was never looked at again":         {Observation{Source: seen(noon), PV: pvBound(), Record: marked(time.Hour)}, Save},
	} {
		tc.o.Now = noon
		if d := settings.Decide(tc.o); d.Verdict != tc.want {
			t.Errorf("%s: verdict %v, want %v", name, d.Verdict, tc.want)
		}
	}
}
