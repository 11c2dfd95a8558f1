package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const leaseDuration = 15 * time.Second

var errBroken = errors.New("broken")

// newFence is a fence and the lock that moves it, on a lease of its own.
func newFence() (*fence, *fencedLock, *lease) {
	f, l := &fence{leaseDuration: leaseDuration}, &lease{}
	return f, &fencedLock{Interface: &candidate{lease: l, name: "us"}, second: &candidate{lease: l, name: "us"}, fence: f}, l
}

// pass tells whether a request passes the fence.
func pass(f *fence, method string) error {
	sent := roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{}, nil })
	req, err := http.NewRequest(method, "http://kubernetes", http.NoBody)
	if err != nil {
		return err
	}
	_, err = f.transport(sent).RoundTrip(req)
	return err
}

var (
	ours   = resourcelock.LeaderElectionRecord{HolderIdentity: "us"}
	nobody = resourcelock.LeaderElectionRecord{}
)

// Writes pass until a second before the lease may be somebody else's, counted
// from the begin of the last renewal that succeeded.
func TestFenceOverTime(t *testing.T) {
	t.Parallel()
	const last = leaseDuration - fenceMargin
	for name, tc := range map[string]struct {
		history func(context.Context, *fencedLock, *lease)
		lasts   time.Duration // from the end of the history, writes pass
	}{
		"no lease yet": {func(context.Context, *fencedLock, *lease) {}, 0},
		"the lease was created": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
		}, last},
		"it could not be created": {func(ctx context.Context, l *fencedLock, on *lease) {
			on.take("other")
			_ = l.Create(ctx, ours)
		}, 0},
		"looking at it is no renewal": {func(ctx context.Context, l *fencedLock, on *lease) {
			on.take("us")
			_, _, _ = l.Get(ctx)
		}, 0},
		"the lease was renewed": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			time.Sleep(10 * time.Second)
			_ = l.Update(ctx, ours)
		}, last},
		"the creation took its time": {func(ctx context.Context, l *fencedLock, on *lease) {
			on.answers(slowly(5 * time.Second))
			_ = l.Create(ctx, ours)
		}, last - 5*time.Second},
		"the renewal took its time": {func(ctx context.Context, l *fencedLock, on *lease) {
			_ = l.Create(ctx, ours)
			on.answers(slowly(5 * time.Second))
			_ = l.Update(ctx, ours)
		}, last - 5*time.Second},
		"the renewal failed": {func(ctx context.Context, l *fencedLock, on *lease) {
			_ = l.Create(ctx, ours)
			time.Sleep(10 * time.Second)
			on.answers(func(string, string) error { return errBroken })
			_ = l.Update(ctx, ours)
		}, last - 10*time.Second},
		"it closed, then the lease was renewed": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			time.Sleep(time.Minute)
			_ = l.Update(ctx, ours)
		}, last},
		"an old renewal is told of after a new one": {func(ctx context.Context, l *fencedLock, _ *lease) {
			begun := time.Now()
			time.Sleep(10 * time.Second)
			_ = l.Create(ctx, ours)
			l.fence.renew(begun)
		}, last},
		"the lease was given back": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			_ = l.Update(ctx, nobody)
		}, 0},
		"it could not be given back": {func(ctx context.Context, l *fencedLock, on *lease) {
			_ = l.Create(ctx, ours)
			on.answers(func(string, string) error { return errBroken })
			_ = l.Update(ctx, nobody)
		}, 0},
		"it was given back, then a renewal was told of": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			time.Sleep(time.Second)
			begun := time.Now()
			time.Sleep(time.Second)
			_ = l.Update(ctx, nobody)
			l.fence.renew(begun)
		}, 0},
		"it was given back, then taken again": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			time.Sleep(time.Second)
			_ = l.Update(ctx, nobody)
			time.Sleep(time.Minute)
			_ = l.Update(ctx, ours)
		}, last},
		"the machine slept, which only the wall clock shows": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			l.fence.wall = l.fence.wall.Add(-10 * time.Second)
		}, last - 10*time.Second},
		"the wall clock was set back": {func(ctx context.Context, l *fencedLock, _ *lease) {
			_ = l.Create(ctx, ours)
			l.fence.wall = l.fence.wall.Add(time.Hour)
		}, last},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, lock, on := newFence()
				tc.history(t.Context(), lock, on)
				if tc.lasts > 0 {
					time.Sleep(tc.lasts - time.Nanosecond)
					if err := pass(f, http.MethodPatch); err != nil {
						t.Errorf("closed before %v: %v", tc.lasts, err)
					}
					time.Sleep(time.Nanosecond)
				}
				if err := pass(f, http.MethodPatch); !errors.Is(err, errFenced) {
					t.Errorf("open after %v: %v", tc.lasts, err)
				}
			})
		})
	}
}

func slowly(d time.Duration) func(string, string) error {
	return func(string, string) error {
		time.Sleep(d)
		return nil
	}
}

// Reads always pass; whatever may write does not.
func TestFenceByMethod(t *testing.T) {
	t.Parallel()
	for method, reads := range map[string]bool{
		http.MethodGet: true, http.MethodHead: true,
		http.MethodPost: false, http.MethodPut: false, http.MethodPatch: false, http.MethodDelete: false,
		http.MethodOptions: false,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			f := &fence{leaseDuration: leaseDuration}
			if err := pass(f, method); reads != (err == nil) {
				t.Errorf("closed: %v", err)
			}
			f.renew(time.Now())
			if err := pass(f, method); err != nil {
				t.Errorf("open: %v", err)
			}
		})
	}
}

