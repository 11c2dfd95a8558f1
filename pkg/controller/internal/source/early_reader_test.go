package source

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// reading is an early reader at work, beside a poller that polls when it is told to.
type reading struct {
	*polled
	*EarlyReader
	api *storageostest.API

	mu    sync.Mutex
	news  []string // what was found
	asked map[string][]time.Duration
	begun time.Time
}

// reads runs an early reader; the volumes a and b are listed.
func reads(t *testing.T, tell func(*reading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &reading{api: storageostest.New(map[string][]string{"one": {"a 1", "b 1"}, "two": nil}), asked: map[string][]time.Duration{}}
		r.polled = newPolled(r.api)
		r.EarlyReader = NewEarlyReader(r.api, r.View, ParallelEarlyReads, func(reason string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.asked[reason] = append(r.asked[reason], time.Since(r.begun))
		}, func(string) {}, func(id string, read Payload) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !read.Begun.Equal(r.View.Look(id).ReadAt) {
				t.Errorf("%s was asked for at %v, not at %v", id, read.Begun, r.View.Look(id).ReadAt)
			}
			r.news = append(r.news, id)
		})
		r.Begun = func(*Listing) { r.ListingBegun() }
		r.Ended = func(l *Listing, complete bool, _ []string) { r.View.Compared(l, complete) }
		_ = r.Poll(unlogged(t))
		r.forgetCalls()
		r.begun = time.Now()
		ctx, cancel := context.WithCancel(unlogged(t))
		var wg sync.WaitGroup
		wg.Go(func() { r.Run(ctx) })
		tell(r)
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
	})
}

func (r *reading) ask(ids ...string) {
	for _, id := range ids {
		r.Ask(EarlyRead{NamespaceID: "one", ID: id, Reason: metrics.EarlyPersistentVolume})
	}
}

// calls are the questions that StorageOS was asked.
func (r *reading) calls() map[string]int {
	r.api.Mu.Lock()
	defer r.api.Mu.Unlock()
	return maps.Clone(r.api.Calls)
}

func (r *reading) forgetCalls() {
	r.api.Mu.Lock()
	defer r.api.Mu.Unlock()
	clear(r.api.Calls)
}

// becomes lets StorageOS have these volumes.
func (r *reading) becomes(volumes ...string) {
	r.api.Mu.Lock()
	defer r.api.Mu.Unlock()
	r.api.Lists["one"] = volumes
}

// other expects another content.
func other(than uint64) func(*storageos.Volume, uint64) bool {
	return func(_ *storageos.Volume, content uint64) bool { return content != than }
}

