package controller

import "testing"

func TestSettle(t *testing.T) {
	t.Parallel()
	right := rightState()
	pruned, edited := right, right
	pruned.content, edited.content = 5, 6
	unjoined := edited
	unjoined.join = join{}
	for name, tc := range map[string]struct {
		content bool   // the content was written
		before  *state // nil: the record was made
		after   state
		want    settlement
	}{
		"the record says what it should":                    {true, &edited, right, settlement{}},
		"a new record was pruned":                           {true, nil, pruned, settlement{right, pruned}},
		"a record was pruned":                               {true, &edited, pruned, settlement{right, pruned}},
		"what is not content was pruned":                    {false, &right, pruned, settlement{right, pruned}},
		"somebody edited what was not written":              {false, &unjoined, edited, settlement{}},
		"somebody edited it, and the cache had been behind": {false, &edited, right, settlement{}},
	} {
		var before *record
		if tc.before != nil {
			before = recordOf(*tc.before)
		}
		if got := settle(decision{want: right, content: tc.content}, before, recordOf(tc.after)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
