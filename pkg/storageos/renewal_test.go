package storageos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Run renews the token in time, so that no request ever finds it refused.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options  simulator.Options
		every    time.Duration // RefreshInterval
		fault    *simulator.Fault
		logins   int
		renewals [2]int // at least, at most, within 10 minutes
	}{
		"at the interval":           {simulator.Options{}, time.Minute, nil, 1, [2]int{9, 10}},
		"before it expires":         {simulator.Options{TokenExpiry: 20 * time.Second}, time.Hour, nil, 1, [2]int{35, 45}},
		"the other header":          {simulator.Options{TokenExpiry: 20 * time.Second, RefreshExpiryHeader: simulator.HeaderExpiresSeconds}, time.Hour, nil, 1, [2]int{35, 45}},
		"a life of 2 s":             {simulator.Options{TokenExpiry: 2 * time.Second}, time.Hour, nil, 1, [2]int{350, 450}},
		"a renewal fails":           {simulator.Options{}, time.Minute, &simulator.Fault{Match: simulator.Match{Call: simulator.CallRefresh}, Effect: simulator.Status(500, "")}, 2, [2]int{9, 10}},
		"a renewal finds no answer": {simulator.Options{}, time.Minute, &simulator.Fault{Match: simulator.Match{Call: simulator.CallRefresh}, Effect: simulator.Silence()}, 2, [2]int{9, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(tc.options)
				if tc.fault != nil {
					sim.AddFault(*tc.fault)
				}
				c := newClient(t, sim, func(cfg *Config) { cfg.RefreshInterval = tc.every })
				run(t, c)
				if err := c.WaitForLogin(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range 600 {
					time.Sleep(time.Second)
					if _, err := c.Cluster(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				s := sim.Stats()
				if n := s.Requests[simulator.CallLogin]; n != tc.logins {
					t.Errorf("%d logins, want %d", n, tc.logins)
				}
				if n := s.Requests[simulator.CallRefresh]; n < tc.renewals[0] || n > tc.renewals[1] {
					t.Errorf("%d renewals, want %d to %d", n, tc.renewals[0], tc.renewals[1])
				}
				if n := s.Statuses[401]; n != 0 {
					t.Errorf("%d requests found their token refused", n)
				}
			})
		})
	}
}

// A password is rotated in two places, one before the other.
func TestRotation(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][2]string{
		"the file first":     {"file", "StorageOS"},
		"the password first": {"StorageOS", "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				c := newClient(t, sim, nil)
				run(t, c)
				works := func() error {
					_, err := c.Cluster(t.Context())
					return err
				}
				time.Sleep(10 * time.Second)
				for _, step := range steps {
					if step == "file" {
						writeSecret(t, c.cfg.SecretPath, simulator.DefaultUsername, "another one")
					} else {
						sim.SetCredentials(simulator.DefaultUsername, "another one")
						sim.ExpireTokens()
					}
					time.Sleep(10 * time.Second)
					before := sim.Stats().Requests[simulator.CallLogin]
					err := works()
					if err != nil && strings.Contains(err.Error(), "another one") {
						t.Errorf("the error tells the password: %v", err)
					}
					if n := sim.Stats().Requests[simulator.CallLogin] - before; n > 1 {
						t.Errorf("%d logins for one request", n)
					}
				}
				time.Sleep(6 * time.Second)
				if err := works(); err != nil {
					t.Errorf("after both: %v", err)
				}
				// Passwords that do not fit lock accounts.
				if n := sim.Stats().Requests[simulator.CallLogin]; n > 8 {
					t.Errorf("%d logins", n)
				}
			})
		})
	}
}

// A secret that has changed is logged in with at once, and only then: the token
// that was held does not last until its renewal.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		c := newClient(t, sim, func(cfg *Config) { cfg.RefreshInterval = time.Hour })
		run(t, c)
		time.Sleep(10*time.Second + secretPoll/2) // nobody reads half of it
		sim.SetCredentials("another", "secret")
		writeSecret(t, c.cfg.SecretPath, "another", "secret")
		time.Sleep(secretPoll)
		synctest.Wait()
		if n := sim.Stats().Answers[simulator.CallLogin][200]; n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
		time.Sleep(time.Minute)
		if n := sim.Stats().Requests[simulator.CallLogin]; n != 2 {
			t.Errorf("%d logins a minute later, want 2", n)
		}
	})
}

