package controller

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// The rules, one by one, on a record whose volume is absent and marked. A case beside
// each line of the table above rule.
func TestRule(t *testing.T) {
	t.Parallel()
	// Nothing stands in the way.
	settled := absence{
		since: ago(time.Minute), watching: true, watched: time.Minute, clusterID: "a",
		world: world{now: noon, answering: "a", anyCluster: true, vouched: true, whole: true},
	}
	held := func(why string) ruling { return ruling{held: true, why: why} }
	for name, tc := range map[string]struct {
		change   func(*absence)
		settings func(*Settings)
		want     ruling
	}{
		"nothing stands in the way": {nil, nil, ruling{ask: true}},

		"1: the last listing was incomplete": {func(a *absence) { a.whole = false }, nil, held(heldIncomplete)},

		"2: the grace is not over":            {func(a *absence) { a.watched, a.since = 10*time.Second, ago(10*time.Second) }, nil, ruling{}},
		"2: nor is the second of the mark":    {func(a *absence) { a.watched, a.since = 14*time.Second, ago(15*time.Second) }, nil, ruling{}},
		"2: the mark is old, and nobody saw":  {func(a *absence) { a.watching, a.watched, a.since = false, 0, ago(time.Hour) }, nil, held(heldNotWatched)},
		"2: the mark is old, one listing saw": {func(a *absence) { a.watched, a.since = 0, ago(time.Hour) }, nil, held(heldNotWatched)},
		"2: it is over":                       {func(a *absence) { a.watched, a.since = 15*time.Second, ago(15*time.Second) }, nil, ruling{ask: true}},
		"2: there is no grace":                {func(a *absence) { a.watched, a.since = 0, noon }, func(s *Settings) { s.OrphanGracePeriod = 0 }, ruling{ask: true}},
		"2: nor is there a listing":           {func(a *absence) { a.watching, a.watched, a.since = false, 0, noon }, func(s *Settings) { s.OrphanGracePeriod = 0 }, held(heldNotWatched)},

		"3: it was not proven a moment ago": {func(a *absence) { a.asked = ago(5 * time.Second) }, nil, ruling{held: true, why: heldNotProven, after: 10 * time.Second}},
		"3: it is asked again":              {func(a *absence) { a.asked = ago(15 * time.Second) }, nil, ruling{ask: true}},

		"5: too many are absent":                 {func(a *absence) { a.tripped = true }, nil, held(heldMass)},
		"5: but this one is explained":           {func(a *absence) { a.tripped, a.explained = true, true }, nil, ruling{ask: true}},
		"5: marked before the hold":              {func(a *absence) { a.tripped, a.since = true, ago(10*time.Minute) }, nil, held(heldMass)},
		"5: watched for the hold":                {func(a *absence) { a.tripped, a.watched = true, 10*time.Minute }, nil, ruling{ask: true}},
		"5: nearly":                              {func(a *absence) { a.tripped, a.watched = true, 10*time.Minute-1 }, nil, held(heldMass)},
		"5: explained is exempt from this alone": {func(a *absence) { a.tripped, a.explained, a.whole = true, true, false }, nil, held(heldIncomplete)},
		"5: it names no cluster, and this one listed no volume": {
			func(a *absence) { a.tripped, a.watched, a.clusterID, a.vouched = true, 10*time.Minute, "", false },
			nil, held(heldNotVouched),
		},
		"5: or did": {func(a *absence) { a.tripped, a.watched, a.clusterID = true, 10*time.Minute, "" }, nil, ruling{ask: true}},
		"5: or is accepted": {
			func(a *absence) { a.tripped, a.watched, a.clusterID, a.vouched = true, 10*time.Minute, "", false },
			func(s *Settings) { s.AcceptClusterID = "a" }, ruling{ask: true},
		},
		"5: or it names it": {func(a *absence) { a.tripped, a.watched, a.vouched = true, 10*time.Minute, false }, nil, ruling{ask: true}},
		"5: one that does not tell lists none": {
			func(a *absence) {
				a.tripped, a.watched, a.vouched = true, 10*time.Minute, false
				a.clusterID, a.answering, a.anyCluster = "", "", false
			}, nil, held(heldNotVouched),
		},

		"6: another cluster answers":              {func(a *absence) { a.answering = "b" }, nil, held(heldOtherCluster)},
		"6: which is accepted":                    {func(a *absence) { a.answering = "b" }, func(s *Settings) { s.AcceptClusterID = "b" }, ruling{ask: true}},
		"6: one that does not answer is accepted": {func(a *absence) { a.answering = "b" }, func(s *Settings) { s.AcceptClusterID = "c" }, held(heldOtherCluster)},
		"6: the record names none":                {func(a *absence) { a.clusterID = "" }, nil, ruling{ask: true}},
		"6: the API does not tell, records do":    {func(a *absence) { a.answering, a.clusterID = "", "" }, nil, held(heldNoCluster)},
		"6: nor does it, and the record does":     {func(a *absence) { a.answering, a.anyCluster = "", false }, nil, held(heldNoCluster)},
		"6: nobody tells":                         {func(a *absence) { a.answering, a.anyCluster, a.clusterID = "", false, "" }, nil, ruling{ask: true}},
		"6: another answers within the grace":     {func(a *absence) { a.answering, a.since = "b", ago(time.Second) }, nil, ruling{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := settled, DefaultSettings()
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
	settings := DefaultSettings()
	marked := func(d time.Duration) *state.Record {
		s := rightState()
		s.Present, s.Health, s.Bound, s.Mark = state.PresentFalse, state.NotListed, state.BoundNone, state.MarkAt(ago(d))
		return recordOf(s)
	}
	incomplete, other := gone(ago(time.Minute)), gone(noon)
	incomplete.whole = false
	other.cluster = "other"
	for name, tc := range map[string]struct {
		o    observation
		want verdict
	}{
		"an empty or partial list deleted everything":             {observation{sight: incomplete, record: marked(time.Hour)}, hold},
		"a list that was never complete proved absence":           {observation{record: marked(time.Hour)}, keep},
		"a grace was kept in memory, and lost at a fail-over":     {observation{sight: gone(noon), record: marked(time.Minute)}, hold},
		"a grace was shared between two backends":                 {observation{sight: other, anyCluster: true, record: marked(time.Hour)}, hold},
		"nothing limited deletions":                               {observation{sight: gone(noon), record: recordOf(state.Summary{Content: 7, Health: state.NotListed, Present: state.PresentFalse, Bound: state.BoundNone, Mark: state.MarkAt(ago(time.Minute))}), tripped: true}, hold},
		"an object that a hand deleted came back after a restart": {observation{sight: seen(noon), pv: pvBound()}, save},
		"what was flagged once was never looked at again":         {observation{sight: seen(noon), pv: pvBound(), record: marked(time.Hour)}, save},
	} {
		tc.o.now = noon
		if d := settings.decide(tc.o); d.verdict != tc.want {
			t.Errorf("%s: verdict %v, want %v", name, d.verdict, tc.want)
		}
	}

	t.Run("any error was read as gone", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{errBroken, forbidden, &storageos.APIError{Code: 404}, &storageos.APIError{Code: 500, Own: true}} {
			api := newFakeAPI(map[string][]string{"one": nil})
			api.fail = func(call string, _ int) error {
				if call == "volume vol" {
					return err
				}
				return nil
			}
			r := &Reconciler{api: api, view: newView(), asking: make(chan struct{}, 1)}
			if ok, _ := r.gone(t.Context(), api.cluster, []question{{"one", "vol"}}); ok {
				t.Errorf("%v proves that a volume is gone", err)
			}
		}
	})
	t.Run("the collection of orphans destroyed data", func(t *testing.T) {
		t.Parallel()
		api := reflect.TypeFor[storageos.Lister]()
		var can []string
		for i := range api.NumMethod() {
			can = append(can, api.Method(i).Name)
		}
		slices.Sort(can)
		if diff := cmp.Diff([]string{"Cluster", "ListVolumes", "Namespaces", "Nodes", "Volume"}, can); diff != "" {
			t.Errorf("what the controller can ask of StorageOS (-want +got):\n%s", diff)
		}
	})
}

// Where a volume is asked for: as rarely as will do for a proof.
func TestQuestions(t *testing.T) {
	t.Parallel()
	listed := []string{"a", "b", "c"}
	for name, tc := range map[string]struct {
		record *state.Record
		pv     string // the namespace that it names
		want   []question
	}{
		"in the record's namespace":            {&state.Record{LabelID: "v", StatusID: "v", NamespaceID: state.Intern("b")}, "", []question{{"b", "v"}}},
		"once, if both name it":                {&state.Record{LabelID: "v", NamespaceID: state.Intern("b")}, "b", []question{{"b", "v"}}},
		"in both":                              {&state.Record{LabelID: "v", NamespaceID: state.Intern("b")}, "c", []question{{"b", "v"}, {"c", "v"}}},
		"in one that has vanished":             {&state.Record{LabelID: "v", NamespaceID: state.Intern("gone")}, "", []question{{"gone", "v"}}},
		"in the PersistentVolume's":            {&state.Record{LabelID: "v"}, "c", []question{{"c", "v"}}},
		"everywhere, if none is named":         {&state.Record{StatusID: "v"}, "", []question{{"a", "v"}, {"b", "v"}, {"c", "v"}}},
		"everywhere, if it was never listed":   {&state.Record{LabelID: "v", NamespaceID: state.Intern("x")}, "a", []question{{"x", "v"}, {"a", "v"}, {"b", "v"}, {"c", "v"}}},
		"for both IDs, if a hand has made two": {&state.Record{LabelID: "v", StatusID: "w", NamespaceID: state.Intern("b")}, "", []question{{"b", "v"}, {"b", "w"}}},
	} {
		var pv *state.PV
		if tc.pv != "" {
			pv = &state.PV{NamespaceID: state.Intern(tc.pv)}
		}
		got := questions(tc.record, pv, listed, func(ns string) bool { return ns != "x" })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
