package storageos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What a login may answer, and what is made of it.
func TestLogin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect simulator.Effect
		err    string // "": the next call succeeds
	}{
		"as it should be":          {nil, ""},
		"a body that is too large": {simulator.Body(func([]byte) []byte { return []byte(strings.Repeat(" ", 2*maxObject)) }), ""},
		"without the scheme":       {simulator.BareAuthorization(), ""},
		"no header: the body's":    {simulator.NoAuthorization(), ""},
		"no token anywhere":        {simulator.Chain(simulator.NoAuthorization(), simulator.Body(func([]byte) []byte { return []byte(`{}`) })), "no token"},
		"refused":                  {simulator.Status(401, "wrong"), "401 Unauthorized: wrong"},
		"broken":                   {simulator.Status(503, "no store"), "503 Service Unavailable: no store"},
		"a proxy":                  {simulator.HTML(502), "502 Bad Gateway (not an error body of its API)"},
		"HTML with 200":            {simulator.HTML(200), "no token"},
		"an empty body":            {simulator.Chain(simulator.NoAuthorization(), simulator.JSON("")), "no token"},
		"cut off":                  {simulator.Disconnect(), "EOF"},
		"silence":                  {simulator.Silence(), "no byte from StorageOS for 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				if tc.effect != nil {
					sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: tc.effect})
				}
				var failures []error
				c := newClient(t, sim, func(cfg *Config) { cfg.OnLoginError = func(err error) { failures = append(failures, err) } })
				_, err := c.Cluster(t.Context())
				if tc.err == "" {
					if err != nil || len(failures) != 0 || !c.LoggedIn() {
						t.Errorf("error %v, failures %v", err, failures)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), tc.err) || len(failures) != 1 || c.LoggedIn() {
					t.Errorf("error %v, want %q; %d failures", err, tc.err, len(failures))
				}
				// It is not asked again before the pause is over.
				if _, err := c.Cluster(t.Context()); err == nil {
					t.Error("the second try succeeded")
				}
				if n := sim.Stats().Requests[simulator.CallLogin]; n != 1 && name != "cut off" {
					t.Errorf("%d logins before the pause was over", n)
				}
				time.Sleep(c.cfg.RetryInterval)
				if _, err := c.Cluster(t.Context()); err != nil {
					t.Errorf("after the pause: %v", err)
				}
			})
		})
	}
}

// A secret that cannot be read is an error that names the file and no value.
func TestSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(folder string) error
		err    string
	}{
		"white space around": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "password"), []byte(" storageos\r\n"), 0o600)
		}, ""},
		"no file":   {func(f string) error { return os.Remove(filepath.Join(f, "password")) }, "password: no such file"},
		"empty":     {func(f string) error { return os.WriteFile(filepath.Join(f, "username"), []byte("\n"), 0o600) }, "username is empty"},
		"too large": {func(f string) error { return os.WriteFile(filepath.Join(f, "password"), make([]byte, 65537), 0o600) }, "more than 65536 bytes"},
		"a folder": {func(f string) error {
			return errors.Join(os.Remove(filepath.Join(f, "password")), os.Mkdir(filepath.Join(f, "password"), 0o700))
		}, "is a directory"},
		"wrong": {func(f string) error { return os.WriteFile(filepath.Join(f, "password"), []byte("s3cr3t"), 0o600) }, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, simulator.New(simulator.Options{}), nil)
				if err := tc.change(c.cfg.SecretPath); err != nil {
					t.Fatal(err)
				}
				_, err := c.Cluster(t.Context())
				switch {
				case tc.err == "" && err != nil, tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
					t.Errorf("error %v, want %q", err, tc.err)
				case err != nil && strings.Contains(err.Error(), "s3cr3t"):
					t.Errorf("the error tells the password: %v", err)
				}
			})
		})
	}
}

// However many requests find their token refused, one login is made.
func TestOneLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		c := newClient(t, sim, nil)
		if _, err := c.Cluster(t.Context()); err != nil {
			t.Fatal(err)
		}
		sim.ExpireTokens()
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: simulator.Delay(time.Second)})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if err := c.ListVolumes(t.Context(), ns, func(Entry) error { return nil }); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if s := sim.Stats(); s.Requests[simulator.CallLogin] != 2 || s.MaxConcurrentLogins != 1 {
			t.Errorf("%d logins, %d at a time; want 2 in all, one at a time", s.Requests[simulator.CallLogin], s.MaxConcurrentLogins)
		}
	})
}

// A token that is never taken is no reason to log in again and again.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		c := newClient(t, sim, nil)
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallCluster}, Effect: simulator.Status(401, "no"), Count: simulator.Always})
		if _, err := c.Cluster(t.Context()); !IsUnauthorized(err) {
			t.Errorf("error %v", err)
		}
		if s := sim.Stats(); s.Requests[simulator.CallLogin] != 2 || s.Requests[simulator.CallCluster] != 2 {
			t.Errorf("%d logins and %d questions; want 2 of each", s.Requests[simulator.CallLogin], s.Requests[simulator.CallCluster])
		}
	})
}

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

func TestEndpointErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"http://me:s3cr3t@host", "me:s3cr3t@host:%zz", "http://me:s3cr3t@ho st"} {
		if _, err := ParseEndpoint(endpoint); err == nil || strings.Contains(fmt.Sprint(err), "s3cr3t") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
