package controller

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// What is remembered of StorageOS is bounded by what it lists, whatever it lists and
// whichever part of a listing fails.
func TestViewMemory(t *testing.T) {
	t.Parallel()
	const news, polls = 50, 20
	for name, tc := range map[string]struct {
		fail  string // the call that fails
		lists func(n int) map[string][]string
		most  int // volumes that are known
	}{
		"new namespaces": {"", func(n int) map[string][]string {
			all := map[string][]string{}
			for i := range news {
				all[fmt.Sprint("ns", n, "-", i)] = []string{fmt.Sprint("v", n, "-", i, " 1")}
			}
			return all
		}, news},
		"new namespaces, and the cluster fails": {"cluster", func(n int) map[string][]string {
			all := map[string][]string{}
			for i := range news {
				all[fmt.Sprint("ns", n, "-", i)] = []string{fmt.Sprint("v", n, "-", i, " 1")}
			}
			return all
		}, news},
		"new volumes, and the cluster fails": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 1"))
			}
			return map[string][]string{"one": all}
		}, news},
		"new volumes in a list that is cut": {"volumes one", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 1"))
			}
			return map[string][]string{"one": all}
		}, 2 * news},
		"new volumes that cannot be recorded": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 18446744073709551615"))
			}
			return map[string][]string{"one": all}
		}, news},
		"volumes that move": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", i, " 1"))
			}
			return map[string][]string{fmt.Sprint("ns", n): all}
		}, news},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.api.Fail = func(call string, _ int) error {
					if call == tc.fail {
						return errDown
					}
					return nil
				}
				for n := range polls {
					h.api.Lists, h.api.NamespaceIDs = tc.lists(n), nil
					for ns := range h.api.Lists {
						h.api.NamespaceIDs = append(h.api.NamespaceIDs, ns)
					}
					_ = h.leader.poller.poll(h.ctx)
				}
				v := h.leader.view
				spaces := 0
				for _, s := range v.spaces {
					spaces += len(s.order) + len(s.stale) + len(s.fresh)
				}
				for what, n := range map[string]int{
					"volumes": len(v.volumes), "entries of lists": spaces / 2, "namespaces": len(v.spaces), "known namespaces": len(v.seen),
					"unknown volumes": len(v.unknown), "volumes in doubt": len(v.doubt), "tracks": len(h.leader.tracks.all),
				} {
					if n > tc.most+1 {
						t.Errorf("%d %s after %d polls, want no more than %d", n, what, polls, tc.most)
					}
				}
			})
		})
	}
}

// Volumes of a namespace that has gone are not absent before a complete listing says so.
// What a record names stays known.
func TestViewForgets(t *testing.T) {
	t.Parallel()
	api := storageostest.New(map[string][]string{"one": {"a 1"}, "two": {"b 1"}, "three": {"c 1"}})
	p := newPolled(api)
	p.view.named = func(id string) bool { return id == "two" }
	p.view.cares = func(id string) bool { return id != "c" }
	want := func(when string, presences map[string]policy.Presence, known map[string]bool) {
		t.Helper()
		got, seen := map[string]policy.Presence{}, map[string]bool{}
		for id := range presences {
			got[id] = p.view.look(id).Presence
		}
		for ns := range known {
			seen[ns] = p.view.hasSeen(ns)
		}
		if diff := cmp.Diff(presences, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(known, seen); diff != "" {
			t.Errorf("%s, known (-want +got):\n%s", when, diff)
		}
	}
	_ = p.poll(t.Context())
	api.NamespaceIDs = []string{"one"}
	failing("cluster", errBroken)(api)
	_ = p.poll(t.Context())
	want("while the cluster fails", map[string]policy.Presence{"a": policy.Present, "b": policy.Unknown}, map[string]bool{"one": true, "two": true, "three": false})
	if len(p.view.unknown) != 1 {
		t.Errorf("%d volumes are remembered to be unknown: of c nobody has heard", len(p.view.unknown))
	}
	api.NamespaceIDs = []string{"one", "two"}
	_ = p.poll(t.Context())
	want("back again", map[string]policy.Presence{"a": policy.Present, "b": policy.Present}, map[string]bool{"two": true})
	api.Fail, api.NamespaceIDs = nil, []string{"one"}
	_ = p.poll(t.Context())
	want("after a complete listing", map[string]policy.Presence{"a": policy.Present, "b": policy.Absent, "c": policy.Absent}, map[string]bool{"two": true})
	if len(p.view.unknown) != 0 {
		t.Errorf("unknown still: %v", p.view.unknown)
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
				l := &listing{begun: begun, agreed: true, namespaces: true}
				v.begin(l)
				if meanwhile != nil {
					meanwhile()
				}
				tell(v, l, "ns", list, -1)
				v.end(l, true)
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
			if is := v.look("a").Presence; is != tc.is {
				t.Errorf("it is %v, want %v", is, tc.is)
			}
			poll(begun.Add(time.Minute), nil, nil)
			if is := v.look("a").Presence; is != policy.Absent || len(v.unknown) > 0 {
				t.Errorf("after the next listing it is %v, unknown are %v", is, v.unknown)
			}
		})
	}
}

