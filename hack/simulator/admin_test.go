// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// startAdmin starts a simulator with the admin interface beside the API.
func startAdmin(t *testing.T) (*Simulator, *client) {
	t.Helper()
	sim := New(Options{})
	mux := http.NewServeMux()
	mux.Handle("/sim/", sim.AdminHandler())
	mux.Handle("/", sim)
	url, err := sim.StartHandler("127.0.0.1:0", mux)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim, &client{t: t, url: url, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// ok sends a call that must succeed and returns its answer.
func (c *client) ok(method, path, body string) string {
	c.t.Helper()
	status, _, answer := c.do(method, path, body)
	if status != 200 && status != 204 {
		c.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

func TestAdminChangesTheCluster(t *testing.T) {
	t.Parallel()
	sim, c := startAdmin(t)
	c.login()
	node := decode[idOnly](t, c.ok("POST", "/sim/nodes", `{"name":"a"}`)).ID
	ns := decode[idOnly](t, c.ok("POST", "/sim/namespaces", `{"name":"dev"}`)).ID
	volumes := "/sim/namespaces/" + ns + "/volumes"
	id := decode[idOnly](t, c.ok("POST", volumes, `{"name":"v","replicas":1,"labels":{"a":"b"}}`)).ID

	c.ok("PATCH", "/sim/nodes/"+node, `{"name":"b","health":"offline"}`)
	if got := sim.Nodes()[0]; got.Name != "b" || got.Health != HealthOffline {
		t.Errorf("node %+v", got)
	}
	c.ok("PATCH", volumes+"/"+id, `{"sizeBytes":18446744073709551615,"labels":{"c":"d"},"replicas":null}`)
	v, err := sim.Volume(ns, id)
	if err != nil || v.SizeBytes != 1<<64-1 || fmt.Sprint(v.Labels) != "map[c:d]" || v.Replicas != nil || v.Name != "v" {
		t.Errorf("patched: %v %+v", err, v)
	}
	c.ok("POST", volumes+"/raw/raw", `{"id":7}`)
	if got := c.ok("GET", volumes, ""); !strings.HasSuffix(got, `,{"id":7}]`) {
		t.Errorf("listed %s", got)
	}
	c.ok("DELETE", volumes+"/raw", "")
	c.ok("DELETE", volumes+"/"+id, "")
	if got := c.names(ns); len(got) != 0 {
		t.Errorf("listed %v", got)
	}

	c.ok("PUT", "/sim/cluster", `{"id":"other"}`)
	if got := sim.ClusterID(); got != "other" {
		t.Errorf("cluster %s", got)
	}
	if got := decode[[]Filled](t, c.ok("POST", "/sim/fill", `{"namespaces":1,"volumes":4}`)); len(got) != 4 || got[0].PVCName == "" {
		t.Errorf("filled %+v", got)
	}
	if got := c.ok("POST", "/sim/change", `{"volumes":2}`); got != `{"changed":2}` {
		t.Errorf("changed %s", got)
	}
	c.ok("PUT", "/sim/shuffle", "true")
	c.ok("POST", "/sim/connections/close", "")
	if got := c.ok("GET", "/sim/state", ""); !strings.Contains(got, `"clusterID":"other"`) || !strings.Contains(got, `"volumes":2`) {
		t.Errorf("state %s", got)
	}
	c.ok("DELETE", "/sim/namespaces/"+ns, "")
	c.ok("DELETE", "/sim/nodes/"+node, "")
	if status, _ := c.get(volumesPath(ns)); status != 404 || len(sim.Nodes()) != 0 {
		t.Errorf("removed namespace: %d; nodes %v", status, sim.Nodes())
	}

	c.ok("POST", "/sim/tokens/expire", "")
	if status, _ := c.get("/v2/cluster"); status != 401 {
		t.Errorf("expired token: %d", status)
	}
	c.ok("PUT", "/sim/credentials", `{"username":"me","password":"new"}`)
	if status, _, _ := c.do("POST", "/v2/auth/login", goodLogin); status != 401 {
		t.Errorf("old password: %d", status)
	}
	if got := decode[Stats](t, c.ok("GET", "/sim/stats", "")); got.Answers[CallLogin][401] != 1 {
		t.Errorf("stats %+v", got)
	}
	if got := decode[[]Request](t, c.ok("GET", "/sim/log", "")); got[len(got)-1].Status != 401 {
		t.Errorf("log %+v", got)
	}
	c.ok("DELETE", "/sim/stats", "")
	if got := sim.Stats().Total(); got != 0 {
		t.Errorf("%d requests after a reset", got)
	}
}

// Every effect can be had over HTTP.
func TestAdminFaults(t *testing.T) {
	t.Parallel()
	_, c := startAdmin(t)
	c.login()
	regular := c.see(t.Context(), "GET", "/v2/cluster", "")
	for _, test := range []struct {
		effect string
		want   func(seen) bool
	}{
		{`{"type":"status","status":503,"text":"x"}`, func(s seen) bool { return s.status == 503 && s.body == `{"error":"x"}` }},
		{`{"type":"html","status":200}`, func(s seen) bool { return strings.HasPrefix(s.body, "<html>") }},
		{`{"type":"plain","status":502,"text":"x"}`, func(s seen) bool { return s.status == 502 && s.body == "x" }},
		{`{"type":"page","status":200,"contentType":"a/b","body":"x"}`, func(s seen) bool { return s.header.Get("Content-Type") == "a/b" && s.body == "x" }},
		{`{"type":"json"}`, func(s seen) bool { return s.status == 200 && s.body == "" }},
		{`{"type":"json","body":"null"}`, func(s seen) bool { return s.body == "null" }},
		{`{"type":"delay","duration":"1ms"}`, func(s seen) bool { return s.body == regular.body }},
		{`{"type":"trickle","duration":"0s","bytes":10}`, func(s seen) bool { return s.body == regular.body }},
		{`{"type":"disconnect"}`, func(s seen) bool { return s.err != nil && s.status == 0 }},
		{`{"type":"cut","bytes":5}`, func(s seen) bool { return s.err != nil && s.body == regular.body[:5] }},
		{`{"type":"cut-chunked","bytes":5}`, func(s seen) bool { return s.err != nil && s.length < 0 }},
		{`{"type":"no-closing-bracket"}`, func(s seen) bool { return s.body == strings.TrimSuffix(regular.body, "}") }},
		{`{"type":"header","header":{"X":"y"}}`, func(s seen) bool { return s.header.Get("X") == "y" }},
		{`{"type":"content-type","contentType":"a/b"}`, func(s seen) bool { return s.header.Get("Content-Type") == "a/b" }},
		{`{"type":"no-authorization"}`, func(s seen) bool { return s.body == regular.body }},
		{`{"type":"bare-authorization"}`, func(s seen) bool { return s.body == regular.body }},
		{`{"type":"chain","effects":[{"type":"delay","duration":"1ms"},{"type":"status","status":500}]}`, func(s seen) bool { return s.status == 500 }},
	} {
		c.ok("POST", "/sim/faults", `{"match":{"call":"cluster"},"count":-1,"effect":`+test.effect+`}`)
		if got := c.see(t.Context(), "GET", "/v2/cluster", ""); !test.want(got) {
			t.Errorf("%s: %+v", test.effect, got)
		}
		c.ok("DELETE", "/sim/faults", "")
	}
}

func TestAdminFaultList(t *testing.T) {
	t.Parallel()
	sim, c := startAdmin(t)
	sim.AddFault(Fault{Effect: Disconnect(), Match: Match{Call: CallRefresh}, Count: 3})
	answer := c.ok("POST", "/sim/faults", `{"match":{"namespaceID":"x"},"effect":{"type":"stall"},"count":-1,"skip":2}`)
	id := decode[struct{ ID int }](t, answer).ID
	list := decode[[]adminFault](t, c.ok("GET", "/sim/faults", ""))
	if len(list) != 2 || list[0].Effect.Type != "custom" || list[0].Count != 3 ||
		list[1].ID != id || list[1].Effect.Type != "stall" || list[1].Skip != 2 || list[1].Match.NamespaceID != "x" {
		t.Errorf("%+v", list)
	}
	c.ok("DELETE", fmt.Sprint("/sim/faults/", id), "")
	if got := c.ok("GET", "/sim/faults", ""); strings.Contains(got, "stall") {
		t.Errorf("after its removal: %s", got)
	}
}

func TestAdminErrors(t *testing.T) {
	t.Parallel()
	sim, c := startAdmin(t)
	ns := sim.AddNamespace("dev")
	volumes := "/sim/namespaces/" + ns + "/volumes"
	id := mustAdd(t, sim, ns, VolumeSpec{})
	before, _ := sim.Volume(ns, id)
	for _, test := range []struct {
		method, path, body string
		want               int
		text               string // part of the error
	}{
		{"GET", "/sim/nothing", "", 404, "/sim/nothing"},
		{"POST", "/sim/state", "", 404, "POST"},
		{"POST", "/sim/nodes", "", 400, "request body"},
		{"POST", "/sim/nodes", "{}", 400, "name"},
		{"POST", "/sim/nodes", `{"nam":"x"}`, 400, "nam"},
		{"POST", "/sim/nodes", `{"name":"x"}{}`, 400, "more than one"},
		{"PATCH", "/sim/nodes/x", `{"name":"x"}`, 404, "node"},
		{"PATCH", "/sim/nodes/x", `{"health":"x"}`, 404, "node"},
		{"PATCH", "/sim/nodes/x", `{}`, 400, "name or health"},
		{"DELETE", "/sim/nodes/x", "", 404, "node"},
		{"POST", "/sim/namespaces", "{}", 400, "name"},
		{"DELETE", "/sim/namespaces/x", "", 404, "namespace"},
		{"GET", "/sim/namespaces/x/volumes", "", 404, "namespace"},
		{"POST", "/sim/namespaces/x/volumes", "{}", 404, "namespace"},
		{"POST", volumes, `{"size":1}`, 400, "size"},
		{"POST", volumes, `{"id":"` + id + `"}`, 400, "already exists"},
		{"PATCH", volumes + "/x", "{}", 404, "volume"},
		{"PATCH", volumes + "/" + id, `{"nfs":7}`, 400, "nfs"},
		{"PATCH", volumes + "/" + id, `{"sise":7}`, 400, "sise"},
		{"PATCH", volumes + "/" + id, `[]`, 400, "request body"},
		{"DELETE", volumes + "/x", "", 404, "volume"},
		{"POST", "/sim/namespaces/x/volumes/y/raw", "", 404, "namespace"},
		{"PUT", "/sim/cluster", "{}", 400, "id"},
		{"PUT", "/sim/credentials", "[]", 400, "request body"},
		{"PUT", "/sim/shuffle", "{}", 400, "request body"},
		{"POST", "/sim/fill", `{"volumes":-1}`, 400, "volumes"},
		{"POST", "/sim/fill", `{"nodes":1e9}`, 400, "nodes"},
		{"POST", "/sim/change", `[]`, 400, "request body"},
		{"DELETE", "/sim/faults/99", "", 404, "fault"},
		{"DELETE", "/sim/faults/x", "", 404, "fault"},
		{"POST", "/sim/faults", `{"effect":{"type":"nope"}}`, 400, `effect: type "nope"`},
		{"POST", "/sim/faults", `{}`, 400, "type"},
		{"POST", "/sim/faults", `{"effect":{"type":"status"}}`, 400, "status 0"},
		{"POST", "/sim/faults", `{"effect":{"type":"status","status":1000}}`, 400, "status 1000"},
		{"POST", "/sim/faults", `{"effect":{"type":"delay"}}`, 400, "duration"},
		{"POST", "/sim/faults", `{"effect":{"type":"delay","duration":"-1s"}}`, 400, "negative"},
		{"POST", "/sim/faults", `{"effect":{"type":"cut","bytes":-1}}`, 400, "bytes"},
		{"POST", "/sim/faults", `{"effect":{"type":"chain","effects":[{"type":"x"}]}}`, 400, `"x"`},
		{"POST", "/sim/faults", `{"effect":{"type":"stall"},"match":{"path":"["}}`, 400, "match.path"},
		{"POST", "/sim/faults", `{"effect":{"type":"stall"},"match":{"call":"x"}}`, 400, "match.call"},
		{"POST", "/sim/faults", `{"effect":{"type":"stall"},"count":-2}`, 400, "count"},
	} {
		status, _, body := c.do(test.method, test.path, test.body)
		if status != test.want || !isAPIError(body) || !strings.Contains(decode[apiError](t, body).Error, test.text) {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, status, body)
		}
	}
	if got := c.ok("GET", "/sim/faults", ""); got != "[]" {
		t.Errorf("a refused fault is in force: %s", got)
	}
	if after, _ := sim.Volume(ns, id); after.Version != before.Version {
		t.Errorf("a refused patch changed the volume: %+v", after)
	}
}
