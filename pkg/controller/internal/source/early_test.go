package source

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// timeline is a view and what is told to it, one thing after the other, a second each.
type timeline struct {
	*View
	l       *Listing
	changed []string // what the last listing has told of that lists did not find
	news    []bool   // what each read has told
}

func digestOfContent(content uint64) state.Digest {
	return state.Digest{Content: content, Health: state.Intern(record.HealthStatus{Health: v1.HealthHealthy})}
}

// newTimeline has listed the volumes a and b of one namespace and c of another.
func newTimeline() *timeline {
	t := &timeline{View: newView()}
	t.listing("cluster", func() {
		t.list("one", shown{"a", 1}, shown{"b", 11})
		t.list("two", shown{"c", 21})
	})
	return t
}

func (t *timeline) begin() {
	time.Sleep(time.Second)
	t.l = &Listing{Begun: time.Now()}
	t.View.begin(t.l)
	t.changed = nil
}

func (t *timeline) list(namespaceID string, list ...shown) {
	time.Sleep(time.Second)
	t.close(t.ask(namespaceID), -1, list...)
}

// ask asks for a list.
func (t *timeline) ask(namespaceID string) *ListDiff {
	t.setNamespaces(t.l, []string{"one", "two"})
	return t.Read(t.l, namespaceID)
}

// close reads a list that was asked for, some entries of it or all.
func (t *timeline) close(r *ListDiff, stop int, list ...shown) {
	time.Sleep(time.Second)
	_, overtaken := readList(r, list, stop)
	t.changed = append(t.changed, overtaken...)
}

// end ends a listing.
func (t *timeline) end(cluster string, complete bool) {
	time.Sleep(time.Second)
	t.l.ended, t.l.Cluster, t.l.Verified = time.Now(), cluster, true
	t.heard(cluster)
	changed, _ := t.End(t.l, complete)
	t.changed = append(t.changed, changed...)
	t.Compared(t.l, complete)
}

func (t *timeline) listing(cluster string, lists func()) {
	t.begin()
	lists()
	t.end(cluster, true)
}

// asked begins to read a volume; what it returns is told the content.
func (t *timeline) asked(id, namespaceID string) (answered func(content uint64)) {
	time.Sleep(time.Second)
	begun, of := time.Now(), t.readable()
	return func(content uint64) {
		time.Sleep(time.Second)
		t.news = append(t.news, of != nil && t.readEarly(id, early{begun: begun, namespaceID: namespaceID, Digest: digestOfContent(content), of: of}))
	}
}

func (t *timeline) read(id string, content uint64) { t.asked(id, "one")(content) }

// Of two answers about a volume the one counts that was asked for later, whichever ends
// first; only a complete listing shows that one is absent; and of which cluster one is that was
// read is known before the listing ends that has shown it.
func TestEarly(t *testing.T) {
	t.Parallel()
	const absent, unknown = 0, 1 << 40
	old := []shown{{"a", 1}, {"b", 11}}
	other := shown{"c", 21}
	for name, tc := range map[string]struct {
		tell    func(*timeline)
		content map[string]uint64 // in the end
		changed []string          // of the last listing
		news    []bool
	}{
		"a change": {
			func(l *timeline) { l.read("a", 2) },
			map[string]uint64{"a": 2, "b": 11, "c": 21}, nil, []bool{true},
		},
		"nothing new": {
			func(l *timeline) { l.read("a", 1); l.read("a", 1); l.read("a", 2); l.read("a", 2); l.read("a", 1) },
			map[string]uint64{"a": 1}, nil, []bool{false, false, true, false, true},
		},
		"a new volume": {
			func(l *timeline) { l.read("d", 31); l.read("d", 31) },
			map[string]uint64{"d": 31}, nil, []bool{true, false},
		},
		"a new volume that the next listing shows": {
			func(l *timeline) {
				l.read("d", 31)
				l.listing("cluster", func() { l.list("one", shown{"a", 1}, shown{"b", 11}, shown{"d", 31}); l.list("two", other) })
			},
			map[string]uint64{"a": 1, "d": 31}, []string{"d"}, []bool{true},
		},
		"a new volume that the next listing does not show": {
			func(l *timeline) {
				l.read("d", 31)
				l.listing("cluster", func() { l.list("one", old...); l.list("two", other) })
			},
			map[string]uint64{"a": 1, "d": unknown}, []string{"d"}, []bool{true},
		},
		"a new volume that the next two listings do not show": {
			func(l *timeline) {
				l.read("d", 31)
				for range 2 {
					l.listing("cluster", func() { l.list("one", old...); l.list("two", other) })
				}
			},
			map[string]uint64{"a": 1, "d": absent}, []string{"d"}, []bool{true},
		},
		"a change, and the next listing does not show it": {
			func(l *timeline) {
				l.read("a", 2)
				l.listing("cluster", func() { l.list("one", shown{"b", 11}); l.list("two", other) })
			},
			map[string]uint64{"a": absent}, []string{"a"}, []bool{true},
		},
		"a new volume, and a listing that was begun before": {
			func(l *timeline) {
				l.begin()
				l.list("one", old...)
				l.read("d", 31)
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"d": 31}, nil, []bool{true},
		},
		"a new volume, and a list that was asked for before": {
			func(l *timeline) {
				l.begin()
				asked := l.ask("one")
				l.read("d", 31)
				l.close(asked, -1, old...)
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"d": 31}, nil, []bool{true},
		},
		"a new volume that a list has shown, of a listing that goes on": {
			func(l *timeline) {
				l.begin()
				l.list("one", shown{"a", 1}, shown{"b", 11}, shown{"d", 31})
				l.read("d", 31)
				l.read("d", 31)
			},
			map[string]uint64{"d": 31}, nil, []bool{true, false},
		},
		"a new volume, and a listing that is not complete": {
			func(l *timeline) {
				l.read("d", 31)
				l.begin()
				l.list("one", old...)
				l.end("cluster", false)
			},
			map[string]uint64{"d": 31}, nil, []bool{true},
		},
		"gone from a listing that was begun before": {
			func(l *timeline) {
				l.begin()
				asked := l.ask("one")
				l.read("a", 2)
				l.close(asked, -1, shown{"b", 11})
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"a": 2, "b": 11}, []string{"a"}, []bool{true},
		},
		"gone from a list that was asked for later, of a listing that was begun before": {
			func(l *timeline) {
				l.begin()
				l.read("a", 2)
				l.list("one", shown{"b", 11})
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"a": 2}, []string{"a"}, []bool{true},
		},
		"older content in a list that was asked for before": {
			func(l *timeline) {
				l.begin()
				asked := l.ask("one")
				l.read("a", 3)
				l.close(asked, -1, shown{"a", 2}, shown{"b", 11})
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"a": 3}, nil, []bool{true},
		},
		"the same, and the next listing shows what was read": {
			func(l *timeline) {
				l.begin()
				asked := l.ask("one")
				l.read("a", 3)
				l.close(asked, -1, shown{"a", 2}, shown{"b", 11})
				l.list("two", other)
				l.end("cluster", true)
				l.listing("cluster", func() { l.list("one", shown{"a", 3}, shown{"b", 11}); l.list("two", other) })
			},
			map[string]uint64{"a": 3}, []string{"a"}, []bool{true},
		},
		"newer content in a list that was asked for later": {
			func(l *timeline) {
				l.begin()
				l.read("a", 2)
				l.list("one", shown{"a", 3}, shown{"b", 11})
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"a": 3}, []string{"a"}, []bool{true},
		},
		"a list that has not changed was asked for later": {
			func(l *timeline) {
				l.begin()
				l.read("a", 2)
				l.list("one", old...)
				l.list("two", other)
				l.end("cluster", true)
			},
			map[string]uint64{"a": 1}, []string{"a"}, []bool{true},
		},
		"a list that was asked for later is cut behind it": {
			func(l *timeline) {
				l.begin()
				l.read("a", 2)
				l.close(l.ask("one"), 1, shown{"a", 3}, shown{"b", 11})
				l.end("cluster", false)
			},
			map[string]uint64{"a": 3}, []string{"a"}, []bool{true},
		},
		"a list that was asked for later is cut before it": {
			func(l *timeline) {
				l.begin()
				l.read("b", 2)
				l.close(l.ask("one"), 1, shown{"a", 3}, shown{"b", 11})
				l.end("cluster", false)
			},
			map[string]uint64{"b": 2}, nil, []bool{true},
		},
		"the list of another namespace was asked for later": {
			func(l *timeline) {
				l.begin()
				l.read("a", 2)
				l.list("two", other)
				l.end("cluster", false)
			},
			map[string]uint64{"a": 2}, nil, []bool{true},
		},
		"an answer that comes after a list that was asked for later": {
			func(l *timeline) {
				answered := l.asked("a", "one")
				l.listing("cluster", func() { l.list("one", shown{"a", 3}, shown{"b", 11}); l.list("two", other) })
				answered(2)
			},
			map[string]uint64{"a": 3}, nil, []bool{false},
		},
		"an answer that comes after a listing that did not show it": {
			func(l *timeline) {
				answered := l.asked("a", "one")
				l.listing("cluster", func() { l.list("one", shown{"b", 11}); l.list("two", other) })
				answered(2)
			},
			map[string]uint64{"a": absent}, []string{"a"}, []bool{false},
		},
		"an answer that comes after one that was asked for later": {
			func(l *timeline) {
				answered := l.asked("a", "one")
				l.read("a", 3)
				answered(2)
			},
			map[string]uint64{"a": 3}, nil, []bool{true, false},
		},
		"read after it has gone": {
			func(l *timeline) {
				l.listing("cluster", func() { l.list("one", shown{"b", 11}); l.list("two", other) })
				l.read("a", 1)
			},
			map[string]uint64{"a": 1}, []string{"a"}, []bool{true},
		},
		"in another namespace than its list": {
			func(l *timeline) { l.asked("a", "two")(2) },
			map[string]uint64{"a": 1}, nil, []bool{false},
		},
		"while it is listed twice": {
			func(l *timeline) {
				l.listing("cluster", func() { l.list("one", old...); l.list("two", other, shown{"a", 5}) })
				l.read("a", 2)
			},
			map[string]uint64{"c": 21}, nil, []bool{false},
		},
		"while it cannot be recorded": {
			func(l *timeline) {
				l.listing("cluster", func() {
					r := l.ask("one")
					r.Show("a", 7)
					r.Store("a", 7, digestOfContent(1), "it is too large")
					l.close(r, -1, shown{"b", 11})
					l.list("two", other)
				})
				l.read("a", 2)
			},
			map[string]uint64{"a": 1}, nil, []bool{false},
		},
		"after a listing that was not complete": {
			func(l *timeline) {
				l.begin()
				l.end("cluster", false)
				l.read("a", 2)
			},
			map[string]uint64{"a": 1}, nil, []bool{false},
		},
		"before a listing that was not complete, answered after it": {
			func(l *timeline) {
				answered := l.asked("a", "one")
				l.begin()
				l.end("cluster", false)
				answered(2)
			},
			map[string]uint64{"a": 1}, nil, []bool{false},
		},
		"while another cluster answers": {
			func(l *timeline) { l.heard("other"); l.read("a", 2) },
			map[string]uint64{"a": 1}, nil, []bool{false},
		},
		"before another cluster is listed, answered after it": {
			func(l *timeline) {
				answered := l.asked("a", "one")
				l.listing("other", func() { l.list("one", shown{"a", 7}); l.list("two") })
				answered(2)
			},
			map[string]uint64{"a": 7}, nil, []bool{false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newTimeline()
				tc.tell(l)
				for id, want := range tc.content {
					is := l.Look(id)
					switch {
					case want == absent && (is.Presence != policy.Absent || l.Lists(id)):
						t.Errorf("volume %s: %+v, want it to be absent", id, is)
					case want == unknown && (is.Presence != policy.Unknown || l.Lists(id)):
						t.Errorf("volume %s: %+v, want it to be unknown", id, is)
					case want != absent && want != unknown && (is.Presence != policy.Present || is.Digest.Content != want || !l.Lists(id)):
						t.Errorf("volume %s: %+v, want content %d", id, is, want)
					case want != absent && want != unknown && !is.ClusterVerified:
						t.Errorf("volume %s: %+v, want its cluster to be known", id, is)
					}
				}
				for _, id := range tc.changed {
					if !slices.Contains(l.changed, id) {
						t.Errorf("nobody is told of volume %s but of %v", id, l.changed)
					}
				}
				if !slices.Equal(l.news, tc.news) {
					t.Errorf("the reads told %v, want %v", l.news, tc.news)
				}
			})
		})
	}
}

