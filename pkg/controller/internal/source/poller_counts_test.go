package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// What a listing counts, and what it leaves to be told.
func TestPollCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*storageostest.API)
		failed error
		errors map[string]float64 // by stage
		synced bool
		twice  bool // volume a is listed twice
	}{
		"complete":               {synced: true},
		"a list fails":           {change: failing("volumes one", errBroken), failed: errBroken},
		"the nodes fail":         {change: failing("nodes", errBroken), errors: map[string]float64{metrics.StageList: 1}, synced: true},
		"one cannot be recorded": {change: func(f *storageostest.API) { f.Lists["one"] = []string{"a large"} }, errors: map[string]float64{metrics.StageDecode: 1}, synced: true},
		"a list shows one twice": {
			change: func(f *storageostest.API) { f.Lists["two"] = []string{"b 1", "b 2"} },
			errors: map[string]float64{metrics.StageDecode: 1}, synced: true,
		},
		"one has moved": {change: func(f *storageostest.API) { f.Lists["one"], f.Lists["two"] = nil, []string{"b 1", "a 2"} }, synced: true},
		// The list that shows it still is asked for before the other has shown it, and is as
		// it was: nobody looks into it.
		"two show it, one as before": {change: func(f *storageostest.API) {
			f.Lists["two"] = []string{"b 1", "a 2"}
			f.Slow = map[string]time.Duration{"volumes one": 2 * time.Second, "volumes two": time.Second}
		}, errors: map[string]float64{metrics.StageDecode: 1}, synced: true, twice: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{"one": {"a 1"}, "two": {"b 1"}})
				p := newPolled(api)
				ctx := unlogged(t)
				if err := p.Poll(ctx); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				before := storageostest.Errors(t, p.Metrics)
				if tc.change != nil {
					tc.change(api)
				}
				if err := p.Poll(ctx); !errors.Is(err, tc.failed) || !errors.Is(p.Failed, tc.failed) || (p.Failed == nil) != (tc.failed == nil) {
					t.Errorf("%v, and %v is kept; want %v", err, p.Failed, tc.failed)
				}
				counted := map[string]float64{}
				for stage, n := range storageostest.Errors(t, p.Metrics) {
					if n > before[stage] {
						counted[stage] = n - before[stage]
					}
				}
				if len(counted) == 0 {
					counted = nil
				}
				if diff := cmp.Diff(tc.errors, counted); diff != "" {
					t.Errorf("errors (-want +got):\n%s", diff)
				}
				last := storageostest.Values(t, p.Metrics, "storageos_sync_volume_last_success_timestamp_seconds")[""]
				if synced := last == float64(time.Now().UnixNano())/1e9; synced != tc.synced {
					t.Errorf("the last complete listing ended at %v, now is %v", last, time.Now())
				}
				if twice := p.View.Look("a").Invalid == ListedTwice; twice != tc.twice {
					t.Errorf("listed twice: %v, want %v", twice, tc.twice)
				}
			})
		})
	}
}

// Nodes that cannot be listed because the process ends are no error.
func TestNodesCalledOff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ctx    func(context.Context) context.Context
		errors float64
	}{
		"they fail":        {func(ctx context.Context) context.Context { return ctx }, 1},
		"they are not had": {func(ctx context.Context) context.Context { return calledOff{ctx} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPolled(storageostest.New(nil))
			answer := make(chan nodesAnswer, 1)
			answer <- nodesAnswer{err: errBroken}
			p.nodes = answer
			p.listNodes(tc.ctx(unlogged(t)))
			if n := storageostest.Errors(t, p.Metrics)[metrics.StageList]; n != tc.errors {
				t.Errorf("%v errors are counted, want %v", n, tc.errors)
			}
		})
	}
}

// calledOff is a context that has ended, of which the answer is seen before its end.
type calledOff struct{ context.Context }

func (calledOff) Err() error            { return context.Canceled }
func (calledOff) Done() <-chan struct{} { return nil }

