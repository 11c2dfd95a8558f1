package storageos

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// drip sends a head and the begin of a body, and then a little more again and again.
func drip(begin, again string, pause time.Duration) simulator.Effect {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		for text := begin; r.Context().Err() == nil; text = again {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
			}
		}
	}
}

// No call takes longer than ten timeouts, however its answer arrives: it is cut then, and
// says so.
func TestLate(t *testing.T) {
	t.Parallel()
	const late = 5 * time.Minute // ten times 30 s
	list := func(c *Client, ctx context.Context, ns string) error {
		_, err := c.ListVolumes(ctx, ns, Fingerprint{}, func(Entry) error { return nil })
		return err
	}
	cluster := func(c *Client, ctx context.Context, _ string) error { _, err := c.Cluster(ctx); return err }
	slow := simulator.Delay(29 * time.Second)
	for name, tc := range map[string]struct {
		call   simulator.Call
		effect simulator.Effect
		do     func(*Client, context.Context, string) error
		err    string
	}{
		"a list, a little at a time":  {simulator.CallVolumes, simulator.Trickle(29*time.Second, 20), list, "volumes: "},
		"white space before the list": {simulator.CallVolumes, drip(" ", " ", 29*time.Second), list, "volumes: "},
		"white space in it":           {simulator.CallVolumes, drip("[", " ", 29*time.Second), list, "volumes: "},
		"white space behind it":       {simulator.CallVolumes, drip("[]", "\n", time.Second), list, "volumes: "},
		"entries without an end":      {simulator.CallVolumes, drip("[{}", `,{"id":"a"}`, time.Second), list, "volumes: "},
		"one entry without an end":    {simulator.CallVolumes, drip(`[{"id":"`, strings.Repeat("x", 1<<16), time.Second), list, "volumes: "},
		"a slow head, a slow body":    {simulator.CallVolumes, simulator.Chain(slow, drip("[", " ", 28*time.Second)), list, "volumes: "},
		"an error, bit by bit": {simulator.CallVolumes, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			drip(`{"error":"`, "x", 29*time.Second)(w, r, next)
		}, list, "500 Internal Server Error"},
		"the namespaces": {simulator.CallNamespaces, drip("[", " ", 29*time.Second), func(c *Client, ctx context.Context, _ string) error {
			_, err := c.Namespaces(ctx)
			return err
		}, "GET /namespaces: "},
		"the nodes": {simulator.CallNodes, drip("[", " ", 29*time.Second), func(c *Client, ctx context.Context, _ string) error {
			_, err := c.Nodes(ctx)
			return err
		}, "GET /nodes: "},
		"the cluster": {simulator.CallCluster, drip("{", " ", 29*time.Second), cluster, "GET /cluster: "},
		"one volume": {simulator.CallVolume, drip("{", " ", 29*time.Second), func(c *Client, ctx context.Context, ns string) error {
			_, _, err := c.Volume(ctx, ns, "a")
			return err
		}, "GET /namespaces/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				ns := sim.AddNamespace("one")
				for range 5 {
					if _, err := sim.AddVolume(ns, simulator.VolumeSpec{}); err != nil {
						t.Fatal(err)
					}
				}
				c := newClient(t, sim, nil)
				if _, err := c.Cluster(t.Context()); err != nil {
					t.Fatal(err)
				}
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: tc.call}, Effect: tc.effect})
				begun := time.Now()
				err := tc.do(c, t.Context(), ns)
				checkError(t, "asking", err, tc.err)
				if took := time.Since(begun); took != late {
					t.Errorf("it took %v, want %v", took, late)
				}
				if IsNotFound(err) || IsForbidden(err) || errors.Is(err, context.Canceled) {
					t.Errorf("it counts as an answer, or as the end of the caller: %v", err)
				}
				if !strings.Contains(tc.err, "500") {
					checkError(t, "asking", err, "cut: it has taken more than 5m0s, 10 times the timeout")
				}
				checkError(t, "asking again", tc.do(c, t.Context(), ns), map[bool]string{true: "404"}[tc.call == simulator.CallVolume])
			})
		})
	}
}

// What a call takes is counted from its begin: a token that is not taken, the login
// instead and the second try count too.
func TestLateCountsFromTheBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		c := newClient(t, sim, nil)
		if _, err := c.Cluster(t.Context()); err != nil {
			t.Fatal(err)
		}
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: simulator.Chain(simulator.Delay(29*time.Second), simulator.Status(401, "no")), Count: 1})
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: simulator.Delay(29 * time.Second), Count: 1})
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: drip("[", " ", 29*time.Second), Count: 1})
		begun := time.Now()
		_, err := listVolumes(t, c, ns)
		checkError(t, "listing", err, "cut: it has taken more than 5m0s")
		if took := time.Since(begun); took != 5*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// A login that goes on arriving is cut too, whoever made it, and is a login that failed.
func TestLateLogin(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]bool{"of its own": false, "for a call": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: drip("{", " ", 29*time.Second), Count: 1})
				failed := make(chan error, 1)
				c := newClient(t, sim, func(cfg *Config) { cfg.OnLoginError = func(err error) { failed <- err } })
				begun := time.Now()
				if ask {
					_, err := c.Cluster(t.Context())
					checkError(t, "asking", err, "not logged in: login: ")
				} else {
					run(t, c)
				}
				checkError(t, "login", <-failed, "cut: it has taken more than 5m0s")
				if took := time.Since(begun); took != 5*time.Minute {
					t.Errorf("it took %v", took)
				}
				if !ask {
					checkError(t, "the next login", c.WaitForLogin(t.Context()), "")
				}
			})
		})
	}
}

// It counts as late too where it is us who do not read.
func TestLateReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := `{"id":"` + strings.Repeat("x", 1<<20) + `"}`
		body := "[" + strings.Repeat(one+",", 20) + "{}]"
		c := bodies(t, &body)
		n := 0
		_, err := c.ListVolumes(t.Context(), "ns", Fingerprint{}, func(Entry) error {
			n++
			time.Sleep(time.Minute)
			return nil
		})
		checkError(t, "listing", err, "cut: it has taken more than 5m0s")
		if n < 5 || n > 15 { // the first 8 MiB were read at once
			t.Errorf("%d entries were handed over", n)
		}

		body = "[]"
		resp, err := c.get(t.Context(), "", "cluster")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + 1)
		_, err = io.ReadAll(resp.Body)
		checkError(t, "reading late", errors.Join(err, resp.Body.Close()), "cut: it has taken more than 5m0s")
	})
}

// The limit of a call ends with it, and no timeout is too long to be multiplied.
func TestLimitEnds(t *testing.T) {
	t.Parallel()
	body := "[]"
	c := bodies(t, &body)
	c.cfg.Timeout = math.MaxInt64
	ctx, cancel := c.limit(t.Context())
	defer cancel()
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) < 24*time.Hour || ctx.Err() != nil {
		t.Errorf("deadline %v, %v, %v", deadline, ok, ctx.Err())
	}
}
