package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
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
	c.wrote(metrics.VerbCreate, "pvc-1")
	c.said(&corev1.ObjectReference{Kind: "Volume", Name: "pvc-2"}, corev1.EventTypeWarning, "VolumeOffline", "<b>the master is offline</b>")
	var now atomic.Int32
	return &statusPage{
		plugin: pluginOf("storageos", "csi.storageos.com"),
		phase:  func() phase { return phase(now.Load()) }, gatherer: registry, changes: c, took: took, late: time.Minute,
		listing: func() controller.Listing {
			return controller.Listing{Heartbeat: record.Heartbeat{Held: 3}, Failing: "listing the volumes of namespace <ns-1>: no answer"}
		},
		concerns: func(int) ([]controller.Concern, string) {
			return []controller.Concern{{Kind: metrics.OrphanMissing, VolumeID: "volume-id-1", PersistentVolume: "pvc-3", Why: "it is <not> there"}}, "too many are gone"
		},
		volumes: func() map[v1.Health]int { return map[v1.Health]int{v1.HealthHealthy: 40, v1.HealthOffline: 2} },
		details: details{get: func(context.Context, string) (*v1.Volume, error) { return nil, errors.New("there is none") }},
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
			"<b>leading</b>", "<b>3s ago</b>", "took 1.2 s", "<b>42</b> records", `"tile warn"><b>3s ago</b>`, `"tile "><b>40</b> Healthy`, `"tile bad"><b>2</b> Offline`,
			`"tile bad"><b>1</b> missing volume`, "Deletions of 3 records are held: too many are gone.", "namespace &lt;ns-1&gt;: no answer",
			`"tile warn"><b>3</b> invalid`, "is older than this version", ">pvc-3 <small>volume-id-1<", "It is &lt;not&gt; there.", ">kubectl describe persistentvolume pvc-3<",
			">Volume pvc-1<", ">The record was created.<", "&lt;b&gt;the master is offline&lt;/b&gt;. (VolumeOffline)<", "volume-sync-controller ",
			"Not well before: 2 Offline, 1 missing volume, 3 invalid.",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, body)
			}
		}
		if strings.Contains(body, "://") {
			t.Errorf("%s leads elsewhere", path)
		}
		if first, second := strings.Index(body, "VolumeOffline"), strings.Index(body, "was created"); first > second {
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

// A standby shows no numbers, which it does not know, and a process that deletes nothing says so.
func TestStatusPageOfOthers(t *testing.T) {
	t.Parallel()
	const switchedOff, records = "Deletions are switched off (-delete-orphans=false)", "</b> records<"
	for _, tc := range []struct {
		is       phase
		keepsAll bool
	}{{leading, false}, {leading, true}, {standby, false}, {starting, true}} {
		p, now := testPage(t)
		now.Store(int32(tc.is))
		p.keepsAll = tc.keepsAll
		_, _, body := ask(t, p.handler(), http.MethodGet, "/")
		if strings.Contains(body, switchedOff) != tc.keepsAll || strings.Contains(body, records) != (tc.is == leading) || !strings.Contains(body, "<b>"+roles[tc.is]+"</b>") {
			t.Errorf("%+v: it shows\n%s", tc, body)
		}
	}
	var unlisted strings.Builder
	if err := pageTemplate.ExecuteTemplate(&unlisted, "status", &status{Role: roles[leading]}); err != nil {
		t.Fatal(err)
	}
	if body := unlisted.String(); strings.Contains(body, records) || !strings.Contains(body, "Not known yet.") {
		t.Errorf("a leader that has not listed yet shows\n%s", body)
	}
}

// Since when there is a history is said until it is an hour long; that there is more than is
// shown, if there is.
func TestStatusPageLimits(t *testing.T) {
	t.Parallel()
	p, now := testPage(t)
	now.Store(int32(leading))
	says := func(text string) bool {
		_, _, body := ask(t, p.handler(), http.MethodGet, "/")
		return strings.Contains(body, text)
	}
	begun := time.Now().Add(-2 * time.Hour)
	since := "Since " + begun.Format("15:04") + ", when this process began to lead."
	p.history.begin(begun)
	for i, want := range []bool{true, true, false} {
		if says(since) != want || says("within half a minute") != (i == 0) || says(`role="img"`) == (i == 0) {
			t.Errorf("part %d: it says something else", i)
		}
		for range []int{1, maxSamples - 1, 0}[i] {
			p.history.add(p.sample(time.Now()))
		}
	}
	var concerns []controller.Concern
	p.concerns = func(most int) ([]controller.Concern, string) { return concerns[:min(most, len(concerns))], "" }
	for n, more := range map[int]bool{maxConcerns: false, maxConcerns + 1: true, 3 * maxConcerns: true} {
		concerns = make([]controller.Concern, n)
		for i := range concerns {
			concerns[i] = controller.Concern{Kind: "Offline", Record: fmt.Sprint("volume-", i)}
		}
		if says("The worst 200 are here, there are more") != more || !says("volume-199<") || says("volume-200<") {
			t.Errorf("of %d it does not show %d, or what it says of more is wrong", n, maxConcerns)
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
		metrics.VerbCreate:      "The record was created.",
		metrics.VerbPatch:       "The record was changed.",
		metrics.VerbPatchStatus: "The status of the record was changed.",
		metrics.VerbDelete:      "The record was deleted.",
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
