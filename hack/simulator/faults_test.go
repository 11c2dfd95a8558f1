// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"slices"
	"testing"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	a, b := sim.AddNamespace("a"), sim.AddNamespace("b")
	id := mustAdd(t, sim, a, VolumeSpec{})
	calls := map[string][2]string{
		"refresh":    {"POST", "/v2/auth/refresh"},
		"cluster":    {"GET", "/v2/cluster"},
		"nodes":      {"GET", "/v2/nodes"},
		"namespaces": {"GET", "/v2/namespaces"},
		"volumes a":  {"GET", volumesPath(a)},
		"volumes b":  {"GET", volumesPath(b)},
		"volume":     {"GET", volumePath(a, id)},
		"other":      {"GET", "/v2/other"},
	}
	all := []string{"cluster", "namespaces", "nodes", "other", "refresh", "volume", "volumes a", "volumes b"}
	for _, test := range []struct {
		name  string
		match Match
		want  []string
	}{
		{"everything", Match{}, all},
		{"call", Match{Call: CallNodes}, []string{"nodes"}},
		{"unknown path", Match{Call: CallOther}, []string{"other"}},
		{"method", Match{Method: "POST"}, []string{"refresh"}},
		{"path", Match{Path: "/v2/namespaces/*/volumes"}, []string{"volumes a", "volumes b"}},
		{"bad pattern", Match{Path: "["}, nil},
		{"namespace", Match{NamespaceID: a}, []string{"volume", "volumes a"}},
		{"call and namespace", Match{Call: CallVolumes, NamespaceID: b}, []string{"volumes b"}},
		{"nothing", Match{Call: CallNodes, Method: "POST"}, nil},
	} {
		remove := sim.AddFault(Fault{Match: test.match, Effect: Status(418, ""), Count: Always})
		var got []string
		for name, call := range calls {
			if status, _, _ := c.do(call[0], call[1], ""); status == 418 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: matched %v, want %v", test.name, got, test.want)
		}
		remove()
		remove()
	}
}

func TestCountAndSkip(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults []Fault
		want   []int // of five requests
	}{
		{"none", nil, []int{200, 200, 200, 200, 200}},
		{"once", []Fault{{Effect: Status(500, "")}}, []int{500, 200, 200, 200, 200}},
		{"twice", []Fault{{Effect: Status(500, ""), Count: 2}}, []int{500, 500, 200, 200, 200}},
		{"always", []Fault{{Effect: Status(500, ""), Count: Always}}, []int{500, 500, 500, 500, 500}},
		{"later", []Fault{{Effect: Status(500, ""), Skip: 2, Count: 2}}, []int{200, 200, 500, 500, 200}},
		{"one after the other", []Fault{{Effect: Status(500, "")}, {Effect: Status(503, "")}}, []int{500, 503, 200, 200, 200}},
		{"what passes one meets the next", []Fault{{Effect: Status(500, ""), Skip: 1}, {Effect: Status(503, ""), Count: 2}}, []int{503, 500, 503, 200, 200}},
	} {
		sim, c := startLoggedIn(t, Options{})
		for _, fault := range test.faults {
			sim.AddFault(fault)
		}
		var got []int
		for range 5 {
			status, _ := c.get("/v2/cluster")
			got = append(got, status)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestClearFaults(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	remove := sim.AddFault(Fault{Effect: Status(500, ""), Count: Always})
	sim.AddFault(Fault{Effect: Status(503, ""), Count: Always})
	sim.ClearFaults()
	sim.AddFault(Fault{Effect: Status(418, ""), Count: Always})
	remove() // of a fault that has gone: must not touch another
	if status, _ := c.get("/v2/cluster"); status != 418 {
		t.Errorf("status %d", status)
	}
}
