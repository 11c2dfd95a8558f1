package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// polled is a poller and what it has said.
type polled struct {
	*Poller
	mu       sync.Mutex
	found    []string // in the last listing
	gone     []string
	complete bool
	begins   []time.Time
}

func newPolled(api storageos.Lister) *polled {
	p := &polled{Poller: &Poller{
		API: api, View: newView(), Metrics: metrics.New(),
		Interval: 5 * time.Second, Retry: 7 * time.Second, Parallel: ParallelLists,
	}}
	p.Begun = func(l *Listing) { p.found, p.begins = nil, append(p.begins, l.Begun) }
	p.Keep = func(string, Payload) {}
	p.Alive = func(time.Time) {}
	p.Found = func(id string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.found = append(p.found, id)
	}
	p.Ended = func(_ *Listing, complete bool, gone []string) {
		slices.Sort(p.found)
		p.complete, p.gone = complete, gone
	}
	return p
}

var errBroken = errors.New("broken")

// What a listing after a good one shows: three volumes of two namespaces, of
// which b has changed and c has gone.
func TestPoll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change   func(f *storageostest.API)
		complete bool
		found    []string
		gone     []string
	}{
		"whole":                 {nil, true, []string{"b"}, []string{"c"}},
		"the nodes fail":        {failing("nodes", errBroken), true, []string{"b"}, []string{"c"}},
		"the cluster fails":     {failing("cluster", errBroken), false, []string{"b"}, []string{"c"}},
		"the cluster is secret": {failing("cluster", storageostest.Forbidden), true, []string{"b"}, []string{"c"}},
		"a proxy hides it":      {failing("cluster", &storageos.APIError{Code: http.StatusForbidden}), false, []string{"b"}, []string{"c"}},
		"the namespaces fail":   {failing("namespaces", errBroken), false, nil, nil},
		"a namespace fails":     {failing("volumes one", errBroken), false, []string{"b"}, []string{"c"}},
		"a namespace has gone": {func(f *storageostest.API) {
			failing("volumes two", storageostest.NotFound)(f)
			f.Lists["two"] = nil
			after(f, "volumes two", func() { f.NamespaceIDs = []string{"one"} })
		}, true, []string{"b"}, []string{"c"}},
		"a namespace is there, but its volumes are not found": {failing("volumes two", storageostest.NotFound), false, []string{"b"}, nil},
		"whether the namespace has gone cannot be found out":  {failing("volumes two, again namespaces", storageostest.NotFound), false, []string{"b"}, nil},
		"another cluster takes over in the middle":            {func(f *storageostest.API) { after(f, "nodes", func() { f.ClusterID = "other" }) }, false, []string{"b"}, []string{"c"}},
		"a namespace appears": {func(f *storageostest.API) {
			f.NamespaceIDs = append(f.NamespaceIDs, "three")
			f.Lists["three"] = []string{"d 1"}
		}, true, []string{"b", "d"}, []string{"c"}},
		"a volume that cannot be recorded":                {func(f *storageostest.API) { f.Lists["one"] = []string{"a 18446744073709551615", "b 2"} }, true, []string{"a", "b"}, []string{"c"}},
		"an entry without ID costs nothing of the others": {func(f *storageostest.API) { f.Lists["one"] = []string{"- 0", "a 1", "b 2"} }, false, []string{"b"}, []string{"c"}},
		"the same in another order":                       {func(f *storageostest.API) { f.Lists["one"] = []string{"b 1", "a 1"}; f.Lists["two"] = []string{"c 1"} }, true, nil, nil},
		"no namespaces at all, and the listing says so":   {func(f *storageostest.API) { f.NamespaceIDs = nil }, true, nil, []string{"a", "b", "c"}},
		"an ID listed twice with the same content": {func(f *storageostest.API) {
			f.Lists["one"] = []string{"a 1", "a 1", "b 1"}
			f.Lists["two"] = []string{"c 1"}
		}, true, nil, nil},
		"an ID listed twice with other content is there anyway": {func(f *storageostest.API) {
			f.Lists["one"] = []string{"a 1", "a 3", "b 1"}
			f.Lists["two"] = []string{"c 1"}
		}, true, []string{"a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{"one": {"a 1", "b 1"}, "two": {"c 1"}})
				p := newPolled(api)
				if err := p.Poll(t.Context()); err != nil || !slices.Equal(p.found, []string{"a", "b", "c"}) {
					t.Fatalf("the first listing: %v, %v", p.found, err)
				}
				api.Lists = map[string][]string{"one": {"a 1", "b 2"}, "two": nil}
				api.Calls = map[string]int{}
				if tc.change != nil {
					tc.change(api)
				}
				err := p.Poll(t.Context())
				if (err == nil) != tc.complete || p.complete != tc.complete {
					t.Errorf("complete %v, %v; want %v", p.complete, err, tc.complete)
				}
				if diff := cmp.Diff([][]string{tc.found, tc.gone}, [][]string{p.found, p.gone}); diff != "" {
					t.Errorf("found and gone (-want +got):\n%s", diff)
				}
				// What a whole list does not show is absent only if the listing was complete.
				is := map[bool]policy.Presence{true: policy.Absent, false: policy.Unknown}[tc.complete]
				for _, id := range tc.gone {
					if s := p.View.Look(id); s.Presence != is {
						t.Errorf("%s is %v", id, s.Presence)
					}
				}
				if tc.complete {
					return
				}
				for _, id := range []string{"a", "b", "c"} {
					if s := p.View.Look(id); s.Presence != policy.Present && !slices.Contains(tc.gone, id) || s.LastComplete {
						t.Errorf("after an incomplete listing, %s is %+v", id, s)
					}
				}
			})
		})
	}
}

