package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What is not there yet at the start is waited for: not ready, a clear line,
// tried again; and a signal ends the wait.
func TestWait(t *testing.T) {
	t.Parallel()
	e := newBareEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 2, CSI: -1})
	file := filepath.Join(e.secret, "password")
	e.must(os.Remove(file))
	c := e.controller("-logging-format", "json")
	said := func(text string) func() error {
		return func() error {
			if !strings.Contains(c.log.String(), text) {
				return fmt.Errorf("%q was not logged", text)
			}
			return nil
		}
	}
	e.eventually("the login is waited for", 10*time.Second, said("Login to StorageOS failed, will be tried again"))
	e.eventually("the CRD is waited for", 10*time.Second, said("Waiting for the CRD"))
	if ready, live := c.get("/readyz"), c.get("/livez"); ready != 503 || live != 200 {
		t.Errorf("readyz %d, livez %d; want 503, 200", ready, live)
	}
	e.must(os.WriteFile(file, []byte(password), 0o600))
	e.eventually("the login succeeds", 10*time.Second, said("Logged in to StorageOS"))
	if n := strings.Count(c.log.String(), "Login to StorageOS failed"); n != 1 {
		t.Errorf("the failed login was logged %d times", n)
	}
	if ready := c.get("/readyz"); ready != 503 {
		t.Errorf("readyz %d without the CRD; want 503", ready)
	}
	e.applyCRD(currentCRD)
	e.eventually("it is ready", 10*time.Second, func() error {
		if code := c.get("/readyz"); code != 200 {
			return fmt.Errorf("readyz %d", code)
		}
		return nil
	})
	e.eventually("it works", 10*time.Second, func() error { return e.names(filled[0].Name, filled[1].Name) })
	c.stop()
	for line := range strings.Lines(c.log.String()) {
		var record struct{ Msg, Time string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "" || record.Time == "" {
			t.Fatalf("not a line of JSON with a message and a time: %v: %s", err, line)
		}
	}

	e.must(os.Remove(file))
	waiting := e.controller()
	e.eventually("it waits", 10*time.Second, func() error {
		if waiting.get("/livez") != 200 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	waiting.stop()
}
