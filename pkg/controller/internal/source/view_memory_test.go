package source

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// Volumes of a namespace that has gone are not absent before a complete listing says so.
// What a record names stays known.
func TestViewForgets(t *testing.T) {
	t.Parallel()
	api := storageostest.New(map[string][]string{"one": {"a 1"}, "two": {"b 1"}, "three": {"c 1"}})
	p := newPolled(api)
	p.View.known.NamesNamespace = func(id string) bool { return id == "two" }
	p.View.known.NamesVolume = func(id string) bool { return id != "c" }
	want := func(when string, presences map[string]policy.Presence, known map[string]bool) {
		t.Helper()
		got, seen := map[string]policy.Presence{}, map[string]bool{}
		for id := range presences {
			got[id] = p.View.Look(id).Presence
		}
		for ns := range known {
			seen[ns] = p.View.HasSeen(ns)
		}
		if diff := cmp.Diff(presences, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(known, seen); diff != "" {
			t.Errorf("%s, known (-want +got):\n%s", when, diff)
		}
	}
	_ = p.Poll(t.Context())
	api.NamespaceIDs = []string{"one"}
	failing("cluster", errBroken)(api)
	_ = p.Poll(t.Context())
	want("while the cluster fails", map[string]policy.Presence{"a": policy.Present, "b": policy.Unknown}, map[string]bool{"one": true, "two": true, "three": false})
	if len(p.View.unknown) != 1 {
		t.Errorf("%d volumes are remembered to be unknown: of c nobody has heard", len(p.View.unknown))
	}
	api.NamespaceIDs = []string{"one", "two"}
	_ = p.Poll(t.Context())
	want("back again", map[string]policy.Presence{"a": policy.Present, "b": policy.Present}, map[string]bool{"two": true})
	api.Fail, api.NamespaceIDs = nil, []string{"one"}
	_ = p.Poll(t.Context())
	want("after a complete listing", map[string]policy.Presence{"a": policy.Present, "b": policy.Absent, "c": policy.Absent}, map[string]bool{"two": true})
	if len(p.View.unknown) != 0 {
		t.Errorf("unknown still: %v", p.View.unknown)
	}
}

// Of two answers about one volume the one that was begun later counts, whichever ends
// first.
func TestViewLaterAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed bool            // before
		asked  time.Duration   // after the begin of the listing that lacks it
		is     policy.Presence // when that listing has ended
	}{
		"shown before the listing":       {true, -time.Second, policy.Absent},
		"shown while it was under way":   {true, time.Second, policy.Unknown},
		"shown as it began":              {true, 0, policy.Unknown},
		"absent, and shown before":       {false, -time.Second, policy.Absent},
		"absent, and shown while it was": {false, time.Second, policy.Unknown},
		"absent, and shown as it began":  {false, 0, policy.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView()
			poll := func(begun time.Time, list []shown, meanwhile func()) {
				l := &Listing{Begun: begun, Verified: true, namespaces: true}
				v.begin(l)
				if meanwhile != nil {
					meanwhile()
				}
				tell(v, l, "ns", list, -1)
				v.End(l, true)
			}
			var first []shown
			if tc.listed {
				first = []shown{{"a", 1}}
			}
			poll(noon, first, nil)
			begun := noon.Add(time.Minute)
			if tc.asked < 0 {
				v.shown("a", begun.Add(tc.asked))
			}
			poll(begun, nil, func() {
				if tc.asked >= 0 {
					v.shown("a", begun.Add(tc.asked))
				}
			})
			if is := v.Look("a").Presence; is != tc.is {
				t.Errorf("it is %v, want %v", is, tc.is)
			}
			poll(begun.Add(time.Minute), nil, nil)
			if is := v.Look("a").Presence; is != policy.Absent || len(v.unknown) > 0 {
				t.Errorf("after the next listing it is %v, unknown are %v", is, v.unknown)
			}
		})
	}
}

// A refusal to tell the cluster names none; two of them are a name like another.
func TestAnswersOfCluster(t *testing.T) {
	t.Parallel()
	proxys := errors.New("403 of a proxy")
	for name, tc := range map[string]struct {
		answers  [2]error // nil: "a"
		complete bool
		heard    string // the cluster that was heard last, "-" if none was
		cut      bool   // the list of a namespace fails
	}{
		"named":             {[2]error{nil, nil}, true, "a", false},
		"named, and cut":    {[2]error{nil, nil}, false, "a", true},
		"refused":           {[2]error{storageostest.Forbidden, storageostest.Forbidden}, true, "", false},
		"refused, and cut":  {[2]error{storageostest.Forbidden, storageostest.Forbidden}, false, "", true},
		"refused at first":  {[2]error{storageostest.Forbidden, nil}, false, "a", false},
		"refused at last":   {[2]error{nil, storageostest.Forbidden}, false, "a", false},
		"the first fails":   {[2]error{proxys, nil}, false, "-", false},
		"the second fails":  {[2]error{nil, proxys}, false, "a", false},
		"both fail":         {[2]error{proxys, proxys}, false, "-", false},
		"failed and denied": {[2]error{proxys, storageostest.Forbidden}, false, "-", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(map[string][]string{"one": {"v 1"}})
			api.ClusterID = "a"
			api.Fail = func(call string, n int) error {
				if call == "cluster" && n <= 2 {
					return tc.answers[n-1]
				}
				if tc.cut && call == "volumes one" {
					return errBroken
				}
				return nil
			}
			p := newPolled(api)
			if err := p.Poll(t.Context()); (err == nil) != tc.complete {
				t.Errorf("complete: %v, want %v", err == nil, tc.complete)
			}
			if is := heard(p.View); is != tc.heard {
				t.Errorf("heard of %q, want %q", is, tc.heard)
			}
		})
	}
}
