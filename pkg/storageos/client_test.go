package storageos

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
		"slow, but never mute": {simulator.Trickle(20*time.Second, 100), 3, ""},
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
				err := c.ListVolumes(t.Context(), ns, func(e Entry) error {
					if v, err := DecodeVolume(e.Raw); strings.HasPrefix(string(e.Raw), `{"id":"a"`) {
						if v == nil || v.Id != e.ID {
							t.Errorf("%s: %v", e.Raw, err)
						}
					} else if err != nil || v.Id != e.ID {
						t.Errorf("entry %s: %v", e.ID, err)
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

// Only the API's own 404 says that something does not exist.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code        int
		contentType string
		body        string
		notFound    bool
		forbidden   bool
		text        string
	}{
		"the API's 404":       {404, "application/json", `{"error":"no such volume"}`, true, false, "404 Not Found: no such volume"},
		"with a charset":      {404, "application/json; charset=utf-8", `{"error":"x"}`, true, false, "404 Not Found: x"},
		"without a text":      {404, "application/json", `{"error":""}`, true, false, "404 Not Found"},
		"of a proxy":          {404, "text/html", `<html>`, false, false, "not an error body"},
		"JSON in HTML":        {404, "text/html", `{"error":"x"}`, false, false, "not an error body"},
		"an empty body":       {404, "application/json", ``, false, false, "not an error body"},
		"null":                {404, "application/json", `null`, false, false, "not an error body"},
		"another JSON":        {404, "application/json", `{"message":"no route"}`, false, false, "not an error body"},
		"an error of no text": {404, "application/json", `{"error":{"code":5}}`, false, false, "not an error body"},
		"403":                 {403, "application/json", `{"error":"no"}`, false, true, "403 Forbidden: no"},
		"control characters":  {500, "application/json", `{"error":"a\n\u001b[31mb"}`, false, false, "a  [31mb"},
		"a long text":         {500, "application/json", `{"error":"` + strings.Repeat("é", 500) + `"}`, false, false, strings.Repeat("é", maxErrorMessage) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: tc.code, Header: http.Header{"Content-Type": {tc.contentType}}}
			err := fmt.Errorf("asking: %w", apiError("GET", resp, []byte(tc.body)))
			if IsNotFound(err) != tc.notFound || IsForbidden(err) != tc.forbidden || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("not found %v, forbidden %v, %q; want %v, %v, %q", IsNotFound(err), IsForbidden(err), err, tc.notFound, tc.forbidden, tc.text)
			}
		})
	}
}

// An ID that is part of a path leads nowhere else.
func TestStrangeIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ns := sim.AddNamespace("one")
		c := newClient(t, sim, nil)
		for _, id := range []string{"", ".", "..", "../..", "a/b", "a?b", "a%2fb", "%", "a b", "ü", "a#b"} {
			_, _, err := c.Volume(t.Context(), ns, id)
			if err == nil {
				t.Errorf("there is a volume %q", id)
			}
		}
		for _, r := range sim.Log() {
			if r.Call != simulator.CallLogin && r.Call != simulator.CallVolume {
				t.Errorf("an ID led to %s %s", r.Method, r.Path)
			}
		}
	})
}

// An answer that is another volume is no answer.
func TestAnotherVolume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		c := newClient(t, sim, nil)
		sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolume}, Effect: simulator.JSON(`{"id":"b"}`)})
		if _, _, err := c.Volume(t.Context(), "ns", "a"); err == nil || !strings.Contains(err.Error(), "another volume: b") {
			t.Errorf("error %v", err)
		}
	})
}

func TestDecodeVolume(t *testing.T) {
	t.Parallel()
	v, err := DecodeVolume([]byte(`{"id":"a","attachedOnHost":"h1","master":{"hostname":"h2","health":"online"},
		"replicas":[{"id":"r","hostname":"h3"}],"sizeBytes":18446744073709551615,"snapshots":[1],"topologyLabels":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{v.AttachedOnHost, v.Master.Hostname, string(v.Master.Health), v.Replicas[0].Hostname, v.Replicas[0].Id, fmt.Sprint(v.SizeBytes)}
	if diff := cmp.Diff([]string{"h1", "h2", "online", "h3", "r", "18446744073709551615"}, got); diff != "" {
		t.Errorf("a newer server's volume (-want +got):\n%s", diff)
	}
	for raw, want := range map[string]string{
		`{"id":"a","sizeBytes":"5Gi"}`:   "field sizeBytes cannot be a string",
		`{"id":"a","sizeBytes":-1}`:      "field sizeBytes cannot be a number -1",
		`{"id":"a","master":[]}`:         "field master cannot be a array",
		`{"master":{"health":1}}`:        "field master.health cannot be a number",
		`{"id":"a","labels":{"x":1}}`:    "labels",
		`{}`:                             "it has no ID",
		`null`:                           "it has no ID",
		`{"id":"a","replicas":null}`:     "",
		`{"id":"a","nfs":null,"zzz":{}}`: "",
	} {
		_, err := DecodeVolume([]byte(raw))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", raw, err, want)
		}
	}
}

// The other lists, and the cluster.
func TestClusterNodesNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		node, ns := sim.AddNode("worker"), sim.AddNamespace("one")
		requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"method", "code"})
		c := newClient(t, sim, func(cfg *Config) { cfg.Requests.Total = requests })
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
			"a cluster without ID":   {simulator.CallCluster, `{}`, func() error { _, err := c.Cluster(t.Context()); return err }, "no ID"},
			"an empty cluster":       {simulator.CallCluster, ``, func() error { _, err := c.Cluster(t.Context()); return err }, "unexpected end"},
			"a namespace listed 2 x": {simulator.CallNamespaces, `[{"id":"a"},{"id":"a"}]`, func() error { _, err := c.Namespaces(t.Context()); return err }, "repeats the ID a"},
			"namespaces null":        {simulator.CallNamespaces, `null`, func() error { _, err := c.Namespaces(t.Context()); return err }, "begins with null"},
			"nodes of no name":       {simulator.CallNodes, `[{"id":"a","name":5}]`, func() error { _, err := c.Nodes(t.Context()); return err }, "entry 0"},
		} {
			sim.AddFault(simulator.Fault{Match: simulator.Match{Call: tc.call}, Effect: simulator.JSON(tc.body)})
			if err := tc.ask(); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want %q", name, err, tc.err)
			}
		}
		if n := value(t, requests.WithLabelValues("get", "200")); n != 8 {
			t.Errorf("%v requests were counted", n)
		}
		if n := value(t, requests.WithLabelValues("post", "200")); n != 1 {
			t.Errorf("%v logins were counted", n)
		}
	})
}

func value(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}
