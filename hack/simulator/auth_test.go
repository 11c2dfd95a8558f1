// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	_, c := start(t, Options{Username: "me", Password: "secret"})
	for _, test := range []struct {
		name, body string
		want       int
	}{
		{"right", `{"username":"me","password":"secret"}`, 200},
		{"wrong password", `{"username":"me","password":"x"}`, 401},
		{"wrong user", `{"username":"x","password":"secret"}`, 401},
		{"default pair", goodLogin, 401},
		{"no JSON", `username=me`, 400},
		{"empty", ``, 400},
		{"list", `[]`, 400},
		{"no password", `{"username":"me"}`, 400},
		{"password null", `{"username":"me","password":null}`, 400},
		{"password a number", `{"username":"me","password":1}`, 400},
	} {
		status, header, body := c.do(http.MethodPost, "/v2/auth/login", test.body)
		if status != test.want {
			t.Errorf("%s: status %d, want %d", test.name, status, test.want)
		}
		if status != 200 {
			if !isAPIError(body) || header.Get("Authorization") != "" {
				t.Errorf("%s: not an API error: %v %s", test.name, header, body)
			}
			continue
		}
		session := decode[userSession](t, body)
		if header.Get("Authorization") != "Bearer "+session.Session.Token || session.Session.Token == "" {
			t.Errorf("%s: token in header %q, in body %q", test.name, header.Get("Authorization"), session.Session.Token)
		}
		if header.Get(HeaderExpiresSeconds) != "300" || session.Session.ExpiresInSeconds != 300 {
			t.Errorf("%s: expiry %q, %d", test.name, header.Get(HeaderExpiresSeconds), session.Session.ExpiresInSeconds)
		}
		if session.Username != "me" || session.ID == "" {
			t.Errorf("%s: user %+v", test.name, session)
		}
	}
}

// Every call but login wants a token that is known and good.
func TestTokenIsRequired(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	made := sim.Fill(FillOptions{Nodes: 1, Volumes: 1})[0]
	calls := [][2]string{
		{"POST", "/v2/auth/refresh"},
		{"GET", "/v2/cluster"},
		{"GET", "/v2/nodes"},
		{"GET", "/v2/namespaces"},
		{"GET", volumesPath(made.NamespaceID)},
		{"GET", volumePath(made.NamespaceID, made.ID)},
		{"DELETE", volumePath(made.NamespaceID, made.ID) + "?version=x"},
	}
	for _, token := range []string{"", "made-up"} {
		c.token = token
		for _, call := range calls {
			if status, _, body := c.do(call[0], call[1], ""); status != 401 || !isAPIError(body) {
				t.Errorf("token %q, %s %s: %d %s", token, call[0], call[1], status, body)
			}
		}
	}
	if got := sim.Volumes(made.NamespaceID); len(got) != 1 {
		t.Errorf("volume deleted without a token: %v", got)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	sim, c := startLoggedIn(t, Options{Now: clock.Now, TokenExpiry: time.Minute})
	status := func(method, path string) int {
		status, _, _ := c.do(method, path, "")
		return status
	}

	clock.Advance(time.Minute - time.Second)
	if got := status("GET", "/v2/cluster"); got != 200 {
		t.Fatalf("a second before its expiry the token gets %d", got)
	}
	code, header, body := c.do("POST", "/v2/auth/refresh", "")
	if code != 200 || header.Get(HeaderExpiresIn) != "60" {
		t.Fatalf("refresh: %d %v %s", code, header, body)
	}
	old := c.token
	c.token = strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	if c.token == old {
		t.Error("refresh gave the same token")
	}

	clock.Advance(time.Second)
	if got := status("GET", "/v2/cluster"); got != 200 {
		t.Errorf("the new token gets %d", got)
	}
	c.token, old = old, c.token
	if got := status("GET", "/v2/cluster"); got != 401 {
		t.Errorf("the old token gets %d at its expiry", got)
	}
	if got := status("POST", "/v2/auth/refresh"); got != 401 {
		t.Errorf("a refresh with the old token gets %d", got)
	}

	c.token = old
	sim.ExpireTokens()
	if got := status("GET", "/v2/cluster"); got != 401 {
		t.Errorf("after ExpireTokens: %d", got)
	}
	c.login()
	if got := status("GET", "/v2/cluster"); got != 200 {
		t.Errorf("after a new login: %d", got)
	}
}

func TestSetCredentials(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	sim.SetCredentials("storageos", "changed")
	if status, _ := c.get("/v2/cluster"); status != 200 {
		t.Errorf("a token from before the change gets %d", status)
	}
	if status, _, _ := c.do("POST", "/v2/auth/login", goodLogin); status != 401 {
		t.Errorf("the old password gets %d", status)
	}
	if status, _, _ := c.do("POST", "/v2/auth/login", `{"username":"storageos","password":"changed"}`); status != 200 {
		t.Errorf("the new password gets %d", status)
	}
}

func TestRefreshExpiryHeader(t *testing.T) {
	t.Parallel()
	_, c := startLoggedIn(t, Options{RefreshExpiryHeader: HeaderExpiresSeconds})
	_, header, _ := c.do("POST", "/v2/auth/refresh", "")
	if header.Get(HeaderExpiresSeconds) != "300" || header.Get(HeaderExpiresIn) != "" {
		t.Errorf("header %v", header)
	}
}
