package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// process is one that takes part in an election over a lease in memory.
type process struct {
	fence *fence
	stop  context.CancelFunc // asks it to stop
	over  chan struct{}
	times

	mu     sync.Mutex
	phases []phase
	result error
}

// times are counted from the begin of the election.
type times struct {
	work, told, done time.Duration // the work began, its context ended, it ended
	end              time.Duration // of the election
}

// unwatched is a lease that cannot be watched.
func unwatched(context.Context, func(string)) {}

// enrol lets a process take part, with a work and a watch of the lease that are
// given.
func enrol(t *testing.T, name string, on *lease, watch func(context.Context, func(string)), work func(context.Context) error) *process {
	t.Helper()
	ctx, stop := context.WithCancel(quiet(t))
	p := &process{fence: &fence{leaseDuration: leaseDuration}, stop: stop, over: make(chan struct{})}
	begun := time.Now()
	at := func(d *time.Duration) {
		p.mu.Lock()
		defer p.mu.Unlock()
		*d = time.Since(begun)
	}
	e := &election{
		lock:          &fencedLock{Interface: &candidate{lease: on, name: name}, second: &candidate{lease: on, name: name}, fence: p.fence},
		leaseDuration: leaseDuration, renewDeadline: 10 * time.Second, retryPeriod: 2 * time.Second,
		enter: func(ph phase) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.phases = append(p.phases, ph)
		},
		work: func(ctx context.Context) error {
			at(&p.work)
			defer at(&p.done)
			context.AfterFunc(ctx, func() { at(&p.told) })
			return work(ctx)
		},
		watch: watch,
	}
	go func() {
		defer close(p.over)
		p.result = e.run(ctx, context.WithoutCancel(ctx))
		at(&p.end)
	}()
	return p
}

// wait waits for the end of the election.
func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.over:
	case <-time.After(24 * time.Hour):
		t.Fatal("the election goes on for ever")
	}
}

// untilTold is a work that goes on for a while after it was told to end.
func untilTold(lasts time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(lasts)
		return nil
	}
}