// Whoever answers is heard in every listing, complete or not, and beside each question.
func TestWatchClock(t *testing.T) {
	t.Parallel()
	type step struct {
		cluster string        // that a complete listing is of; with a length of -1 only heard
		pause   time.Duration // since the one before
		length  time.Duration
		want    time.Duration // watched; -1: nothing is
	}
	for name, steps := range map[string][]step{
		"every interval":             {{"a", 0, 0, 0}, {"a", 5 * time.Second, 0, 5 * time.Second}, {"a", 5 * time.Second, 0, 10 * time.Second}},
		"a pause of two":             {{"a", 0, 0, 0}, {"a", 10 * time.Second, 0, 10 * time.Second}},
		"a pause of hours":           {{"a", 0, 0, 0}, {"a", 10 * time.Hour, 0, 15 * time.Second}},
		"long listings":              {{"a", 0, time.Minute, 0}, {"a", time.Minute, time.Minute, time.Minute}, {"a", time.Hour, time.Minute, 3 * time.Minute}},
		"one stands still":           {{"a", 0, 0, 0}, {"a", time.Hour, time.Hour, 15 * time.Second}, {"a", 5 * time.Second, 0, 20 * time.Second}, {"a", time.Hour, 0, 35 * time.Second}},
		"they become long":           {{"a", 0, 0, 0}, {"a", time.Minute, time.Minute, 15 * time.Second}, {"a", time.Minute, time.Minute, 75 * time.Second}},
		"another cluster":            {{"a", 0, 0, 0}, {"b", 5 * time.Second, 0, 0}, {"a", 5 * time.Second, 0, 0}},
		"another is heard":           {{"a", 0, 0, 0}, {"a", 5 * time.Second, 0, 5 * time.Second}, {"b", time.Second, -1, -1}, {"a", time.Second, -1, -1}, {"a", time.Second, 0, 0}},
		"the same is heard":          {{"a", 0, 0, 0}, {"a", time.Second, -1, 0}, {"a", 4 * time.Second, 0, 5 * time.Second}},
		"one that does not tell":     {{"a", 0, 0, 0}, {"", 5 * time.Second, 0, 0}, {"", 5 * time.Second, 0, 5 * time.Second}, {"a", time.Second, 0, 0}},
		"nothing was ever listed":    {{"a", 0, -1, -1}, {"a", time.Hour, -1, -1}, {"a", time.Second, 0, 0}},
		"it does not tell, at first": {{"", 0, 0, 0}, {"", 5 * time.Second, 0, 5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := policy.WatchClock{Interval: 5 * time.Second}
			now := noon
			from := policy.WatchPoint{}
			for n, s := range steps {
				if now = now.Add(s.pause); s.length < 0 {
					c.Heard(s.cluster)
				} else {
					c.Completed(now.Add(-s.length), now, s.cluster)
				}
				if _, ok := c.Now().Since(from); !ok {
					from = c.Now()
				}
				got, ok := c.Now().Since(from)
				if !ok {
					got = -1
				}
				if got != s.want {
					t.Errorf("after step %d: %v was watched, want %v", n, got, s.want)
				}
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
	}{
		"named":             {[2]error{nil, nil}, true, "a"},
		"refused":           {[2]error{storageostest.Forbidden, storageostest.Forbidden}, true, ""},
		"refused at first":  {[2]error{storageostest.Forbidden, nil}, false, "a"},
		"refused at last":   {[2]error{nil, storageostest.Forbidden}, false, "a"},
		"the first fails":   {[2]error{proxys, nil}, false, "-"},
		"the second fails":  {[2]error{nil, proxys}, false, "a"},
		"both fail":         {[2]error{proxys, proxys}, false, "-"},
		"failed and denied": {[2]error{proxys, storageostest.Forbidden}, false, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(map[string][]string{"one": {"v 1"}})
			api.ClusterID = "a"
			api.Fail = func(call string, n int) error {
				if call == "cluster" && n <= 2 {
					return tc.answers[n-1]
				}
				return nil
			}
			p := newPolled(api)
			if err := p.poll(t.Context()); (err == nil) != tc.complete {
				t.Errorf("complete: %v, want %v", err == nil, tc.complete)
			}
			heard := p.view.clock.Cluster
			if p.view.clock.Span == 0 {
				heard = "-"
			}
			if heard != tc.heard {
				t.Errorf("heard of %q, want %q", heard, tc.heard)
			}
		})
	}
}
