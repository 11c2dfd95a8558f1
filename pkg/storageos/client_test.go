package storageos

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What is no whole list is an error; what was shown before it is handed over.
func TestListVolumes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect simulator.Effect
		volume int
		err    string
	}{
		"whole":                {nil, 3, ""},
		"slow, but never mute": {simulator.Trickle(20*time.Second, 150), 3, ""},
		"no entries":           {simulator.JSON("[]"), 0, ""},
		"empty":                {simulator.JSON(""), 0, "the body is empty, not a list"},
		"null":                 {simulator.JSON("null"), 0, "begins with null"},
		"an object":            {simulator.JSON("{}"), 0, "begins with an object"},
		"HTML":                 {simulator.HTML(200), 0, `not JSON but "text/html`},
		"another content type": {simulator.ContentType("text/plain"), 0, `not JSON but "text/plain`},
		"cut":                  {simulator.CutAfter(1000), 1, "unexpected EOF"},
		"cut in chunks":        {simulator.CutChunked(1000), 1, "unexpected EOF"},
		"whole objects, no ]":  {simulator.NoClosingBracket(), 3, "does not end"},
		"an entry without ID":  {simulator.JSON(`[{"id":"a"},{"name":"b"}]`), 1, "entry 1 of the list has no readable ID"},
		"silence":              {simulator.Silence(), 0, "no byte from StorageOS for 30s"},
		"stalled":              {simulator.Stall(), 1, "no byte from StorageOS for 30s"},
		"disconnected":         {simulator.Disconnect(), 0, "EOF"},
		"404 of the API":       {simulator.Status(404, "no such namespace"), 0, "404 Not Found: no such namespace"},
		"429":                  {simulator.Status(429, ""), 0, "429 Too Many Requests"},
		"a proxy's 504":        {simulator.HTML(504), 0, "504 Gateway Timeout (not an error body of its API)"},
		"a redirect":           {simulator.Chain(simulator.Header(map[string]string{"Location": "http://elsewhere/"}), simulator.Status(302, "")), 0, "302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				sim.AddNode("node")
				ns := sim.AddNamespace("one")
				for range 3 {
					if _, err := sim.AddVolume(ns, simulator.VolumeSpec{}); err != nil {
						t.Fatal(err)
					}
				}
				c := newClient(t, sim, nil)
				if tc.effect != nil {
					sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: tc.effect, Count: 2})
				}
				n := 0
				_, err := c.ListVolumes(t.Context(), ns, Fingerprint{}, func(e Entry) error {
					id, err := e.ID()
					if err != nil {
						return err
					}
					if v, err := DecodeVolume(e.Raw); strings.HasPrefix(string(e.Raw), `{"id":"a"`) {
						if v == nil || v.Id != id {
							t.Errorf("%s: %v", e.Raw, err)
						}
					} else if err != nil || v.Id != id {
						t.Errorf("entry %s: %v", id, err)
					}
					n++
					return nil
				})
				if n != tc.volume {
					t.Errorf("%d volumes, want %d", n, tc.volume)
				}
				if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				if err != nil && strings.Contains(err.Error(), "Bearer") {
					t.Errorf("the error tells the token: %v", err)
				}
			})
		})
	}
}

// The other lists, and the cluster.
func TestClusterNodesNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		node, ns := sim.AddNode("worker"), sim.AddNamespace("one")
		c := newClient(t, sim, nil)
		nodes, err := c.Nodes(t.Context())
		if diff := cmp.Diff(map[string]string{node: "worker"}, nodes); diff != "" || err != nil {
			t.Errorf("nodes: %v %s", err, diff)
		}
		all, err := c.Namespaces(t.Context())
		if err != nil || len(all) != 1 || all[0].GetID() != ns || all[0].GetName() != "one" {
			t.Errorf("namespaces: %v %v", all, err)
		}
		if id, err := c.Cluster(t.Context()); err != nil || id != sim.ClusterID() {
			t.Errorf("cluster %q, %v", id, err)
		}
		for name, tc := range map[string]struct {
			call simulator.Call
			body string
			ask  func() error
			err  string
		}{
			"a cluster without ID": {simulator.CallCluster, `{}`, func() error { _, err := c.Cluster(t.Context()); return err }, "no ID"},
			"an empty cluster":     {simulator.CallCluster, ``, func() error { _, err := c.Cluster(t.Context()); return err }, "unexpected end"},
			"one without an ID":    {simulator.CallNamespaces, `[{"id":"a"},{"name":"a"}]`, func() error { _, err := c.Namespaces(t.Context()); return err }, "entry 1"},
			"namespaces null":      {simulator.CallNamespaces, `null`, func() error { _, err := c.Namespaces(t.Context()); return err }, "begins with null"},
			"nodes of no name":     {simulator.CallNodes, `[{"id":"a","name":5}]`, func() error { _, err := c.Nodes(t.Context()); return err }, "entry 0"},
		} {
			sim.AddFault(simulator.Fault{Match: simulator.Match{Call: tc.call}, Effect: simulator.JSON(tc.body)})
			if err := tc.ask(); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want %q", name, err, tc.err)
			}
		}
	})
}