func TestElection(t *testing.T) {
	t.Parallel()
	const s = time.Second
	both := []phase{standby, leading}
	fail := func(string, string) error { return errBroken }
	at5 := func(do func(*lease)) func(*process, *lease) {
		return func(_ *process, l *lease) {
			time.Sleep(5 * s)
			do(l)
		}
	}
	for name, tc := range map[string]struct {
		work   func(context.Context) error
		before func(*lease)
		script func(*process, *lease)

		result error
		times  times
		phases []phase
		holder string // in the end
	}{
		"a standby that is asked to stop leaves at once": {
			before: func(l *lease) { l.take("other") },
			script: func(p *process, _ *lease) {
				time.Sleep(5 * s)
				p.stop()
			},
			times: times{end: 5 * s}, phases: []phase{standby}, holder: "other",
		},
		"one that is asked to stop while it gets the lease gives it back": {
			before: func(l *lease) {
				l.answers(func(_, call string) error {
					if call == "create" {
						time.Sleep(3 * s)
					}
					return nil
				})
			},
			script: func(p *process, _ *lease) {
				time.Sleep(s)
				p.stop()
			},
			times: times{end: 3 * s}, phases: []phase{standby},
		},
		"one that is asked to stop while it takes a lease that nobody holds gives it back": {
			before: func(l *lease) {
				l.take("")
				l.answers(func(_, call string) error {
					if call == "update" {
						time.Sleep(3 * s)
					}
					return nil
				})
			},
			script: func(p *process, _ *lease) {
				time.Sleep(s)
				p.stop()
			},
			times: times{end: 6 * s}, phases: []phase{standby},
		},
		"a leader that is asked to stop works to the end, then gives the lease back": {
			work: untilTold(20 * s), // longer than the lease: it is still renewed
			script: func(p *process, l *lease) {
				time.Sleep(5 * s)
				p.stop()
				time.Sleep(20*s - 1)
				if err := pass(p.fence, http.MethodPatch); err != nil || l.holder() != "us" {
					panic("the lease is gone before the work is done")
				}
			},
			times: times{told: 5 * s, done: 25 * s, end: 25 * s}, phases: both,
		},
		"work that fails ends the election": {
			work: func(context.Context) error {
				time.Sleep(3 * s)
				return errBroken
			},
			result: errBroken,
			times:  times{told: 3 * s, done: 3 * s, end: 3 * s}, phases: both,
		},
		"work that fails while it is asked to stop": {
			work: func(ctx context.Context) error {
				<-ctx.Done()
				return errBroken
			},
			script: func(p *process, _ *lease) {
				time.Sleep(3 * s)
				p.stop()
			},
			result: errBroken,
			times:  times{told: 3 * s, done: 3 * s, end: 3 * s}, phases: both,
		},
		// The last renewal is at 4 s, the first that fails at 6 s.
		"a lease that cannot be renewed is lost": {
			work: untilTold(0),
			script: func(_ *process, l *lease) {
				time.Sleep(5 * s)
				l.answers(fail)
			},
			result: errLeaseLost,
			times:  times{told: 16 * s, done: 16 * s, end: 16 * s}, phases: both, holder: "us",
		},
		"a lost lease is not waited for": {
			work: untilTold(time.Hour),
			script: func(_ *process, l *lease) {
				time.Sleep(5 * s)
				l.answers(fail)
			},
			result: errLeaseLost,
			times:  times{told: 16 * s, end: 16 * s}, phases: both, holder: "us",
		},
		"it is lost while the work of one that was asked to stop goes on": {
			work: untilTold(time.Hour),
			script: func(p *process, l *lease) {
				time.Sleep(5 * s)
				p.stop()
				l.answers(fail)
			},
			result: errLeaseLost,
			times:  times{told: 5 * s, end: 16 * s}, phases: both, holder: "us",
		},
		"a lease that another has taken is lost at once, and left to him": {
			work: untilTold(0), script: at5(func(l *lease) { l.take("other") }),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both, holder: "other",
		},
		"one that is emptied is not taken again": {
			work: untilTold(0), script: at5(func(l *lease) { l.take("") }),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both,
		},
		"one that is deleted is not made anew": {
			work: untilTold(0), script: at5((*lease).remove),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both,
		},
		"one that is deleted and made by another is left to him": {
			work: untilTold(0), script: at5(func(l *lease) {
				l.remove()
				l.take("other")
			}),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both, holder: "other",
		},
		"a holder whose name begins like ours is another": {
			work: untilTold(0), script: at5(func(l *lease) { l.take("u") }),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both, holder: "u",
		},
		"so is one whose name is longer": {
			work: untilTold(0), script: at5(func(l *lease) { l.take("us too") }),
			result: errLeaseLost,
			times:  times{told: 5 * s, done: 5 * s, end: 5 * s}, phases: both, holder: "us too",
		},
		"work that ends unasked has lost the lease": {
			work: func(context.Context) error {
				time.Sleep(3 * s)
				return nil
			},
			result: errLeaseLost,
			times:  times{told: 3 * s, done: 3 * s, end: 3 * s}, phases: both,
		},
		"a short failure costs nothing": {
			work: untilTold(0),
			script: func(p *process, l *lease) {
				time.Sleep(5 * s)
				l.answers(fail)
				time.Sleep(8 * s)
				l.answers(nil)
				time.Sleep(47 * s)
				p.stop()
			},
			times: times{told: 60 * s, done: 60 * s, end: 60 * s}, phases: both,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				on := &lease{}
				if tc.before != nil {
					tc.before(on)
				}
				p := enrol(t, "us", on, on.watch, tc.work)
				if tc.script != nil {
					tc.script(p, on)
				}
				p.wait(t)
				synctest.Wait()
				p.mu.Lock()
				if !errors.Is(p.result, tc.result) {
					t.Errorf("it ended with %v, want %v", p.result, tc.result)
				}
				if p.times != tc.times {
					t.Errorf("times %+v, want %+v", p.times, tc.times)
				}
				if !slices.Equal(p.phases, tc.phases) {
					t.Errorf("phases %v, want %v", p.phases, tc.phases)
				}
				p.mu.Unlock()
				if h := on.holder(); h != tc.holder {
					t.Errorf("the lease is held by %q, want %q", h, tc.holder)
				}
				time.Sleep(2 * time.Hour) // everything ends
			})
		})
	}
}

// Of two processes one works at a time, and nothing that the first might still
// do reaches Kubernetes once the second works.
func TestTakeover(t *testing.T) {
	t.Parallel()
	stops := func(first *process, _ *lease) { first.stop() }
	for name, tc := range map[string]struct {
		ends   func(first *process, on *lease)
		watch  func(*lease) func(context.Context, func(string))
		result error
		within time.Duration // the second takes over
	}{
		"the first is asked to stop": {
			ends:   stops,
			watch:  func(on *lease) func(context.Context, func(string)) { return on.watch },
			within: 5 * time.Second, // its work's end
		},
		"the first is asked to stop, and the lease cannot be watched": {
			ends:   stops,
			watch:  func(*lease) func(context.Context, func(string)) { return unwatched },
			within: 5*time.Second + 4400*time.Millisecond,
		},
		// The second has seen the last renewal after 4.4 s at the latest.
		"the first loses Kubernetes": {
			ends: func(_ *process, on *lease) {
				on.answers(func(who, _ string) error {
					if who == "first" {
						return errBroken
					}
					return nil
				})
			},
			watch:  func(on *lease) func(context.Context, func(string)) { return on.watch },
			result: errLeaseLost,
			within: leaseDuration + 4400*time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				on := &lease{}
				first := enrol(t, "first", on, on.watch, untilTold(5*time.Second))
				synctest.Wait()
				takeover := make(chan error, 1)
				second := enrol(t, "second", on, tc.watch(on), func(ctx context.Context) error {
					takeover <- pass(first.fence, http.MethodPatch)
					<-ctx.Done()
					return nil
				})
				time.Sleep(21 * time.Second)
				select {
				case err := <-takeover:
					t.Fatalf("two at a time: %v", err)
				default:
				}
				begun := time.Now()
				tc.ends(first, on)
				if err := <-takeover; !errors.Is(err, errFenced) {
					t.Errorf("the first may still write: %v", err)
				}
				if d := time.Since(begun); d > tc.within {
					t.Errorf("it took %v", d)
				}
				if err := pass(second.fence, http.MethodPatch); err != nil {
					t.Errorf("the second may not write: %v", err)
				}
				first.wait(t)
				if !errors.Is(first.result, tc.result) {
					t.Errorf("the first ended with %v, want %v", first.result, tc.result)
				}
				second.stop()
				second.wait(t)
				if second.result != nil || on.holder() != "" {
					t.Errorf("the second ended with %v, the lease is held by %q", second.result, on.holder())
				}
				time.Sleep(time.Minute) // everything ends
			})
		})
	}
}

// A wake-up that comes while the lease is being taken does no harm: in the end
// it is taken, once.
func TestWokenAllTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const wakes = 10 * time.Second
		on := &lease{}
		on.take("other")
		on.answers(func(string, string) error {
			time.Sleep(40 * time.Millisecond)
			return nil
		})
		var works atomic.Int32
		p := enrol(t, "us", on, func(ctx context.Context, held func(string)) {
			for begun := time.Now(); time.Since(begun) < wakes && ctx.Err() == nil; time.Sleep(90 * time.Millisecond) {
				held("")
			}
		}, func(ctx context.Context) error {
			works.Add(1)
			<-ctx.Done()
			return nil
		})
		time.Sleep(time.Second)
		on.take("")
		time.Sleep(wakes + 5*time.Second)
		if n := works.Load(); n != 1 || on.holder() != "us" {
			t.Errorf("it began to work %d times, the lease is held by %q", n, on.holder())
		}
		if err := pass(p.fence, http.MethodPatch); err != nil {
			t.Errorf("it leads and may not write: %v", err)
		}
		p.stop()
		p.wait(t)
		if p.result != nil || on.holder() != "" {
			t.Errorf("it ended with %v, the lease is held by %q", p.result, on.holder())
		}
		time.Sleep(time.Minute) // everything ends
	})
}
