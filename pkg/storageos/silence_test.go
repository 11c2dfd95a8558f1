package storageos

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// mute sends a head and a part of a body, and then nothing.
func mute(code int, body string) simulator.Effect {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// A request ends once it has been silent for too long, wherever it is; one that
// goes on arriving may take longer.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect simulator.Effect
		took   [2]time.Duration // at least, at most
		err    string
		silent bool
	}{
		"no head":             {simulator.Silence(), [2]time.Duration{30 * time.Second, 30 * time.Second}, "no byte from StorageOS for 30s", true},
		"no body":             {mute(200, ""), [2]time.Duration{30 * time.Second, 30 * time.Second}, "no byte from StorageOS for 30s", true},
		"half a body":         {simulator.Stall(), [2]time.Duration{30 * time.Second, 30 * time.Second}, "no byte from StorageOS for 30s", true},
		"no end of the body":  {mute(200, "[]"), [2]time.Duration{30 * time.Second, 30 * time.Second}, "after the list: no byte from StorageOS for 30s", true},
		"slow, then mute":     {simulator.Chain(simulator.Delay(29*time.Second), mute(200, "[")), [2]time.Duration{59 * time.Second, 59 * time.Second}, "no byte from StorageOS for 30s", true},
		"half an error":       {mute(404, `{"error":"`), [2]time.Duration{30 * time.Second, 30 * time.Second}, "404 Not Found (not an error body of its API)", false},
		"a head just in time": {simulator.Delay(30*time.Second - 1), [2]time.Duration{30*time.Second - 1, 30*time.Second - 1}, "", false},
		"slow, never mute":    {simulator.Trickle(29*time.Second, 100), [2]time.Duration{time.Minute, 5*time.Minute - 1}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				ns := sim.AddNamespace("one")
				if _, err := sim.AddVolume(ns, simulator.VolumeSpec{}); err != nil {
					t.Fatal(err)
				}
				c := newClient(t, sim, nil)
				if _, err := c.Cluster(t.Context()); err != nil {
					t.Fatal(err)
				}
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: tc.effect})
				begun := time.Now()
				_, err := listVolumes(t, c, ns)
				checkError(t, "listing", err, tc.err)
				if took := time.Since(begun); took < tc.took[0] || took > tc.took[1] {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				var timeout interface{ Timeout() bool }
				if got := errors.As(err, &timeout) && timeout.Timeout(); got != tc.silent {
					t.Errorf("a timeout: %v, want %v", got, tc.silent)
				}
				if tc.silent && errors.Is(err, context.Canceled) {
					t.Errorf("the silence looks like the end of the caller: %v", err)
				}
			})
		})
	}
}

// The caller's own end is not called a silence.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]simulator.Effect{"before the head": simulator.Silence(), "in the body": simulator.Stall()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				c := newClient(t, sim, nil)
				if _, err := c.Cluster(t.Context()); err != nil {
					t.Fatal(err)
				}
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallCluster}, Effect: effect})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				if _, err := c.Cluster(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "no byte") {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// While the reader is busy with what it got, the API is not silent.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: simulator.JSON(`[{"id":"a"},{"id":"b"}` + strings.Repeat(" ", 32<<10) + `,{"id":"c"}]`)})
		c := newClient(t, sim, nil)
		n := 0
		_, err := c.ListVolumes(t.Context(), ns, Fingerprint{}, func(Entry) error {
			n++
			time.Sleep(time.Minute)
			return nil
		})
		if n != 3 || err != nil {
			t.Errorf("%d volumes, error %v", n, err)
		}

		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallCluster}, Effect: simulator.JSON(strings.Repeat(" ", 32<<10))})
		resp, err := c.get(t.Context(), "", "cluster")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute) // with a head that came, and nothing read yet
		_, err = io.ReadAll(resp.Body)
		checkError(t, "reading late", errors.Join(err, resp.Body.Close()), "")
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The context of a request ends with the request, or it would stay with its
// parent for as long as the process lives.
func TestContextsEnd(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"an answer": nil, "no answer": io.ErrUnexpectedEOF} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ctx context.Context
			s := &silence{after: time.Hour, next: roundTripper(func(req *http.Request) (*http.Response, error) {
				ctx = req.Context()
				return &http.Response{Body: io.NopCloser(strings.NewReader("x"))}, failure
			})}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://storageos", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.RoundTrip(req)
			if !errors.Is(err, failure) {
				t.Fatal(err)
			}
			if err == nil {
				if ctx.Err() != nil {
					t.Error("it ended before the body was closed")
				}
				_ = resp.Body.Close()
			}
			if ctx.Err() == nil {
				t.Error("it did not end")
			}
		})
	}
}