// As every transport must, it closes the body of what it refuses.
func TestFenceClosesBody(t *testing.T) {
	t.Parallel()
	body := &closable{Reader: strings.NewReader("{}")}
	req, err := http.NewRequest(http.MethodPost, "http://kubernetes", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&fence{}).transport(nil).RoundTrip(req); !errors.Is(err, errFenced) || !body.closed {
		t.Errorf("%v; closed: %v", err, body.closed)
	}
}

type closable struct {
	*strings.Reader
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

// The lease is not given away before the writes that are on their way have
// been answered; if they never are, it is left to run out.
func TestFenceWaitsForWrites(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		patience time.Duration
		given    bool
		took     time.Duration
	}{
		"they are answered":     {10 * time.Second, true, 3 * time.Second},
		"they are not, in time": {2 * time.Second, false, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, lock, on := newFence()
				if err := lock.Create(t.Context(), ours); err != nil {
					t.Fatal(err)
				}
				slow := f.transport(roundTripper(func(*http.Request) (*http.Response, error) {
					time.Sleep(3 * time.Second)
					return &http.Response{}, nil
				}))
				go func() { _, _ = slow.RoundTrip(&http.Request{Method: http.MethodPost}) }()
				synctest.Wait()

				on.answers(func(string, string) error {
					if err := pass(f, http.MethodPost); !errors.Is(err, errFenced) {
						t.Errorf("open while the lease is given away: %v", err)
					}
					return nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), tc.patience)
				defer cancel()
				begun := time.Now()
				err := lock.Update(ctx, nobody)
				if (err == nil) != tc.given || (on.holder() == "") != tc.given {
					t.Errorf("given back: %v, held by %q; want %v", err, on.holder(), tc.given)
				}
				if took := time.Since(begun); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				time.Sleep(time.Minute) // everything ends
			})
		})
	}
}

// The lease may be ours again, and a write begin, at the moment at which the last one ends that
// the giving back has waited for.
func TestFenceReopened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fence{leaseDuration: leaseDuration}
		f.renew(time.Now())
		for range 1000 {
			if err := f.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() { closed <- f.close(t.Context()) }()
			synctest.Wait()
			time.Sleep(time.Nanosecond)
			f.renew(time.Now())
			f.end()
			if err := f.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-closed; err != nil {
				t.Fatal(err)
			}
			f.end()
		}
	})
}

// The lock remembers when it was looked at: a look that fails is one, a look
// that was called off is none.
func TestLockRemembersLooks(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tc := range map[string]struct {
		ctx    context.Context
		fails  error
		looked bool
	}{
		"it succeeds":       {context.Background(), nil, true},
		"it fails":          {context.Background(), errBroken, true},
		"it was called off": {ended, context.Canceled, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, lock, on := newFence()
				on.take("other")
				on.answers(func(string, string) error { return tc.fails })
				_, _, _ = lock.Get(tc.ctx)
				want := int64(0)
				if tc.looked {
					want = time.Now().UnixNano()
				}
				if got := lock.looked.Load(); got != want {
					t.Errorf("looked at %d, want %d", got, want)
				}
			})
		})
	}
}

// A write that has waited for a connection while the fence closed is not sent.
func TestFenceAtTheFirstByte(t *testing.T) {
	t.Parallel()
	const connects = 20 * time.Second // its first packets were lost
	for name, tc := range map[string]struct {
		meanwhile func(*fence)
		sent      bool
	}{
		"the lease is renewed": {func(f *fence) {
			time.Sleep(connects / 2)
			f.renew(time.Now())
		}, true},
		"giving it back waits": {func(f *fence) {
			time.Sleep(connects / 2)
			f.renew(time.Now())
			_ = f.close(context.Background())
		}, true},
		"the lease is not renewed": {func(*fence) {}, false},
		"the lease is lost": {func(f *fence) {
			time.Sleep(connects / 2)
			f.renew(time.Now())
			f.lose()
		}, false},
	} {
		for protocol, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var came int // whole
					protocols := &http.Protocols{}
					protocols.SetHTTP1(!http2)
					protocols.SetUnencryptedHTTP2(http2)
					server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						if body, err := io.ReadAll(r.Body); err == nil && string(body) == "{}" && (r.ProtoMajor == 2) == http2 {
							came++
						}
					})}
					network := make(pipes)
					go func() { _ = server.Serve(network) }()
					transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
						time.Sleep(connects)
						ours, theirs := net.Pipe()
						network <- theirs
						return ours, nil
					}}
					f := &fence{leaseDuration: leaseDuration}
					f.renew(time.Now())
					go tc.meanwhile(f)
					req, err := http.NewRequest(http.MethodPatch, "http://kubernetes", strings.NewReader("{}"))
					if err != nil {
						t.Fatal(err)
					}
					resp, err := f.transport(transport).RoundTrip(req)
					if err == nil {
						_ = resp.Body.Close()
					}
					if (came == 1) != tc.sent || (err == nil) != tc.sent || !tc.sent && !errors.Is(err, errFenced) {
						t.Errorf("%d came, error %v", came, err)
					}
					transport.CloseIdleConnections()
					_ = server.Close()
					synctest.Wait()
					time.Sleep(time.Minute) // everything ends
				})
			})
		}
	}
}

// pipes is a network in memory: connections that a server accepts.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }
