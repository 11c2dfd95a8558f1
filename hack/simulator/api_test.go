// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"errors"
	"slices"
	"testing"

	api "github.com/storageos/go-api/v2"
)

func TestUnknown(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.AddNamespace("a")
	for _, call := range [][2]string{
		{"GET", "/"},
		{"GET", "/v2"},
		{"GET", "/v2/volumes"},
		{"GET", "/sim/state"},
		{"PUT", "/v2/cluster"},
		{"GET", "/v2/auth/login"},
		{"GET", volumesPath("nowhere")},
		{"GET", volumePath("nowhere", "x")},
		{"GET", volumePath(ns, "x")},
		{"DELETE", volumePath(ns, "x") + "?version=x"},
		{"DELETE", volumePath("nowhere", "x") + "?version=x"},
	} {
		if status, header, body := c.do(call[0], call[1], ""); status != 404 || !isAPIError(body) ||
			header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %v %s", call[0], call[1], status, header, body)
		}
	}
}

// Lists are arrays even when there is nothing in them.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	for _, shuffle := range []bool{false, true} {
		sim, c := startLoggedIn(t, Options{Shuffle: shuffle})
		for _, path := range []string{"/v2/nodes", "/v2/namespaces"} {
			if _, body := c.get(path); body != "[]" {
				t.Errorf("shuffle %t, %s: %q", shuffle, path, body)
			}
		}
		if _, body := c.get(volumesPath(sim.AddNamespace("a"))); body != "[]" {
			t.Errorf("shuffle %t, volumes: %q", shuffle, body)
		}
	}
}

func TestClusterNodesNamespaces(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{ClusterID: "one"})
	node := sim.AddNode("a.example")
	sim.AddNode("b.example")
	ns := sim.AddNamespace("dev")
	gone := sim.AddNamespace("gone")

	sim.SetClusterID("two")
	if err := sim.RenameNode(node, "c.example"); err != nil {
		t.Error(err)
	}
	if err := sim.SetNodeHealth(node, HealthOffline); err != nil {
		t.Error(err)
	}
	if err := sim.RemoveNamespace(gone); err != nil {
		t.Error(err)
	}

	_, body := c.get("/v2/cluster")
	if got := decode[api.Cluster](t, body); got.Id != "two" || sim.ClusterID() != "two" {
		t.Errorf("cluster %+v", got)
	}
	_, body = c.get("/v2/nodes")
	nodes := decode[[]api.Node](t, body)
	if len(nodes) != 2 || nodes[0].Id != node || nodes[0].Name != "c.example" || nodes[0].Health != api.NODEHEALTH_OFFLINE {
		t.Errorf("nodes %+v", nodes)
	}
	_, body = c.get("/v2/namespaces")
	if got := decode[[]api.Namespace](t, body); len(got) != 1 || got[0].Id != ns || got[0].Name != "dev" {
		t.Errorf("namespaces %+v", got)
	}
	if status, _ := c.get(volumesPath(gone)); status != 404 {
		t.Errorf("volumes of a removed namespace: %d", status)
	}
}

func TestMissingObjects(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	ns := sim.AddNamespace("a")
	_, addErr := sim.AddVolume("x", VolumeSpec{})
	_, volumeErr := sim.Volume(ns, "x")
	for name, err := range map[string]error{
		"RenameNode":              sim.RenameNode("x", "y"),
		"RemoveNode":              sim.RemoveNode("x"),
		"RemoveNamespace":         sim.RemoveNamespace("x"),
		"AddVolume":               addErr,
		"Volume":                  volumeErr,
		"SetVolume":               sim.SetVolume(Volume{NamespaceID: "x"}),
		"AddRawVolume":            sim.AddRawVolume("x", "y", nil),
		"UpdateVolume":            sim.UpdateVolume(ns, "x", func(*Volume) {}),
		"UpdateVolume, namespace": sim.UpdateVolume("x", "x", func(*Volume) {}),
		"RemoveVolume":            sim.RemoveVolume(ns, "x"),
		"RemoveVolume, namespace": sim.RemoveVolume("x", "x"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := sim.Volumes("x"); got != nil {
		t.Errorf("Volumes: %v", got)
	}
}

func TestShuffle(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.AddNamespace("dev")
	sim.AddNamespace("other")
	for range 20 {
		mustAdd(t, sim, ns, VolumeSpec{})
	}
	stable := c.names(ns)
	if again := c.names(ns); !slices.Equal(stable, again) {
		t.Error("the order changed without SetShuffle")
	}
	sim.SetShuffle(true)
	mixed := c.names(ns)
	if slices.Equal(stable, mixed) && slices.Equal(stable, c.names(ns)) {
		t.Error("twice the stable order: one chance in 20!²")
	}
	slices.Sort(stable)
	slices.Sort(mixed)
	if !slices.Equal(stable, mixed) {
		t.Error("shuffling lost volumes")
	}
}
