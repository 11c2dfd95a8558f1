package policy

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	right := rightState()
	pruned, edited := right, right
	pruned.Content, edited.Content = 5, 6
	unjoined := right
	unjoined.PV = state.PVSummary{}
	for name, tc := range map[string]struct {
		content bool // the content was written
		after   state.Summary
		want    Applied
	}{
		"the record says what it should":                    {true, right, Applied{}},
		"a new record was pruned":                           {true, pruned, Applied{right, pruned}},
		"what is not content was pruned":                    {false, unjoined, Applied{right, unjoined}},
		"the content was pruned that was not written":       {false, pruned, Applied{}},
		"somebody edited what was not written":              {false, edited, Applied{}},
		"somebody edited it, and the cache had been behind": {false, right, Applied{}},
	} {
		if got := AppliedBy(Decision{Want: right, Content: tc.content}, recordOf(tc.after)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// What was written counts until the cache has heard of it, or of what came later.
func TestNewest(t *testing.T) {
	t.Parallel()
	at := func(uid types.UID, version string) *state.Record {
		return &state.Record{UID: state.UIDOf(uid), ResourceVersion: version}
	}
	ours := at("u", "10")
	for name, tc := range map[string]struct {
		written, cached *state.Record
		ours            bool
	}{
		"nothing was written":                        {nil, at("u", "5"), false},
		"the cache is behind":                        {ours, at("u", "5"), true},
		"the cache has it":                           {ours, at("u", "10"), false},
		"the cache has what came between two writes": {ours, at("u", "9"), true},
		"the cache has what another wrote":           {ours, at("u", "11"), false},
		"the record was deleted":                     {ours, nil, false},
		"it was deleted and made again":              {ours, at("v", "12"), false},
		"its versions are no numbers":                {at("u", "b"), at("u", "a"), false},
	} {
		want := tc.cached
		if tc.ours {
			want = ours
		}
		if got := Newest(tc.written, tc.cached); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