// A new volume that a list has shown which was asked for later is of whichever cluster that list
// is of: the end of the listing tells.
func TestEarlyOvertaken(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*timeline, func()){
		"answered before": func(l *timeline, answered func()) {
			answered()
			l.list("one", shown{"a", 1}, shown{"b", 11}, shown{"d", 32})
		},
		"answered after": func(l *timeline, answered func()) {
			l.list("one", shown{"a", 1}, shown{"b", 11}, shown{"d", 32})
			answered()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newTimeline()
				l.begin()
				answered := l.asked("d", "one")
				tell(l, func() { answered(31) })
				if is := l.Look("d"); is.ClusterVerified || is.Digest.Content != 32 {
					t.Errorf("it is %+v", is)
				}
				l.list("two", shown{"c", 21})
				l.end("cluster", true)
				if is := l.Look("d"); !is.ClusterVerified || is.Digest.Content != 32 {
					t.Errorf("after the listing it is %+v", is)
				}
			})
		})
	}
}

// An answer that was begun later is not forgotten for one that ends later.
func TestShownOlder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTimeline()
		older := time.Now()
		l.begin()
		l.list("one", shown{"a", 1}, shown{"b", 11})
		l.list("two", shown{"c", 21})
		l.shown("d", time.Now())
		l.shown("d", older)
		l.end("cluster", true)
		if is := l.Look("d").Presence; is != policy.Unknown {
			t.Errorf("it is %v", is)
		}
	})
}