// A secret that does not fit yet, or cannot be read, costs nothing: the token
// that is held goes on being renewed.
func TestRenewalWithoutSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(folder string) error
		logins int // at most, within 20 minutes
	}{
		"changed too early": {func(f string) error { return os.WriteFile(filepath.Join(f, "password"), []byte("not yet"), 0o600) }, 2 + 20*60/5},
		"removed":           {os.RemoveAll, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				c := newClient(t, sim, nil)
				run(t, c)
				time.Sleep(10 * time.Second)
				if err := tc.change(c.cfg.SecretPath); err != nil {
					t.Fatal(err)
				}
				for range 20 * 60 {
					time.Sleep(time.Second)
					if _, err := c.Cluster(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				s := sim.Stats()
				if n := s.Requests[simulator.CallRefresh]; n < 18 || n > 20 || s.Answers[simulator.CallCluster][401] != 0 {
					t.Errorf("%d renewals, %d tokens refused; want 18 to 20, and none", n, s.Answers[simulator.CallCluster][401])
				}
				if n := s.Requests[simulator.CallLogin]; n > tc.logins {
					t.Errorf("%d logins, want %d at most", n, tc.logins)
				}
			})
		})
	}
}

// While StorageOS is away it is asked once per RetryInterval, not more often; a
// token that has expired is not shown again.
func TestOutage(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]simulator.Effect{
		"the store": simulator.Status(503, "no store"),
		"a proxy":   simulator.HTML(502),
		"for good":  simulator.Status(401, "who are you"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				var failures atomic.Int32
				c := newClient(t, sim, func(cfg *Config) { cfg.OnLoginError = func(error) { failures.Add(1) } })
				run(t, c)
				time.Sleep(10 * time.Second)
				sim.ResetStats()
				heal := sim.AddFault(simulator.Fault{Effect: away, Count: simulator.Always})
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				s := sim.Stats()
				if n := s.Requests[simulator.CallLogin]; n < 290 || n > 360 || n != int(failures.Load()) {
					t.Errorf("%d logins and %d failures in 29 minutes, want one every 5 to 6 s", n, failures.Load())
				}
				if n := s.Requests[simulator.CallRefresh]; n < 40 || n > 48 {
					t.Errorf("%d renewals tried, want one every 5 to 6 s in the 4 minutes until the token expired", n)
				}
				heal()
				time.Sleep(c.cfg.RetryInterval + time.Second)
				sim.ResetStats()
				_, err := c.Cluster(t.Context())
				checkError(t, "afterwards", err, "")
				if n := sim.Stats().Total(); n != 1 {
					t.Errorf("%d requests, want 1: Run has logged in", n)
				}
			})
		})
	}
}

// When Run's context ends, nothing of it is left: no goroutine (the bubble would
// not end), no connection, and no login that counts as failed.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call simulator.Call // that is silent when the context ends
		at   time.Duration
	}{
		"before anything": {"", 0},
		"in a login":      {simulator.CallLogin, 10 * time.Second},
		"in a pause":      {"", 10 * time.Second},
		"in a renewal":    {simulator.CallRefresh, 65 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				var failures atomic.Int32
				c, network := newNetwork(t, sim, func(cfg *Config) { cfg.OnLoginError = func(error) { failures.Add(1) } })
				if tc.call != "" {
					sim.AddFault(simulator.Fault{Match: simulator.Match{Call: tc.call}, Effect: simulator.Silence()})
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { c.Run(ctx); close(ended) }()
				time.Sleep(tc.at)
				synctest.Wait()
				if n := network.open.Load(); n != 1 && tc.at > 0 {
					t.Errorf("%d connections, want 1", n)
				}
				begun := time.Now()
				cancel()
				<-ended
				synctest.Wait()
				if took := time.Since(begun); took != 0 || network.open.Load() != 0 || failures.Load() != 0 {
					t.Errorf("it took %v; %d connections are left; %d logins failed", took, network.open.Load(), failures.Load())
				}
			})
		})
	}
}

// Whoever waits for a login is told when it came, or that nobody waits any more.
func TestWaitForLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: simulator.Status(503, ""), Count: 3})
		c := newClient(t, sim, nil)
		run(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := c.WaitForLogin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		begun := time.Now()
		if err := c.WaitForLogin(t.Context()); err != nil || time.Since(begun) > 10*time.Second {
			t.Errorf("after %v: error %v", time.Since(begun), err)
		}
	})
}
