package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// testPage is a page of a leader with something of everything, which becomes one
// after it was first asked for.
func testPage(t *testing.T) (*statusPage, *atomic.Int32) {
	t.Helper()
	m, registry := metrics.New(), prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	m.StartLeading()
	m.Synced(time.Now().Add(-3 * time.Second))
	m.SetVolumes("Healthy", 40)
	m.SetVolumes("Offline", 2)
	m.SetRecords(42)
	m.SetOrphans(metrics.OrphanMissing, 1)
	m.SetInvalid(3)
	m.SetCRD(false)
	m.Error(metrics.StageSave)
	took := &latency{LatencyMetric: m.SyncDuration, first: func() {}}
	took.Observe(1234 * time.Millisecond)
	c := &changes{}
	c.add("Volume pvc-1", "created", false)
	c.said(&corev1.ObjectReference{Kind: "Volume", Name: "pvc-2"}, corev1.EventTypeWarning, "VolumeOffline", "<b>the master is offline</b>")
	var now atomic.Int32
	return &statusPage{
		phase: func() phase { return phase(now.Load()) }, gatherer: registry, changes: c, took: took, late: time.Minute,
		listing: func() controller.Listing {
			return controller.Listing{Heartbeat: record.Heartbeat{Held: 3}, Failing: "listing the volumes of namespace <ns-1>: no answer"}
		},
		concerns: func(int) ([]controller.Concern, string) {
			return []controller.Concern{{Kind: metrics.OrphanMissing, VolumeID: "volume-id-1", PersistentVolume: "pvc-3"}}, "too many are gone"
		},
	}, &now
}

func ask(t *testing.T, h http.Handler, method, path string) (int, http.Header, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost:8081"
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Header(), string(body)
}

// The page says how the controller is, takes nothing from elsewhere, changes
// nothing and takes no text for HTML.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	p, now := testPage(t)
	now.Store(int32(leading))
	h := p.handler()
	for _, path := range []string{"/", "/status"} {
		code, header, body := ask(t, h, http.MethodGet, path)
		if code != 200 {
			t.Fatalf("%s: %d", path, code)
		}
		if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for _, want := range []string{
			"<b>leading</b>", "<b>3s ago</b>", "took 1.234s", "<b>42</b>records", `"tile good"><b>40</b>Healthy`, `"tile bad"><b>2</b>Offline`,
			`"tile bad"><b>1</b>missing volumes`, "Deletions of records are held: too many are gone", "namespace &lt;ns-1&gt;: no answer", "is held back: 3<",
			`"tile warn"><b>3</b>invalid`, "is older than this version", "<td>pvc-3</td><td>volume-id-1</td>",
			"<td>Volume pvc-1</td><td>created</td>", "VolumeOffline: &lt;b&gt;the master", "volume-sync-controller ",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, body)
			}
		}
		if strings.Contains(body, "://") {
			t.Errorf("%s leads elsewhere", path)
		}
		if first, second := strings.Index(body, "VolumeOffline"), strings.Index(body, "created"); first > second {
			t.Errorf("%s: the older change comes first", path)
		}
	}
	for path, want := range map[string]int{"/page.css": 200, "/page.js": 200, "/page.html": 404, "/metrics": 404, "/debug/pprof/": 404} {
		if code, _, _ := ask(t, h, http.MethodGet, path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if code, _, _ := ask(t, h, method, "/status"); code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, code)
		}
	}
}

// That the CRD is older is said while it is known to be.
func TestStatusPageCRD(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		is   func(*metrics.Metrics)
		want bool
	}{
		"the older one":       {func(m *metrics.Metrics) { m.SetCRD(false) }, true},
		"the current one":     {func(m *metrics.Metrics) { m.SetCRD(false); m.SetCRD(true) }, false},
		"nobody knows":        {func(*metrics.Metrics) {}, false},
		"nobody knows it now": {func(m *metrics.Metrics) { m.SetCRD(false); m.ForgetCRD() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := testPage(t)
			m, registry := metrics.New(), prometheus.NewRegistry()
			if err := m.Register(registry); err != nil {
				t.Fatal(err)
			}
			tc.is(m)
			p.gatherer = registry
			_, _, body := ask(t, p.handler(), http.MethodGet, "/")
			if got := strings.Contains(body, "is older than this version"); got != tc.want {
				t.Errorf("it says so: %v", got)
			}
		})
	}
}

