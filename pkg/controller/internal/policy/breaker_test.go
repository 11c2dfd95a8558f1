package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

func TestTrips(t *testing.T) {
	t.Parallel()
	one := func(h NamespaceCount) map[string]NamespaceCount { return map[string]NamespaceCount{"ns": h} }
	for name, tc := range map[string]struct {
		census Snapshot
		want   string // in the reason; "": it does not trip
	}{
		"nothing is absent":              {Snapshot{Records: 100}, ""},
		"few of few":                     {Snapshot{Records: 10, Absent: 10}, ""},
		"many of many more":              {Snapshot{Records: 1000, Absent: 200}, ""},
		"more than both":                 {Snapshot{Records: 1000, Absent: 201}, "201 of 1000"},
		"one more than the count":        {Snapshot{Records: 55, Absent: 11}, ""},
		"and than the percentage":        {Snapshot{Records: 54, Absent: 11}, "11 of 54"},
		"what was deleted lately counts": {Snapshot{Records: 50, Absent: 5, Deleted: 8}, "13 of 58"},
		"and so do the records it took":  {Snapshot{Records: 52, Absent: 5, Deleted: 8}, "13 of 60"},
		"not quite":                      {Snapshot{Records: 57, Absent: 5, Deleted: 8}, ""},

		"all of a namespace":                      {Snapshot{Records: 1000, Absent: 11, Namespaces: one(NamespaceCount{Records: 11, Unexplained: 11})}, "all 11 records"},
		"all of a small one":                      {Snapshot{Records: 1000, Absent: 10, Namespaces: one(NamespaceCount{Records: 10, Unexplained: 10})}, ""},
		"all but one":                             {Snapshot{Records: 1000, Absent: 11, Namespaces: one(NamespaceCount{Records: 12, Unexplained: 11})}, ""},
		"all but one that is explained":           {Snapshot{Records: 1000, Absent: 11, Namespaces: one(NamespaceCount{Records: 12, Unexplained: 11, explained: 1})}, "all 11 records"},
		"all, and nearly all are explained":       {Snapshot{Records: 1000, Absent: 1, Namespaces: one(NamespaceCount{Records: 200, Unexplained: 1, explained: 199})}, ""},
		"all but a copy of one":                   {Snapshot{Records: 1000, Absent: 11, Namespaces: one(NamespaceCount{Records: 12, duplicates: 1, Unexplained: 11})}, "all 11 records"},
		"what was deleted of it lately counts":    {Snapshot{Records: 1000, Absent: 6, Deleted: 5, Namespaces: one(NamespaceCount{Records: 6, Unexplained: 6}), DeletedIn: map[string]int{"ns": 5}}, "all 11 records"},
		"records that name no namespace are none": {Snapshot{Records: 1000, Absent: 50, Namespaces: map[string]NamespaceCount{"": {Records: 50, Unexplained: 50}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := defaultRules()
			got := settings.trips(tc.census)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Of a deletion that was asked for again the last time counts.
func TestBreakerDeletingAgain(t *testing.T) {
	t.Parallel()
	settings := defaultRules()
	b := NewBreaker(&settings)
	r, other := recordOf(state.Summary{}), recordOf(state.Summary{})
	other.UID = state.UIDOf("other")
	b.Deleting(noon, r, "ns")
	b.Deleting(noon.Add(time.Second), other, "ns")
	b.Deleting(noon.Add(settings.MassOrphanHold-time.Second), r, "ns")
	for after, want := range map[time.Duration]int{0: 2, settings.MassOrphanHold: 2} {
		if n := b.Snapshot(noon.Add(after)).Deleted; n != want {
			t.Errorf("after %v: %d deletions, want %d", after, n, want)
		}
	}
	if n := b.Snapshot(noon.Add(settings.MassOrphanHold + time.Second)).Deleted; n != 1 {
		t.Errorf("when the hold of one is over there are %d", n)
	}
}