// A namespace that is listed more than once is one namespace.
func TestNamespaceListedTwice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want []Namespace
	}{
		"twice":                {`[{"id":"a","name":"one"},{"id":"b","name":"two"},{"id":"a","name":"one"}]`, []Namespace{{Id: "a", Name: "one"}, {Id: "b", Name: "two"}}},
		"three times in a row": {`[{"id":"a","name":"one"},{"id":"a","name":"one"},{"id":"a","name":"one"}]`, []Namespace{{Id: "a", Name: "one"}}},
		"under two names":      {`[{"id":"a","name":"one"},{"id":"a","name":"two"}]`, []Namespace{{Id: "a", Name: "one"}}},
		"two of one name":      {`[{"id":"a","name":"one"},{"id":"b","name":"one"}]`, []Namespace{{Id: "a", Name: "one"}, {Id: "b", Name: "one"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				c := newClient(t, sim, nil)
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallNamespaces}, Effect: simulator.JSON(tc.body)})
				got, err := c.Namespaces(t.Context())
				if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
					t.Errorf("%v, namespaces (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

// A redirect is an answer like another: whoever it leads to gets no request, let
// alone the token or the password.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, call := range []simulator.Call{simulator.CallLogin, simulator.CallRefresh, simulator.CallCluster, simulator.CallVolumes, simulator.CallVolume} {
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("%s %d", call, code), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					sim := simulator.New(simulator.Options{})
					ns := sim.AddNamespace("one")
					c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Host != "storageos:5705" {
							t.Errorf("%s %s went to %s", r.Method, r.URL, r.Host)
						}
						sim.ServeHTTP(w, r)
					}), nil)
					redirect := simulator.Handler(http.RedirectHandler("http://elsewhere/v2/cluster", code))
					sim.AddFault(simulator.Fault{Match: simulator.Match{Call: call}, Effect: redirect, Count: simulator.Always})
					_, cluster := c.Cluster(t.Context())
					renewal := c.renew(t.Context())
					_, list := listVolumes(t, c, ns)
					_, _, volume := c.Volume(t.Context(), ns, "a")
					err := map[simulator.Call]error{
						simulator.CallLogin: cluster, simulator.CallCluster: cluster, simulator.CallRefresh: renewal,
						simulator.CallVolumes: list, simulator.CallVolume: volume,
					}[call]
					checkError(t, string(call), err, fmt.Sprintf("StorageOS answered %d", code))
				})
			})
		}
	}
}

// Connections are kept from poll to poll, as many as lists are asked for at a time.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const parallel, polls = 4, 5
	var opened atomic.Int32
	sim := simulator.New(simulator.Options{})
	sim.Fill(simulator.FillOptions{Volumes: 3})
	server := httptest.NewUnstartedServer(sim)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	secret := t.TempDir()
	writeSecret(t, secret, simulator.DefaultUsername, simulator.DefaultPassword)
	c, err := New(Config{Endpoint: endpoint, SecretPath: secret, Timeout: time.Minute, RefreshInterval: time.Minute, RetryInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.wire.close)
	namespaces, err := c.Namespaces(t.Context())
	if err != nil || len(namespaces) == 0 {
		t.Fatalf("%d namespaces, error %v", len(namespaces), err)
	}
	for range polls {
		var asked sync.WaitGroup
		for range parallel {
			asked.Go(func() {
				if _, err := listVolumes(t, c, namespaces[0].Id); err != nil {
					t.Error(err)
				}
			})
		}
		asked.Wait()
	}
	if n := opened.Load(); n > parallel+1 {
		t.Errorf("%d connections for %d requests, %d at a time", n, parallel*polls, parallel)
	}
}
