package storageos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
		"a body that stalls":       {simulator.Stall(), ""},
		"only a body, that stalls": {simulator.Chain(simulator.Stall(), simulator.NoAuthorization()), "its body cannot be read: no byte from StorageOS for 30s"},
		"no header, and no JSON":   {simulator.Chain(simulator.NoAuthorization(), simulator.JSON("{")), "its body cannot be read"},
		"a token that is none":     {simulator.JSON(`{"session":{"token":"a\r\nHost: b"}}`), "control characters"},
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
					if err != nil || len(failures) != 0 || !isClosed(c.auth.once) {
						t.Errorf("error %v, failures %v", err, failures)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), tc.err) || len(failures) != 1 || isClosed(c.auth.once) {
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

// Of the body of a login no more is read than any object may have.
func TestLoginBodyIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Authorization", "Bearer x")
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				_, _ = w.Write([]byte(`{"id":"a"}`))
				return
			}
			for piece := make([]byte, 1<<20); sent < 4*maxObject; {
				n, err := w.Write(piece)
				if sent += n; err != nil {
					return
				}
			}
		}), nil)
		_, err := c.Cluster(t.Context())
		checkError(t, "asking", err, "") // the token was in the header
		synctest.Wait()
		if sent > 2*maxObject {
			t.Errorf("%d bytes were taken, want about %d", sent, maxObject)
		}
	})
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

// A login that failed is not tried again before the pause is over, unless the
// secret has changed.
func TestChangedSecretIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before func(folder string) error
		logins int // that failed
	}{
		"the password was wrong": {func(f string) error { return os.WriteFile(filepath.Join(f, "password"), []byte("wrong"), 0o600) }, 1},
		"there was no password":  {func(f string) error { return os.Remove(filepath.Join(f, "password")) }, 0},
		"there was no folder":    {os.RemoveAll, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				failures := 0
				c := newClient(t, sim, func(cfg *Config) { cfg.OnLoginError = func(error) { failures++ } })
				if err := tc.before(c.cfg.SecretPath); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if _, err := c.Cluster(t.Context()); err == nil {
						t.Error("a login succeeded")
					}
				}
				if n := sim.Stats().Requests[simulator.CallLogin]; n != tc.logins || failures != 1 {
					t.Errorf("%d logins and %d failures, want %d and 1", n, failures, tc.logins)
				}
				if err := os.MkdirAll(c.cfg.SecretPath, 0o700); err != nil {
					t.Fatal(err)
				}
				writeSecret(t, c.cfg.SecretPath, simulator.DefaultUsername, simulator.DefaultPassword)
				_, err := c.Cluster(t.Context())
				checkError(t, "with the right secret", err, "")
			})
		})
	}
}

// However many requests find their token refused, one login is made.
func TestOneLogin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect simulator.Effect
		err    string
	}{
		"that succeeds": {simulator.Delay(time.Second), ""},
		"that fails":    {simulator.Chain(simulator.Delay(time.Second), simulator.Status(503, "no store")), "the token was not taken: login: StorageOS answered 503 Service Unavailable: no store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				ns := sim.AddNamespace("one")
				c := newClient(t, sim, nil)
				if _, err := c.Cluster(t.Context()); err != nil {
					t.Fatal(err)
				}
				sim.ExpireTokens()
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: tc.effect})
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						_, err := listVolumes(t, c, ns)
						checkError(t, fmt.Sprint("request ", i), err, tc.err)
					})
				}
				wg.Wait()
				s := sim.Stats()
				if s.Requests[simulator.CallLogin] != 2 || s.MaxConcurrentLogins != 1 {
					t.Errorf("%d logins, %d at a time; want 2 in all, one at a time", s.Requests[simulator.CallLogin], s.MaxConcurrentLogins)
				}
				if n := s.Answers[simulator.CallVolumes][401]; n != 50 {
					t.Errorf("%d requests found their token refused, want 50", n)
				}
			})
		})
	}
}

// A StorageOS that takes no token that it gives is asked for one more, and for
// another only after a pause.
func TestNoTokenIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		c := newClient(t, sim, nil)
		heal := sim.AddFault(simulator.Fault{
			Match: simulator.Match{Call: simulator.CallVolumes}, Count: simulator.Always, Effect: simulator.Status(401, "no"),
		})
		for range 20 {
			if _, err := listVolumes(t, c, ns); err == nil {
				t.Error("a list was answered")
			}
		}
		if n := sim.Stats().Requests[simulator.CallLogin]; n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
		time.Sleep(c.cfg.RetryInterval)
		heal()
		sim.ExpireTokens()
		_, err := listVolumes(t, c, ns)
		checkError(t, "after a pause", err, "")
		sim.ExpireTokens()
		_, err = listVolumes(t, c, ns)
		checkError(t, "after a token that was taken", err, "")
	})
}

// Whoever gives up waiting for a login does not make it fail for others.
func TestLoginGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		failures := 0
		c := newClient(t, sim, func(cfg *Config) { cfg.OnLoginError = func(error) { failures++ } })
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: simulator.Silence()})
		var wg sync.WaitGroup
		for _, patience := range []time.Duration{time.Second, 2 * time.Second} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := c.Cluster(ctx)
				if want := patience == time.Second; errors.Is(err, context.DeadlineExceeded) != want || !want && err != nil {
					t.Errorf("patience of %v: error %v", patience, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if n := sim.Stats().Requests[simulator.CallLogin]; n != 2 || failures != 0 {
			t.Errorf("%d logins, %d failures; want 2 and none", n, failures)
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

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "abc": "abc", "": "", "Bearer": "", "Bearer ": "",
	} {
		if got := bearer(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		body   uint64
		want   time.Duration
	}{
		"header":            {http.Header{"Authorization-Expires-Seconds": {"60"}}, 9, time.Minute},
		"its other name":    {http.Header{"Authorization-Expires-In": {"60"}}, 9, time.Minute},
		"body":              {nil, 90, 90 * time.Second},
		"unreadable header": {http.Header{"Authorization-Expires-Seconds": {"soon"}}, 90, 90 * time.Second},
		"nothing":           {nil, 0, defaultExpiry},
		"for ever":          {nil, 1 << 63, 365 * 24 * time.Hour},
	} {
		if got := expiry(tc.header, tc.body); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