// What is asked for is read, between two answers of the cluster, and again a second and three
// seconds later if it does not show what is expected.
func TestEarlyReader(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, tc := range map[string]struct {
		tell  func(*reading)
		news  []string
		asked []time.Duration // for a volume
		calls map[string]int
	}{
		"a change": {
			func(r *reading) { r.becomes("a 2"); r.ask("a") },
			[]string{"a"}, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"a new volume": {
			func(r *reading) { r.becomes("a 1", "c 1"); r.ask("c") },
			[]string{"c"}, []time.Duration{0}, map[string]int{"cluster": 2, "volume c": 1},
		},
		"nothing new": {
			func(r *reading) { r.ask("a") },
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"it is not there": {
			func(r *reading) { r.ask("c") },
			nil, []time.Duration{0, second, 3 * second}, map[string]int{"cluster": 6, "volume c": 3},
		},
		"it is there a moment later": {
			func(r *reading) { r.ask("c"); time.Sleep(second / 2); r.becomes("c 1") },
			[]string{"c"}, []time.Duration{0, second}, map[string]int{"cluster": 4, "volume c": 2},
		},
		"it is there two seconds later": {
			func(r *reading) { r.ask("c"); time.Sleep(2 * second); r.becomes("c 1") },
			[]string{"c"}, []time.Duration{0, second, 3 * second}, map[string]int{"cluster": 6, "volume c": 3},
		},
		"a listing begins while it is not there": {
			func(r *reading) { r.ask("c"); time.Sleep(second / 2); r.ListingBegun() },
			nil, []time.Duration{0, second, 3 * second}, map[string]int{"cluster": 6, "volume c": 3},
		},
		"it is to grow, and does": {
			func(r *reading) {
				r.Ask(EarlyRead{NamespaceID: "one", ID: "a", Reason: metrics.EarlyPersistentVolume, Shows: func(v *storageos.Volume, _ uint64) bool { return v.SizeBytes >= 5 }})
				time.Sleep(2 * second)
				r.becomes("a 5")
			},
			[]string{"a"}, []time.Duration{0, second, 3 * second}, map[string]int{"cluster": 6, "volume a": 3},
		},
		"it is to become another, and does": {
			func(r *reading) {
				r.Ask(EarlyRead{NamespaceID: "one", ID: "a", Reason: metrics.EarlyAttachment, Shows: other(r.View.Look("a").Digest.Content)})
				time.Sleep(second / 2)
				r.becomes("a 5")
			},
			[]string{"a"}, []time.Duration{0, second}, map[string]int{"cluster": 4, "volume a": 2},
		},
		"it is to become another, and is at once": {
			func(r *reading) {
				shows := other(r.View.Look("a").Digest.Content)
				r.becomes("a 5")
				r.Ask(EarlyRead{NamespaceID: "one", ID: "a", Reason: metrics.EarlyAttachment, Shows: shows})
			},
			[]string{"a"}, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"asked for again while it is waited for": {
			func(r *reading) { r.ask("c"); time.Sleep(second / 2); r.ask("c") },
			nil, []time.Duration{0, second / 2, 3 * second / 2, 7 * second / 2}, map[string]int{"cluster": 8, "volume c": 4},
		},
		"another is asked for while it is waited for": {
			func(r *reading) { r.ask("c", "d"); time.Sleep(second / 2); r.ask("d") },
			nil, []time.Duration{0, 0, second / 2, second, 3 * second / 2, 3 * second, 7 * second / 2},
			map[string]int{"cluster": 12, "volume c": 3, "volume d": 4},
		},
		"two at once": {
			func(r *reading) { r.becomes("a 2", "b 2"); r.ask("a", "b") },
			[]string{"a", "b"}, []time.Duration{0, 0}, map[string]int{"cluster": 2, "volume a": 1, "volume b": 1},
		},
		"it fails": {
			func(r *reading) {
				r.api.Fail = func(call string, _ int) error {
					if call == "volume a" {
						return errBroken
					}
					return nil
				}
				r.ask("a")
			},
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"it is of another namespace than was asked for": {
			func(r *reading) { r.becomes(`{"id":"a","name":"a","namespaceID":"two","sizeBytes":2}`); r.ask("a") },
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"it cannot be recorded": {
			func(r *reading) { r.becomes("a 18446744073709551615"); r.ask("a") },
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"another cluster answers before": {
			func(r *reading) { r.becomes("a 2"); r.answersAs("other"); r.ask("a") },
			nil, nil, map[string]int{"cluster": 1},
		},
		"another cluster answers after": {
			func(r *reading) {
				r.becomes("a 2")
				r.api.Before = func(_ context.Context, call string) {
					if call == "volume a" {
						r.answersAs("other")
					}
				}
				r.ask("a")
			},
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"the cluster cannot be asked for before": {
			func(r *reading) { r.becomes("a 2"); r.api.Fail = failsAt("cluster", 1); r.ask("a") },
			nil, nil, map[string]int{"cluster": 1},
		},
		"the cluster cannot be asked for after": {
			func(r *reading) { r.becomes("a 2"); r.api.Fail = failsAt("cluster", 2); r.ask("a") },
			nil, []time.Duration{0}, map[string]int{"cluster": 2, "volume a": 1},
		},
		"the last listing was not complete": {
			func(r *reading) {
				r.api.Fail = failsAt("namespaces", 1)
				_ = r.Poll(context.Background())
				r.api.Fail = nil
				r.becomes("a 2")
				r.forgetCalls()
				r.ask("a")
			},
			nil, nil, map[string]int{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads(t, func(r *reading) {
				tc.tell(r)
				time.Sleep(10 * time.Second)
				r.mu.Lock()
				defer r.mu.Unlock()
				slices.Sort(r.news)
				var asked []time.Duration
				for _, times := range r.asked {
					asked = append(asked, times...)
				}
				if !slices.Equal(r.news, tc.news) || !slices.Equal(asked, tc.asked) {
					t.Errorf("found %v, want %v; asked at %v, want %v", r.news, tc.news, asked, tc.asked)
				}
				if diff := cmp.Diff(tc.calls, r.calls()); diff != "" {
					t.Errorf("questions (-want +got):\n%s", diff)
				}
				for id, is := range map[string]policy.Presence{"a": policy.Present, "b": policy.Present} {
					if got := r.View.Look(id).Presence; got != is {
						t.Errorf("volume %s is %v, want %v", id, got, is)
					}
				}
			})
		})
	}
}

// A volume that was absent and answers is not absent any more, though nobody knows which
// cluster has answered.
func TestEarlyReaderAbsent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func(string, int) error
		want policy.Presence
	}{
		"all is well":                            {nil, policy.Present},
		"the cluster cannot be asked for after":  {failsAt("cluster", 2), policy.Unknown},
		"the volume cannot be read":              {failsAt("volume a", 1), policy.Absent},
		"the cluster cannot be asked for before": {failsAt("cluster", 1), policy.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads(t, func(r *reading) {
				r.becomes("b 1")
				_ = r.Poll(context.Background())
				r.becomes("a 1", "b 1")
				if is := r.View.Look("a").Presence; is != policy.Absent {
					t.Fatalf("it is %v", is)
				}
				r.forgetCalls()
				r.api.Fail = tc.fail
				r.ask("a")
				time.Sleep(time.Second / 2)
				if is := r.View.Look("a").Presence; is != tc.want {
					t.Errorf("it is %v, want %v", is, tc.want)
				}
			})
		})
	}
}

// answersAs lets another cluster answer.
func (r *reading) answersAs(cluster string) {
	r.api.Mu.Lock()
	defer r.api.Mu.Unlock()
	r.api.ClusterID = cluster
}

func failsAt(call string, n int) func(string, int) error {
	return func(is string, count int) error {
		if is == call && count == n {
			return errBroken
		}
		return nil
	}
}

// Never more than so many are read in a second, those of one moment share two answers of the
// cluster, and what a listing will show that begins meanwhile is not read.
func TestEarlyReaderBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask  func(*reading, []string)
		want map[time.Duration]int // how many by when
	}{
		"at once": {
			func(r *reading, ids []string) { r.ask(ids...) },
			map[time.Duration]int{0: 20, time.Second: 20, 2 * time.Second: 10},
		},
		"some, and the others in the same second": {
			func(r *reading, ids []string) {
				r.ask(ids[:15]...)
				time.Sleep(time.Second / 2)
				r.ask(ids[15:]...)
			},
			map[time.Duration]int{0: 15, time.Second / 2: 5, time.Second: 15, 3 * time.Second / 2: 5, 2 * time.Second: 10},
		},
		"a listing begins": {
			func(r *reading, ids []string) {
				r.ask(ids...)
				time.Sleep(time.Second / 2)
				r.ListingBegun()
			},
			map[time.Duration]int{0: 20},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads(t, func(r *reading) {
				var ids, volumes []string
				for n := range 50 {
					ids = append(ids, fmt.Sprintf("n%d", n))
					volumes = append(volumes, ids[n]+" 1")
				}
				r.becomes(append(volumes, "a 1", "b 1")...)
				tc.ask(r, ids)
				time.Sleep(10 * time.Second)
				r.mu.Lock()
				defer r.mu.Unlock()
				got := map[time.Duration]int{}
				for _, at := range r.asked[metrics.EarlyPersistentVolume] {
					got[at]++
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("read by when (-want +got):\n%s", diff)
				}
				if n := r.calls()["cluster"]; n != 2*len(tc.want) {
					t.Errorf("the cluster was asked for %d times, want %d", n, 2*len(tc.want))
				}
				if n := len(slices.Compact(slices.Sorted(slices.Values(r.news)))); n != total(tc.want) {
					t.Errorf("%d volumes were found, want %d", n, total(tc.want))
				}
			})
		})
	}
}

// However many are asked for at once: no more wait than can be read until the next listing.
func TestEarlyReaderFlood(t *testing.T) {
	t.Parallel()
	reads(t, func(r *reading) {
		for n := range 10_000 {
			r.ask(fmt.Sprintf("n%d", n))
		}
		r.EarlyReader.mu.Lock()
		defer r.EarlyReader.mu.Unlock()
		const most = 20*5 + 20 // in five seconds, and those of the first moment
		if n := len(r.waiting); n < 80 || n > most {
			t.Errorf("%d wait, want up to %d", n, most)
		}
	})
}

// However slow StorageOS is, and then is not, it meets no more reads in a second.
func TestEarlyReaderBoundsWhileSlow(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string][]string{
		"the cluster":       {"cluster"},
		"the first volumes": {"volume n0", "volume n1", "volume n2", "volume n3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads(t, func(r *reading) {
				begun := time.Now()
				r.api.Before = func(_ context.Context, call string) {
					if slices.Contains(slow, call) && time.Since(begun) < time.Second/2 {
						time.Sleep(900 * time.Millisecond)
					}
				}
				for n := range 50 {
					r.ask(fmt.Sprintf("n%d", n))
				}
				time.Sleep(3 * time.Second)
				r.mu.Lock()
				defer r.mu.Unlock()
				asked := slices.Sorted(slices.Values(r.asked[metrics.EarlyPersistentVolume]))
				if len(asked) < 50 {
					t.Errorf("%d were read", len(asked))
				}
				for i := EarlyReadsPerSecond; i < len(asked); i++ {
					if within := asked[i] - asked[i-EarlyReadsPerSecond]; within < time.Second {
						t.Errorf("%d were read within %v", EarlyReadsPerSecond+1, within)
						return
					}
				}
			})
		})
	}
}