// failing lets a call fail; "X, again Y" lets X fail, and Y from its second
// time on.
func failing(call string, err error) func(*storageostest.API) {
	first, again, _ := strings.Cut(call, ", again ")
	return func(f *storageostest.API) {
		f.Fail = func(call string, n int) error {
			if call == first || call == again && n > 1 {
				return err
			}
			return nil
		}
	}
}

// after does something when a call is asked for.
func after(f *storageostest.API, call string, do func()) {
	fail := f.Fail
	f.Fail = func(c string, n int) error {
		if c == call {
			do()
		}
		if fail == nil {
			return nil
		}
		return fail(c, n)
	}
}

// New names of nodes are new content of every volume on them.
func TestPollNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := storageostest.New(map[string][]string{"one": {"a 1"}})
		p := newPolled(api)
		for _, tc := range []struct {
			nodes map[string]string
			found []string
			host  bool // the digest is another
		}{
			{map[string]string{}, []string{"a"}, false},
			{map[string]string{"n1": "worker-1"}, []string{"a"}, true},
			{map[string]string{"n1": "worker-1"}, nil, false},
			{map[string]string{"n1": "worker-9"}, []string{"a"}, true},
		} {
			before := p.View.Look("a").Digest
			api.NodeNames = tc.nodes
			if err := p.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.found, tc.found) {
				t.Errorf("nodes %v: found %v, want %v", tc.nodes, p.found, tc.found)
			}
			if after := p.View.Look("a").Digest; before.Content != 0 && (after != before) != tc.host {
				t.Errorf("nodes %v: the digest changed: %v, want %v", tc.nodes, after != before, tc.host)
			}
		}
	})
}

// Listings begin at the interval, never overlap, and wait after a failure,
// which is logged once.
func TestPollerRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes  time.Duration // of each of the five calls; the nodes are not waited for beyond a second, 5 s at first
		slow   map[string]time.Duration
		fail   func(call string, n int) error
		begins []time.Duration
		logged []string
	}{
		"at the interval":      {takes: 0, begins: []time.Duration{0, 5, 10, 15}},
		"from begin to begin":  {takes: 500 * time.Millisecond, begins: []time.Duration{0, 5, 10, 15}},
		"slower than that":     {takes: 2 * time.Second, begins: []time.Duration{0, 10, 19}},
		"the nodes hang":       {slow: map[string]time.Duration{"nodes": 12 * time.Second}, begins: []time.Duration{0, 5, 10, 15}},
		"and after a failure":  {fail: func(string, int) error { return errBroken }, begins: []time.Duration{0, 7, 14}, logged: []string{"does not list its nodes", "incomplete"}},
		"one that ends by day": {fail: failFirst("namespaces", 2), begins: []time.Duration{0, 7, 14, 19}, logged: []string{"incomplete", `completely again" "failedListings"=2`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{"one": {"a 1"}})
				api.Takes, api.Slow, api.Fail = tc.takes, tc.slow, tc.fail
				var logged []string
				logger := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
				ctx, cancel := context.WithTimeout(klog.NewContext(t.Context(), logger), 19500*time.Millisecond)
				defer cancel()
				p := newPolled(api)
				begun := time.Now()
				p.Run(ctx)
				var got []time.Duration
				for _, b := range p.begins {
					got = append(got, b.Sub(begun)/time.Second)
				}
				if diff := cmp.Diff(tc.begins, got); diff != "" {
					t.Errorf("begins in seconds (-want +got):\n%s", diff)
				}
				if len(logged) != len(tc.logged) {
					t.Fatalf("logged %q, want %q", logged, tc.logged)
				}
				for i, want := range tc.logged {
					if !strings.Contains(logged[i], want) {
						t.Errorf("logged %q, want %q", logged[i], want)
					}
				}
			})
		})
	}
}

func failFirst(call string, times int) func(string, int) error {
	return func(c string, n int) error {
		if c == call && n <= times {
			return errBroken
		}
		return nil
	}
}

// While a listing takes long, and while one waits for its time, the poller is
// known to be alive.
func TestPollerAlive(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes time.Duration // of each call
		fail  func(string, int) error
		retry time.Duration
	}{
		"many namespaces, each silent until it is given up": {30 * time.Second, func(call string, _ int) error {
			if strings.HasPrefix(call, "volumes") {
				return errBroken
			}
			return nil
		}, time.Second},
		"a long pause after a failure": {time.Second, failFirst("namespaces", 100), 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{})
				for n := range 40 {
					api.NamespaceIDs = append(api.NamespaceIDs, fmt.Sprint(n))
				}
				api.Takes, api.Fail = tc.takes, tc.fail
				p := newPolled(api)
				p.Retry = tc.retry
				last, most := time.Now(), time.Duration(0)
				p.Alive = func(until time.Time) {
					p.mu.Lock()
					defer p.mu.Unlock()
					most = max(most, time.Since(last))
					last = until
				}
				ctx, cancel := context.WithTimeout(klog.NewContext(t.Context(), logr.Discard()), time.Hour)
				defer cancel()
				p.Run(ctx)
				if limit := 3 * tc.takes; most > limit {
					t.Errorf("nothing was heard for %v, more than %v", most, limit)
				}
			})
		})
	}
}
