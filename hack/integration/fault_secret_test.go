package integration

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The password is changed here and there, in any order: as soon as both agree,
// every record is right.
func TestFaultPassword(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 10, CSI: -1})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })

	file := filepath.Join(e.secret, "password")
	inFile := func(password string) func() {
		return func() { e.must(os.WriteFile(file, []byte(password), 0o600)) }
	}
	inStorageOS := func(password string) func() {
		return func() {
			e.sim.SetCredentials("storageos", password)
			e.sim.ExpireTokens()
		}
	}
	const second, third = password + "-2", password + "-3" // the log is searched for what they begin with
	size := uint64(5 << 30)
	for _, tc := range []struct {
		name       string
		begin, end func()
		waits      bool // nothing can be known before the end
	}{
		{"the password is changed in StorageOS before the file", inStorageOS(second), inFile(second), true},
		{"the password is changed in the file before StorageOS", inFile(third), inStorageOS(third), false},
		{"the file of the password is missing for a while", func() {
			e.must(os.Remove(file))
			e.sim.ExpireTokens()
		}, inFile(third), true},
		{"the file of the password is empty for a while", func() {
			inFile("")()
			e.sim.ExpireTokens()
		}, inFile(third), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size += 1 << 30
			c.polls(2) // the first may have begun, and log in, before the case before ended
			errs := c.metric("storageos_sync_volume_errors_total")
			tc.begin()
			if tc.waits {
				eventually(t, "listings fail", 10*time.Second, func() error {
					if c.metric("storageos_sync_volume_errors_total") == errs {
						return errors.New("not yet")
					}
					return nil
				})
			}
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			logins := e.sim.Stats().Requests[simulator.CallLogin]
			time.Sleep(3 * time.Second) // the fault's own length
			if tc.waits && e.right(filled, size) == nil {
				t.Error("it knows of changes without a login")
			}
			// The retry interval is 500 ms: an account is not locked by attempts.
			if n := e.sim.Stats().Requests[simulator.CallLogin] - logins; n > 8 {
				t.Errorf("%d logins in 3 s", n)
			}
			tc.end()
			begun := time.Now()
			eventually(t, "every record is right", 15*time.Second, func() error { return e.right(filled, size) })
			healed(t, "StorageOS: "+tc.name, "records stay; one login is tried in each retry interval", begun)
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// The certificate of StorageOS is another, and later the file of its CA is too.
func TestFaultCertificate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 10, CSI: -1})
	first, firstCA, err := simulator.SelfSigned()
	e.must(err)
	second, secondCA, err := simulator.SelfSigned()
	e.must(err)
	endpoint, err := e.sim.StartTLS("127.0.0.1:0", first)
	e.must(err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	e.must(os.WriteFile(file, firstCA, 0o600))
	c := e.controller("-orphan-grace-period", "0", "-api-endpoint", endpoint, "-api-ca-file", file)
	e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })

	e.sim.SetCertificate(second)
	e.sim.CloseConnections()
	const size = 77 << 30
	for _, f := range filled {
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
	}
	e.eventually("listings fail", 10*time.Second, func() error {
		if c.metric("storageos_sync_volume_errors_total") == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if e.right(filled, size) == nil {
		t.Error("it believes an unknown certificate")
	}
	e.must(os.WriteFile(file, secondCA, 0o600))
	begun := time.Now()
	e.eventually("every record is right", 15*time.Second, func() error { return e.right(filled, size) })
	healed(t, "StorageOS: another certificate, then its CA in the file", "records stay; nothing is sent to an unknown server", begun)
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}