func total(counts map[time.Duration]int) (n int) {
	for c := range maps.Values(counts) {
		n += c
	}
	return n
}

// A volume whose answer does not come holds up no listing, and a listing that does not end
// holds up no volume.
func TestEarlyReaderBesideAListing(t *testing.T) {
	t.Parallel()
	reads(t, func(r *reading) {
		r.api.Slow = map[string]time.Duration{"volumes one": 5 * time.Second}
		ended := make(chan error)
		go func() { ended <- r.Poll(context.Background()) }()
		time.Sleep(time.Second)
		r.becomes("a 2", "b 1", "c 1")
		r.ask("a", "c")
		time.Sleep(time.Second)
		for _, id := range []string{"a", "c"} {
			if is := r.View.Look(id); is.Presence != policy.Present || is.ReadAt.IsZero() {
				t.Errorf("volume %s while a list is on its way: %+v", id, is)
			}
		}
		r.becomes("a 1", "b 1") // what the list shows is older
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, id := range []string{"a", "c"} {
			if is := r.View.Look(id); is.Presence != policy.Present || is.ReadAt.IsZero() {
				t.Errorf("volume %s after that: %+v", id, is)
			}
		}
		r.api.Slow = map[string]time.Duration{"volume a": time.Hour}
		r.ask("a")
		time.Sleep(time.Second)
		if err := r.Poll(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := r.Poll(context.Background()); err != nil {
			t.Error(err)
		}
		if is := r.View.Look("c").Presence; is != policy.Absent {
			t.Errorf("later listings do not count: %v", is)
		}
	})
}
