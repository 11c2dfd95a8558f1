package storageos

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// pipes is a network in memory: it works inside a synctest bubble, where the
// clock stands still while anybody is busy.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

// newClient makes a client of a simulator, in memory, and a secret that fits.
// The test ends with both.
func newClient(t *testing.T, sim *simulator.Simulator, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Endpoint:        &url.URL{Scheme: "http", Host: "storageos:5705"},
		SecretPath:      t.TempDir(),
		Timeout:         30 * time.Second,
		RefreshInterval: time.Minute,
		RetryInterval:   5 * time.Second,
	}
	writeSecret(t, cfg.SecretPath, simulator.DefaultUsername, simulator.DefaultPassword)
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	network := make(pipes)
	server := &http.Server{Handler: sim}
	go func() { _ = server.Serve(network) }() // until the end of the test
	c.wire.current = &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		c.wire.close()
		_ = server.Close()
	})
	return c
}

func writeSecret(t *testing.T, folder, username, password string) {
	t.Helper()
	for name, value := range map[string]string{"username": username, "password": password} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run keeps the client's login valid until the test ends.
func run(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}
