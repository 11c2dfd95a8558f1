package storageos

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// pipes is a network in memory: it works inside a synctest bubble, where the
// clock stands still while anybody is busy.
type pipes struct {
	accepted chan net.Conn
	open     atomic.Int32 // connections that the client has not closed
}

func (p *pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.accepted; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipes) Close() error   { close(p.accepted); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.accepted <- theirs
	p.open.Add(1)
	return &pipe{Conn: ours, closed: sync.OnceFunc(func() { p.open.Add(-1) })}, nil
}

type pipe struct {
	net.Conn
	closed func()
}

func (p *pipe) Close() error { p.closed(); return p.Conn.Close() }

// newClient makes a client of a server, such as a simulator, in memory, and a
// secret that fits a simulator. The test ends with both.
func newClient(t *testing.T, server http.Handler, change func(*Config)) *Client {
	t.Helper()
	c, _ := newNetwork(t, server, change)
	return c
}

func newNetwork(t *testing.T, handler http.Handler, change func(*Config)) (*Client, *pipes) {
	t.Helper()
	cfg := Config{
		Endpoint:        &url.URL{Scheme: "http", Host: "storageos:5705"},
		SecretPath:      t.TempDir(),
		Timeout:         30 * time.Second,
		RefreshInterval: time.Minute,
		RetryInterval:   5 * time.Second,
		Proxy:           http.ProxyURL(nil), // whatever the environment says
	}
	writeSecret(t, cfg.SecretPath, simulator.DefaultUsername, simulator.DefaultPassword)
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	network := &pipes{accepted: make(chan net.Conn)}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(network) }() // until the end of the test
	c.wire.current = &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		c.wire.close()
		_ = server.Close()
	})
	return c, network
}

// checkError wants an error that says something, or none for "".
func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: error %v, want %q", what, err, want)
	}
}

// listVolumes lists the volumes of a namespace and counts them.
func listVolumes(t *testing.T, c *Client, namespaceID string) (int, error) {
	t.Helper()
	n := 0
	_, err := c.ListVolumes(t.Context(), namespaceID, Fingerprint{}, func(Entry) error { n++; return nil })
	return n, err
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
	runWith(t.Context(), t, c)
}

func runWith(ctx context.Context, t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}