// Nothing stays that was read by itself: the next complete listing is enough.
func TestEarlyIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTimeline()
		for _, id := range []string{"a", "d", "e"} {
			l.read(id, 2)
		}
		if n := l.Size().Early; n != 3 {
			t.Errorf("%d are kept, want 3", n)
		}
		l.listing("cluster", func() { l.list("one", shown{"a", 1}, shown{"d", 31}); l.list("two", shown{"c", 21}) })
		if n := l.Size().Early; n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}

// What was read is of the cluster that was listed, is seen when it was asked for, and is no
// more of a beginning than what lists show.
func TestEarlySource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTimeline()
		before := l.Look("a")
		l.read("a", 2)
		l.asked("n", "new")(1)
		for id, namespaceID := range map[string]string{"a": "one", "n": "new"} {
			is := l.Look(id)
			if is.Cluster != "cluster" || !is.ClusterVerified || is.NamespaceID != namespaceID || is.InitialSync {
				t.Errorf("volume %s: %+v", id, is)
			}
			if is.Seen != is.ReadAt || !is.Seen.After(before.Seen) || is.Generation <= before.Generation {
				t.Errorf("volume %s was seen %v, read %v, generation %d; before %+v", id, is.Seen, is.ReadAt, is.Generation, before)
			}
		}
		if !l.Look("b").ReadAt.IsZero() {
			t.Error("what a list shows was read")
		}
	})
}
