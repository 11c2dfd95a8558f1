// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// seen is an answer, as far as it came.
type seen struct {
	status int
	header http.Header
	body   string
	length int64 // declared; -1: not
	err    error // of the request, or of reading the body
}

// see sends a request and reads all there is.
func (c *client) see(ctx context.Context, method, path, body string) seen {
	c.t.Helper()
	response, err := c.request(ctx, method, path, body)
	if err != nil {
		return seen{err: err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return seen{response.StatusCode, response.Header, string(content), response.ContentLength, err}
}

// Every effect on a list of volumes, against the regular answer to it.
func TestEffects(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.Fill(FillOptions{Nodes: 3, Volumes: 5, CSI: 5})[0].NamespaceID
	regular := c.see(t.Context(), "GET", volumesPath(ns), "")
	if regular.err != nil || regular.status != 200 {
		t.Fatalf("regular answer: %+v", regular)
	}
	half := len(regular.body) / 2
	const jsonType = "application/json"

	for _, test := range []struct {
		name        string
		effect      Effect
		status      int // 0: no answer at all
		contentType string
		body        string
		length      int // declared; -1: not
		cut         bool
	}{
		{name: "status", effect: Status(503, "store"), status: 503, contentType: jsonType, body: `{"error":"store"}`, length: 17},
		{name: "status, default text", effect: Status(403, ""), status: 403, contentType: jsonType, body: `{"error":"Forbidden"}`, length: 21},
		{name: "plain", effect: Plain(502, "bad"), status: 502, contentType: "text/plain; charset=utf-8", body: "bad", length: 3},
		{name: "page", effect: Page(404, "text/html", "<p>"), status: 404, contentType: "text/html", body: "<p>", length: 3},
		{name: "empty", effect: JSON(""), status: 200, contentType: jsonType, body: "", length: 0},
		{name: "null", effect: JSON("null"), status: 200, contentType: jsonType, body: "null", length: 4},
		{name: "object", effect: JSON("{}"), status: 200, contentType: jsonType, body: "{}", length: 2},
		{name: "content type", effect: ContentType("text/plain"), status: 200, contentType: "text/plain", body: regular.body, length: len(regular.body)},
		{name: "no closing bracket", effect: NoClosingBracket(), status: 200, contentType: jsonType, body: strings.TrimSuffix(regular.body, "]"), length: len(regular.body) - 1},
		{name: "cut", effect: CutAfter(half), status: 200, contentType: jsonType, body: regular.body[:half], length: len(regular.body), cut: true},
		{name: "cut at once", effect: CutAfter(0), status: 200, contentType: jsonType, body: "", length: len(regular.body), cut: true},
		{name: "cut at the very end", effect: CutAfter(1 << 30), status: 200, contentType: jsonType, body: regular.body, length: len(regular.body)},
		{name: "cut chunked", effect: CutChunked(half), status: 200, contentType: jsonType, body: regular.body[:half], length: -1, cut: true},
		{name: "cut chunked at the very end", effect: CutChunked(1 << 30), status: 200, contentType: jsonType, body: regular.body, length: -1, cut: true},
		{name: "disconnect", effect: Disconnect(), cut: true},
		{name: "trickle", effect: Trickle(0, 1), status: 200, contentType: jsonType, body: regular.body, length: len(regular.body)},
		{name: "handler", effect: Handler(http.NotFoundHandler()), status: 404, contentType: "text/plain; charset=utf-8", body: "404 page not found\n", length: 19},
		{name: "body", effect: Body(func(b []byte) []byte { return b[:1] }), status: 200, contentType: jsonType, body: "[", length: 1},
		{name: "chain", effect: Chain(ContentType("a/b"), Status(503, "x")), status: 503, contentType: "a/b", body: `{"error":"x"}`, length: 13},
		{name: "empty chain", effect: Chain(), status: 200, contentType: jsonType, body: regular.body, length: len(regular.body)},
	} {
		// For always, and on a new connection: the client repeats a GET whose
		// kept connection fails, and would use up a fault that counts.
		sim.AddFault(Fault{Match: Match{Call: CallVolumes}, Effect: test.effect, Count: Always})
		c.http.CloseIdleConnections()
		got := c.see(t.Context(), "GET", volumesPath(ns), "")
		sim.ClearFaults()
		if (got.err != nil) != test.cut {
			t.Errorf("%s: error %v, want cut %t", test.name, got.err, test.cut)
		}
		if got.status != test.status || got.body != test.body || (test.status != 0 && got.length != int64(test.length)) {
			t.Errorf("%s: status %d, declared %d, body %.300q", test.name, got.status, got.length, got.body)
		}
		if got.header.Get("Content-Type") != test.contentType {
			t.Errorf("%s: content type %q", test.name, got.header.Get("Content-Type"))
		}
	}

	if got := c.see(t.Context(), "GET", volumesPath(ns), ""); got.body != regular.body {
		t.Errorf("after all faults: %+v", got)
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	for _, status := range []int{200, 404, 502} {
		sim.AddFault(Fault{Effect: HTML(status)})
		got := c.see(t.Context(), "GET", "/v2/cluster", "")
		if got.err != nil || got.status != status || !strings.HasPrefix(got.body, "<html>") ||
			got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%d: %+v", status, got)
		}
	}
}

// Effects on a login, whose answer is in the header as well.
func TestLoginEffects(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	for _, test := range []struct {
		name   string
		effect Effect
		want   func(header, token string) bool
	}{
		{"no header", NoAuthorization(), func(h, token string) bool { return h == "" && token != "" }},
		{"no space", BareAuthorization(), func(h, token string) bool { return h == token && token != "" }},
		{"another", Header(map[string]string{"Authorization": "x"}), func(h, _ string) bool { return h == "x" }},
	} {
		sim.AddFault(Fault{Match: Match{Call: CallLogin}, Effect: test.effect})
		got := c.see(t.Context(), "POST", "/v2/auth/login", goodLogin)
		if got.err != nil || got.status != 200 || !test.want(got.header.Get("Authorization"), decode[userSession](t, got.body).Session.Token) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// Stall and Silence end when the client goes, and nothing arrives before.
func TestStall(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	regular := c.see(t.Context(), "GET", "/v2/cluster", "")

	sim.AddFault(Fault{Effect: Stall()})
	ctx, cancel := context.WithCancel(t.Context())
	response, err := c.request(ctx, "GET", "/v2/cluster", "")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	half := make([]byte, len(regular.body)/2)
	if _, err := io.ReadFull(response.Body, half); err != nil || string(half) != regular.body[:len(half)] {
		t.Errorf("first half: %v %q", err, half)
	}
	cancel()
	if rest, err := io.ReadAll(response.Body); err == nil || len(rest) > 0 {
		t.Errorf("after the first half: %v %q", err, rest)
	}

	sim.AddFault(Fault{Effect: Silence()})
	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := c.request(ctx, "POST", "/v2/auth/login", goodLogin)
		done <- err
	}()
	waitFor(t, sim, func(s Stats) bool { return s.Requests[CallLogin] == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("silence: %v", err)
	}
	waitFor(t, sim, func(s Stats) bool { return s.InFlight == 0 })
	if got := sim.Stats().Answers[CallLogin][0]; got != 1 {
		t.Errorf("silence counts as %v", sim.Stats().Answers[CallLogin])
	}
}

// A client that gives up ends a delay, also that of a request with a body.
func TestDelayEndsWithTheClient(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	sim.AddFault(Fault{Effect: Delay(time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.see(ctx, "POST", "/v2/auth/login", goodLogin)
	}()
	waitFor(t, sim, func(s Stats) bool { return s.InFlight == 1 })
	cancel()
	<-done
	waitFor(t, sim, func(s Stats) bool { return s.InFlight == 0 })
}

// A request that Close finds waiting is cut off. An empty 200 would be a lie.
func TestCloseCutsOff(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]Effect{
		"delay": Delay(time.Hour), "silence": Silence(), "stall": Stall(), "trickle": Trickle(time.Hour, 1),
	} {
		sim, c := startLoggedIn(t, Options{})
		sim.AddFault(Fault{Effect: effect})
		done := make(chan seen)
		go func() { done <- c.see(t.Context(), "GET", "/v2/cluster", "") }()
		waitFor(t, sim, func(s Stats) bool { return s.InFlight == 1 })
		sim.Close()
		if got := <-done; got.err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// In a bubble, where time passes only while all wait.
func TestTiming(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		effect func(length int) Effect
		want   func(length int) time.Duration
	}{
		{"delay", func(int) Effect { return Delay(10 * time.Second) }, func(int) time.Duration { return 10 * time.Second }},
		{"byte by byte", func(int) Effect { return Trickle(time.Second, 1) },
			func(n int) time.Duration { return time.Duration(n-1) * time.Second }},
		{"in three", func(n int) Effect { return Trickle(time.Minute, (n+2)/3) }, func(int) time.Duration { return 2 * time.Minute }},
		{"size 0 is 1", func(int) Effect { return Trickle(time.Second, 0) },
			func(n int) time.Duration { return time.Duration(n-1) * time.Second }},
		{"chain", func(int) Effect { return Chain(Delay(time.Second), Delay(time.Minute), Status(503, "")) },
			func(int) time.Duration { return 61 * time.Second }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := New(Options{})
				serve := func() *httptest.ResponseRecorder {
					w := httptest.NewRecorder()
					r := httptest.NewRequest("POST", "/v2/auth/login", strings.NewReader(goodLogin))
					sim.ServeHTTP(w, r)
					return w
				}
				length := serve().Body.Len()
				sim.AddFault(Fault{Effect: test.effect(length)})
				began := time.Now()
				w := serve()
				if took := time.Since(began); took != test.want(length) {
					t.Errorf("took %s, want %s", took, test.want(length))
				}
				if w.Code == 200 && w.Body.Len() != length {
					t.Errorf("%d bytes arrived, want %d", w.Body.Len(), length)
				}
			})
		})
	}
}

// Another simulator can answer in this one's place.
func TestSecondCluster(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{ClusterID: "one"})
	other := New(Options{ClusterID: "two"})
	remove := sim.AddFault(Fault{Effect: Handler(other), Count: Always})
	c.login()
	if _, body := c.get("/v2/cluster"); !strings.Contains(body, `"two"`) {
		t.Errorf("cluster %s", body)
	}
	remove()
	if status, _ := c.get("/v2/cluster"); status != 401 {
		t.Errorf("the other cluster's token gets %d", status)
	}
}

// waitFor waits for the counts to fulfil a condition; the test's own deadline
// ends a wait in vain.
func waitFor(t *testing.T, sim *Simulator, condition func(Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sim.Wait(ctx, condition); err != nil {
		t.Fatalf("wait: %v; stats %+v", err, sim.Stats())
	}
}
