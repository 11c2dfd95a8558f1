// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeClock is a clock that stands still until it is moved.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// client talks to a started simulator.
type client struct {
	t     *testing.T
	url   string
	token string
	http  *http.Client
}

// start starts a simulator, and returns a client that is not logged in.
func start(t *testing.T, options Options) (*Simulator, *client) {
	t.Helper()
	sim := New(options)
	url, err := sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return sim, &client{t: t, url: url, http: &http.Client{Transport: transport}}
}

// startLoggedIn is start with a token.
func startLoggedIn(t *testing.T, options Options) (*Simulator, *client) {
	t.Helper()
	sim, c := start(t, options)
	c.login()
	sim.ResetStats()
	return sim, c
}

func (c *client) request(ctx context.Context, method, path, body string) (*http.Response, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(r)
}

// do returns status, header and whole body, all of which must arrive.
func (c *client) do(method, path, body string) (int, http.Header, string) {
	c.t.Helper()
	response, err := c.request(c.t.Context(), method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: read body: %v", method, path, err)
	}
	return response.StatusCode, response.Header, string(content)
}

func (c *client) get(path string) (int, string) {
	c.t.Helper()
	status, _, body := c.do(http.MethodGet, path, "")
	return status, body
}

const goodLogin = `{"username":"storageos","password":"storageos"}`

func (c *client) login() {
	c.t.Helper()
	status, header, body := c.do(http.MethodPost, "/v2/auth/login", goodLogin)
	if status != http.StatusOK {
		c.t.Fatalf("login: %d %s", status, body)
	}
	c.token = strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
}

// decode unmarshals body.
func decode[T any](t *testing.T, body string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatalf("decode %q: %v", body, err)
	}
	return value
}

// isAPIError reports whether body is {"error": "some text"}.
func isAPIError(body string) bool {
	var e apiError
	return json.Unmarshal([]byte(body), &e) == nil && e.Error != ""
}

func volumesPath(namespaceID string) string {
	return "/v2/namespaces/" + namespaceID + "/volumes"
}

func volumePath(namespaceID, id string) string {
	return volumesPath(namespaceID) + "/" + id
}

// names returns the names of the volumes that the API lists.
func (c *client) names(namespaceID string) []string {
	c.t.Helper()
	status, body := c.get(volumesPath(namespaceID))
	if status != http.StatusOK {
		c.t.Fatalf("list: %d %s", status, body)
	}
	var list []string
	for _, v := range decode[[]Volume](c.t, body) {
		list = append(list, v.Name)
	}
	return list
}

// mustAdd adds a volume.
func mustAdd(t *testing.T, sim *Simulator, namespaceID string, spec VolumeSpec) string {
	t.Helper()
	id, err := sim.AddVolume(namespaceID, spec)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