// A listing that is not complete is counted, and nothing of one that was called off.
func TestPollerRunCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail   func(string, int) error
		lasts  time.Duration
		errors float64
	}{
		"all complete":       {lasts: 12 * time.Second},
		"the first two fail": {fail: failFirst("namespaces", 2), lasts: time.Minute, errors: 2},
		"called off in one":  {fail: answers("namespaces", errBroken), lasts: 10 * time.Second, errors: 1}, // in the second, which is under way from 9 to 11 seconds
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{"one": {"a 1"}})
				api.Fail, api.Slow = tc.fail, map[string]time.Duration{"namespaces": 2 * time.Second}
				ctx, cancel := context.WithTimeout(unlogged(t), tc.lasts)
				defer cancel()
				p := newPolled(api)
				p.Run(ctx)
				if n := storageostest.Errors(t, p.Metrics)[metrics.StageList]; n != tc.errors {
					t.Errorf("%v errors are counted, want %v", n, tc.errors)
				}
			})
		})
	}
}

// The poller has not ended before what it has begun: nobody asks StorageOS afterwards.
func TestPollerEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(unlogged(t))
		ended := false
		p := newPolled(slowNodes{storageostest.New(nil), func() {
			cancel()
			time.Sleep(time.Minute)
			ended = true
		}})
		p.Run(ctx)
		if !ended {
			t.Error("the nodes are asked for still")
		}
		synctest.Wait()
	})
}

// slowNodes answers for the nodes late, also if it is called off.
type slowNodes struct {
	*storageostest.API
	wait func()
}

func (s slowNodes) Nodes(context.Context) (map[string]string, error) {
	s.wait()
	return nil, errBroken
}

// A volume of which an answer is begun while a listing is under way that lacks it is not
// absent.
func TestPollBesideAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asks bool
		is   policy.Presence
	}{
		"nobody asks":  {false, policy.Absent},
		"somebody did": {true, policy.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := storageostest.New(map[string][]string{"one": {"a 1"}})
				p := newPolled(api)
				if err := p.Poll(t.Context()); err != nil {
					t.Fatal(err)
				}
				api.Lists["one"] = nil
				api.Before = func(_ context.Context, call string) {
					if tc.asks && call == "volumes one" {
						p.View.shown("a", time.Now())
					}
				}
				if err := p.Poll(t.Context()); err != nil {
					t.Fatal(err)
				}
				if is := p.View.Look("a").Presence; is != tc.is {
					t.Errorf("it is %v, want %v", is, tc.is)
				}
			})
		})
	}
}

// What is kept of a volume that cannot be held is nothing, and not what it was cut to.
func TestPollKeeps(t *testing.T) {
	t.Parallel()
	api := storageostest.New(map[string][]string{"one": {"a 1", "b large"}})
	p := newPolled(api)
	kept := map[string]string{}
	p.Keep = func(id string, is Payload) { kept[id] = string(bytes.Clone(is.JSON)) }
	if err := p.Poll(unlogged(t)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": string(storageostest.Entry("one", "a 1").Raw), "b": ""}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// One ID in two lists that are read at the same time: between the question whether it was
// shown and the answer, here while an error is logged, the other shows it.
func TestExamineAtOnce(t *testing.T) {
	t.Parallel()
	p := newPolled(storageostest.New(nil))
	l := at(1)
	one, two := p.View.Read(l, "one"), p.View.Read(l, "two")
	logged := 0
	ctx := klog.NewContext(t.Context(), funcr.New(func(string, string) {
		logged++
		p.examine(t.Context(), one, "a", 1, storageostest.Entry("one", "a 1"))
	}, funcr.Options{}))
	if !p.examine(ctx, two, "a", 2, storageostest.Entry("two", "a large")) {
		t.Error("there is nothing to do about it")
	}
	if n := storageostest.DecodeErrors(t, p.Metrics); n != 2 || logged != 1 {
		t.Errorf("%d errors, %d in the log; want that it cannot be held, and that it is listed twice", n, logged)
	}
	if s := p.View.Look("a"); s.Invalid != ListedTwice || s.NamespaceID != "one" {
		t.Errorf("it is %+v", s)
	}
}

// Of many errors the first few are named, and how many there are more.
func TestJoinFew(t *testing.T) {
	t.Parallel()
	for errs, want := range map[int]string{0: "", 1: "0", 3: "0; 1; 2", 4: "0; 1; 2; and 1 more", 9: "0; 1; 2; and 6 more"} {
		all := make([]error, 0, 2*errs)
		for n := range errs {
			all = append(all, nil, fmt.Errorf("%d", n))
		}
		got := ""
		if err := joinFew(all); err != nil {
			got = OneLine(err)
		}
		if got != want || strings.Contains(got, "\n") {
			t.Errorf("of %d: %q, want %q", errs, got, want)
		}
	}
}
