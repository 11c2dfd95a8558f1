package storageos

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// tunnel is a proxy: it connects, or answers with a status if there is one, and takes
// down what it is sent.
type tunnel struct {
	*httptest.Server
	status   atomic.Int32
	requests atomic.Int32
	auth     atomic.Value
}

func newTunnel(t *testing.T) *tunnel {
	t.Helper()
	p := &tunnel{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		p.auth.Store(r.Header.Get("Proxy-Authorization"))
		if status := int(p.status.Load()); status != 0 || r.Method != http.MethodConnect {
			w.WriteHeader(max(status, 400))
			return
		}
		there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	}))
	t.Cleanup(p.CloseClientConnections)
	return p
}

// behind is a proxy function that finds this proxy, with a password.
func (p *tunnel) behind(*http.Request) (*url.URL, error) {
	u, err := url.Parse(p.URL)
	u.User = url.UserPassword("admin", "s3cr3t")
	return u, err
}

func proxied(t *testing.T, endpoint string, find func(*http.Request) (*url.URL, error), caFile string) (*Client, error) {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	secret := t.TempDir()
	writeSecret(t, secret, simulator.DefaultUsername, simulator.DefaultPassword)
	return New(Config{
		Endpoint: u, SecretPath: secret, CAFile: caFile, Proxy: find,
		Timeout: 5 * time.Second, RefreshInterval: time.Minute, RetryInterval: time.Nanosecond,
	})
}

// An https endpoint is reached through the proxy, which each error names, without its
// password.
func TestProxy(t *testing.T) {
	t.Parallel()
	certificate, ca := selfSigned(t)
	sim := simulator.New(simulator.Options{})
	address, err := sim.StartTLS("127.0.0.1:0", certificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newTunnel(t)
	c, err := proxied(t, address, p.behind, caFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.wire.close)
	if c.Proxy() != p.URL {
		t.Errorf("its proxy is %q, want %q", c.Proxy(), p.URL)
	}
	if _, err := c.Cluster(t.Context()); err != nil || p.requests.Load() == 0 {
		t.Fatalf("%d requests came to the proxy, error %v", p.requests.Load(), err)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:s3cr3t")); p.auth.Load() != want {
		t.Errorf("the proxy was sent %q", p.auth.Load())
	}
	each := func(what string) {
		t.Helper()
		_, cluster := c.Cluster(t.Context())
		_, nodes := c.Nodes(t.Context())
		_, namespaces := c.Namespaces(t.Context())
		_, volumes := listVolumes(t, c, "ns")
		_, _, volume := c.Volume(t.Context(), "ns", "a")
		for call, err := range map[string]error{"cluster": cluster, "nodes": nodes, "namespaces": namespaces, "volumes": volumes, "volume": volume} {
			checkError(t, what+", "+call, err, "through the proxy "+p.URL+": ")
			if err != nil && (strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "admin") || IsForbidden(err) || IsNotFound(err) && what != "an answer") {
				t.Errorf("%s, %s: %v", what, call, err)
			}
		}
	}
	sim.AddFault(simulator.Fault{Effect: simulator.Status(500, "no"), Count: simulator.Always})
	each("an answer")
	sim.ClearFaults()
	for _, status := range []int32{403, 404, 407, 502} {
		p.status.Store(status)
		sim.CloseConnections()
		c.wire.close()
		each(http.StatusText(int(status)))
	}
	sim.ExpireTokens()
	c.auth = newAuth()
	_, err = c.Cluster(t.Context())
	checkError(t, "login", err, "login through the proxy "+p.URL+": ")
	p.Close()
	each("no proxy")
}

// Nothing is sent over http through a proxy, and no error quotes what could be its
// password.
func TestProxyRefused(t *testing.T) {
	t.Parallel()
	p := newTunnel(t)
	defer p.Close()
	fixed := func(s string) func(*http.Request) (*url.URL, error) {
		return func(*http.Request) (*url.URL, error) { return url.Parse(s) }
	}
	for name, tc := range map[string]struct {
		endpoint string
		find     func(*http.Request) (*url.URL, error)
		err      string
	}{
		"http":                  {"http://storageos:5705", p.behind, "http to StorageOS would go through the proxy " + p.URL + " (HTTP_PROXY)"},
		"http, a proxy of TLS":  {"http://storageos:5705", fixed("https://admin:s3cr3t@proxy"), "through the proxy https://proxy (HTTP_PROXY)"},
		"http, a SOCKS proxy":   {"http://storageos:5705", fixed("socks5://admin:s3cr3t@proxy:1080"), "through the proxy socks5://proxy:1080 (HTTP_PROXY)"},
		"no URL":                {"https://storageos:5705", fixed("http://admin:s3cr3t@proxy:%zz"), "the proxy for https cannot be found out: HTTPS_PROXY"},
		"an error that quotes":  {"http://storageos:5705", func(*http.Request) (*url.URL, error) { return nil, errors.New("s3cr3t") }, "the proxy for http cannot be found out: HTTP_PROXY"},
		"another scheme":        {"https://storageos:5705", fixed("ftp://admin:s3cr3t@proxy"), "the proxy of HTTPS_PROXY has no known scheme"},
		"a slash in a password": {"https://storageos:5705", fixed("http://admin:53/s3cr3t@proxy"), "the proxy of HTTPS_PROXY has no known scheme"},
		"a query":               {"https://storageos:5705", fixed("http://proxy?s3cr3t"), "the proxy of HTTPS_PROXY has no known scheme"},
		"no host":               {"https://storageos:5705", fixed("http://admin:s3cr3t@"), "the proxy of HTTPS_PROXY has no known scheme"},
		"none":                  {"http://storageos:5705", func(*http.Request) (*url.URL, error) { return nil, nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := proxied(t, tc.endpoint, tc.find, "")
			checkError(t, "making a client", err, tc.err)
			switch {
			case tc.err == "" && c.Proxy() != "":
				t.Errorf("a proxy that there is not: %s", c.Proxy())
			case tc.err != "" && (c != nil || !strings.Contains(err.Error(), "NO_PROXY") || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "admin")):
				t.Errorf("a client %v, error %v", c, err)
			}
		})
	}
	if n := p.requests.Load(); n > 0 {
		t.Errorf("%d requests were sent to the proxy", n)
	}
}
