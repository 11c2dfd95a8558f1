// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// request is a call of the API and what it must be answered with.
type request struct {
	name    string
	method  string
	path    string
	body    string
	want    int
	noToken bool
	invalid bool // breaks the specification on purpose
	fault   int  // a status that is answered on demand
}

// send makes the request and reports whatever the specification does not allow.
func (c *cluster) send(t *testing.T, r request, token string) {
	t.Helper()
	if r.fault != 0 {
		defer c.AddFault(simulator.Fault{Effect: simulator.Status(r.fault, "on demand"), Count: simulator.Always})()
		r.want = r.fault
	}
	ctx := t.Context()
	if r.invalid {
		ctx = withoutRequestCheck(ctx)
	}
	status := c.roundTrip(ctx, t, r, token)
	if status != r.want {
		t.Errorf("%s: status %d, want %d", r.name, status, r.want)
	}
	for _, problem := range c.transport.take() {
		t.Errorf("%s: %v", r.name, problem)
	}
}

func (c *cluster) roundTrip(ctx context.Context, t *testing.T, r request, token string) int {
	t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	out, err := http.NewRequestWithContext(ctx, r.method, c.url+r.path, body)
	if err != nil {
		t.Fatal(err)
	}
	if r.body != "" {
		out.Header.Set("Content-Type", "application/json")
	}
	if !r.noToken {
		out.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.transport.RoundTrip(out)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// Every status that the specification has for the calls of the simulator is
// answered as it says.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	c := newCluster(t, simulator.Options{})
	token := c.login(t)
	volumes := "/v2/namespaces/" + c.namespace + "/volumes"
	version := func(id string) string {
		v, err := c.Volume(c.namespace, id)
		if err != nil {
			t.Fatal(err)
		}
		return "?version=" + url.QueryEscape(v.Version)
	}
	const good = `{"username":"storageos","password":"storageos"}`
	const size = `{"sizeBytes":99000000000}`
	volume := `{"name":"new","namespaceID":"` + c.namespace + `","fsType":"ext4","sizeBytes":5368709120}`

	requests := []request{
		{name: "login", method: "POST", path: "/v2/auth/login", body: good, want: 200, noToken: true},
		{name: "login, no JSON", method: "POST", path: "/v2/auth/login", body: "x", want: 400, noToken: true, invalid: true},
		{name: "login, no password", method: "POST", path: "/v2/auth/login", body: `{"username":"x"}`, want: 400, noToken: true, invalid: true},
		{name: "login, wrong", method: "POST", path: "/v2/auth/login", body: `{"username":"x","password":"y"}`, want: 401, noToken: true},
		{name: "refresh", method: "POST", path: "/v2/auth/refresh", want: 200},
		{name: "cluster", method: "GET", path: "/v2/cluster", want: 200},
		{name: "nodes", method: "GET", path: "/v2/nodes", want: 200},
		{name: "namespaces", method: "GET", path: "/v2/namespaces", want: 200},
		{name: "volumes", method: "GET", path: volumes, want: 200},
		{name: "free volume", method: "GET", path: volumes + "/" + c.free, want: 200},
		{name: "full volume", method: "GET", path: volumes + "/" + c.full, want: 200},
		{name: "no volume", method: "GET", path: volumes + "/none", want: 404},
		{name: "no namespace", method: "GET", path: "/v2/namespaces/none/volumes/none", want: 404},
		{name: "get, bad request", method: "GET", path: volumes + "/" + c.free, fault: 400},
		{name: "delete, no version", method: "DELETE", path: volumes + "/" + c.free, want: 400, invalid: true},
		{name: "delete, stale", method: "DELETE", path: volumes + "/" + c.free + "?version=x", want: 412},
		{name: "delete, attached", method: "DELETE", path: volumes + "/" + c.attached + version(c.attached), want: 409},
		{name: "delete, none", method: "DELETE", path: volumes + "/none?version=x", want: 404},
		{name: "delete, wrong state", method: "DELETE", path: volumes + "/" + c.free + version(c.free), fault: 422},
		{name: "delete, locked", method: "DELETE", path: volumes + "/" + c.free + version(c.free), fault: 423},
		{name: "delete", method: "DELETE", path: volumes + "/" + c.free + version(c.free), want: 200},
		{name: "make a namespace", method: "POST", path: "/v2/namespaces", body: `{"name":"new"}`, want: 201},
		{name: "make a namespace again", method: "POST", path: "/v2/namespaces", body: `{"name":"new"}`, want: 409},
		{name: "make a namespace without a name", method: "POST", path: "/v2/namespaces", body: `{}`, want: 400},
		{name: "make a volume", method: "POST", path: volumes, body: volume, want: 201},
		{name: "make a volume again", method: "POST", path: volumes, body: volume, want: 409},
		{name: "make a volume, nothing said", method: "POST", path: volumes, body: `{}`, want: 400, invalid: true},
		{name: "make a volume, licence", method: "POST", path: volumes, body: volume, fault: 451},
		{name: "make a volume, no space", method: "POST", path: volumes, body: volume, fault: 507},
		{name: "resize", method: "PUT", path: volumes + "/" + c.attached + "/size?ignore-version=true", body: size, want: 200},
		{name: "resize, shrink", method: "PUT", path: volumes + "/" + c.full + "/size?ignore-version=true", body: size, want: 400},
		{name: "resize, stale", method: "PUT", path: volumes + "/" + c.attached + "/size", body: size, want: 412},
		{name: "resize, none", method: "PUT", path: volumes + "/none/size", body: size, want: 404},
		{name: "resize, wrong state", method: "PUT", path: volumes + "/" + c.attached + "/size", body: size, fault: 422},
	}
	for _, call := range []request{
		{name: "login", method: "POST", path: "/v2/auth/login", body: good},
		{name: "refresh", method: "POST", path: "/v2/auth/refresh"},
		{name: "cluster", method: "GET", path: "/v2/cluster"},
		{name: "nodes", method: "GET", path: "/v2/nodes"},
		{name: "namespaces", method: "GET", path: "/v2/namespaces"},
		{name: "volumes", method: "GET", path: volumes},
		{name: "volume", method: "GET", path: volumes + "/" + c.full},
		{name: "delete", method: "DELETE", path: volumes + "/" + c.full + version(c.full)},
		{name: "make a namespace", method: "POST", path: "/v2/namespaces", body: `{"name":"another"}`},
		{name: "make a volume", method: "POST", path: volumes, body: volume},
		{name: "resize", method: "PUT", path: volumes + "/" + c.full + "/size", body: size},
	} {
		for _, status := range []int{500, 503, 403} {
			if status == 403 && strings.Contains(call.path, "/auth/") {
				continue // not in the specification
			}
			with := call
			with.name, with.fault = fmt.Sprintf("%s, %d", call.name, status), status
			requests = append(requests, with)
		}
		if call.name != "login" {
			without := call
			without.name, without.noToken, without.want = call.name+", no token", true, 401
			requests = append(requests, without)
		}
	}
	for _, r := range requests {
		c.send(t, r, token)
	}
	c.allSeen(t)
}

// allSeen checks that no status was forgotten.
func (c *cluster) allSeen(t *testing.T) {
	t.Helper()
	operations := []string{
		"authenticateUser", "refreshJwt", "getCluster", "listNodes", "listNamespaces", "listVolumes", "getVolume", "deleteVolume",
		"createNamespace", "createVolume", "resizeVolume",
	}
	found := 0
	for _, item := range c.transport.spec.Paths.Map() {
		for _, operation := range item.Operations() {
			if !slices.Contains(operations, operation.OperationID) {
				continue
			}
			found++
			for status := range operation.Responses.Map() {
				key := operation.OperationID + " " + status
				// The simulator has no asynchronous calls.
				if status != "202" && !c.transport.seen[key] {
					t.Errorf("no request was answered with %s", key)
				}
			}
		}
	}
	if found != len(operations) {
		t.Errorf("the specification has %d of the %d operations", found, len(operations))
	}
}

// A list in an unknown namespace is 404, the one answer of the simulator that
// the specification does not have. Should it get it, this test says so.
func TestListInUnknownNamespace(t *testing.T) {
	t.Parallel()
	c := newCluster(t, simulator.Options{})
	token := c.login(t)
	status := c.roundTrip(t.Context(), t, request{method: "GET", path: "/v2/namespaces/none/volumes"}, token)
	problems := c.transport.take()
	if status != http.StatusNotFound || len(problems) != 1 || !strings.Contains(problems[0].Error(), "status is not supported") {
		t.Errorf("%d: %v", status, problems)
	}
}