// A name that leads here by somebody else's will is not answered to, on any path; the
// page's own names and literal addresses are.
func TestStatusPageHosts(t *testing.T) {
	t.Parallel()
	for host, own := range map[string]map[string]bool{
		"": {
			"localhost": true, "localhost:8081": true, "localhost:9999": true, "LocalHost:8081": true, "localhost.": true, "localhost.:8081": true,
			"127.0.0.1": true, "127.0.0.1:8081": true, "10.1.2.3:8081": true, "[::1]:8081": true, "[::1]": true, "[FE80::1]:8081": true,
			"": false, ":8081": false, ".": false, "evil.example": false, "evil.example:8081": false, "EVIL.example": false,
			"localhost.evil.example": false, "localhost.evil.example:8081": false, "evil.localhost": false, "localhost..": false,
			"127.0.0.1.nip.io": false, "127.0.0.1.nip.io:8081": false, "127.0.0.1.": false, "localhost:evil": false, "[localhost]:evil": false,
			"localhost, evil.example": false, "localhost:8081:evil.example": false, "[::1": false, "127.0.0.1@evil.example": false,
		},
		"page.example": {
			"page.example": true, "Page.Example:8081": true, "page.example.:8081": true, "localhost:8081": true, "127.0.0.1": true,
			"evil.example": false, "other.page.example": false, "page.example.evil.example": false, "": false,
		},
		"0.0.0.0": {"localhost": true, "192.168.1.1:8081": true, "evil.example": false, "": false},
	} {
		p, _ := testPage(t)
		p.host = host
		h := p.handler()
		for name, answered := range own {
			for path, code := range map[string]int{"/": 200, "/status": 200, "/page.js": 200, "/page.css": 200, "/nothing": 404} {
				w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
				r.Host = name
				h.ServeHTTP(w, r)
				if !answered {
					code = http.StatusForbidden
				}
				if w.Code != code {
					t.Errorf("own name %q: %s of host %q: %d, want %d", host, path, name, w.Code, code)
				}
				if !answered && (!strings.Contains(w.Body.String(), "-status-addr") || strings.Contains(w.Body.String(), "<")) {
					t.Errorf("it does not say why: %q", w.Body)
				}
			}
		}
	}
}

// What a browser or a program sends is what counts, whatever else the request names.
func TestStatusPageRequests(t *testing.T) {
	t.Parallel()
	p, _ := testPage(t)
	server := httptest.NewServer(p.handler())
	defer server.Close()
	for request, want := range map[string]string{
		"GET /status HTTP/1.1\r\nHost: localhost\r\n":                                   "200",
		"GET /status HTTP/1.1\r\nHost: evil.example\r\n":                                "403",
		"GET /status HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n": "403",
		"GET http://evil.example/status HTTP/1.1\r\nHost: localhost\r\n":                "403",
		"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n":             "400",
		"GET /status HTTP/1.0\r\n":                                                      "403",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%sConnection: close\r\n\r\n", request)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if _, code, _ := strings.Cut(string(answer), " "); err != nil || !strings.HasPrefix(code, want) {
			t.Errorf("%q: %.100q, %v, want %s", request, answer, err, want)
		}
	}
}

// A browser shows the page, and the page goes with the times by itself.
func TestStatusPageInChromium(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("it needs Chromium: run it by `make test-page`")
	}
	p, now := testPage(t)
	page := p.handler()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" && asked.Add(1) == 1 {
			now.Store(int32(leading)) // after the page itself, by which it was starting
		}
		page.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=7000", "--dump-dom", server.URL+"/")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var errs strings.Builder
	cmd.Stderr = &errs
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, &errs)
	}
	if !strings.Contains(string(dom), "<b>leading</b>") || strings.Contains(string(dom), "<b>starting</b>") {
		t.Errorf("asked for %d times, it shows:\n%s", asked.Load(), dom)
	}
	if strings.Contains(errs.String(), "Content Security Policy") {
		t.Errorf("the browser refuses a part of it: %s", &errs)
	}
}

// Of more changes than are shown, the newest are kept.
func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	c := &changes{}
	for i := range maxChanges + 5 {
		c.add(fmt.Sprint(i), "", false)
	}
	all := c.newest()
	if len(all) != maxChanges || all[0].Object != fmt.Sprint(maxChanges+4) || all[maxChanges-1].Object != "5" {
		t.Errorf("%d changes, from %s to %s", len(all), all[0].Object, all[len(all)-1].Object)
	}
}

// Every write that is counted has its word.
func TestChangesOfRecords(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]string{
		metrics.VerbCreate:      "created",
		metrics.VerbPatch:       "changed",
		metrics.VerbPatchStatus: "status changed",
		metrics.VerbDelete:      "deleted",
	} {
		c := &changes{}
		c.wrote(verb, "a")
		if got := c.newest()[0]; got.Object != "Volume a" || got.What != want {
			t.Errorf("%s: %+v, want Volume a, %s", verb, got, want)
		}
	}
}

// The page's own address may be taken unless somebody asked for it.
func TestListenForPage(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tc := range map[string]struct {
		addr         string
		listens, err bool
	}{
		"none":  {"", false, false},
		"free":  {"127.0.0.1:0", true, false},
		"taken": {taken.Addr().String(), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{options: &options{statusAddr: tc.addr}}
			l, err := s.listenForPage(t.Context())
			if (l != nil) != tc.listens || (err != nil) != tc.err {
				t.Errorf("listener %v, error %v", l, err)
			}
			if l != nil {
				l.Close()
			}
		})
	}
}
