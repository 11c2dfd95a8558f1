// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	made := sim.Fill(FillOptions{Namespaces: 3, Nodes: 4, Volumes: 100, CSI: 60})
	if len(made) != 100 || len(sim.Namespaces()) != 3 || len(sim.Nodes()) != 4 {
		t.Fatalf("%d volumes, %d namespaces, %d nodes", len(made), len(sim.Namespaces()), len(sim.Nodes()))
	}
	nodes := map[string]bool{}
	for _, node := range sim.Nodes() {
		nodes[node.ID] = true
	}
	attached, names := 0, map[string]bool{}
	for i, f := range made {
		v, err := sim.Volume(f.NamespaceID, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		if names[f.NamespaceID+f.Name] {
			t.Errorf("name %q twice in one namespace", f.Name)
		}
		names[f.NamespaceID+f.Name] = true
		if v.Name != f.Name || v.SizeBytes != f.SizeBytes || v.SizeBytes%(1<<30) != 0 || v.FSType != f.FSType ||
			len(v.Replicas) != f.Replicas || f.Handle() != v.NamespaceID+"/"+v.ID {
			t.Errorf("made %+v, stored %+v", f, v)
		}
		if (f.PVCName != "") != (i < 60) || v.Labels[LabelPVCName] != f.PVCName || v.Labels[LabelPVCNamespace] != f.PVCNamespace {
			t.Errorf("volume %d: made %+v, labels %v", i, f, v.Labels)
		}
		if i < 60 && (v.Labels[LabelPVName] != f.Name || !strings.HasPrefix(f.Name, "pvc-") || f.PVCNamespace != f.NamespaceName) {
			t.Errorf("volume %d: made %+v, labels %v", i, f, v.Labels)
		}
		placed := map[string]bool{v.Master.NodeID: true}
		for _, r := range v.Replicas {
			placed[r.NodeID] = true
		}
		for id := range placed {
			if !nodes[id] {
				t.Errorf("placed on %q, which is no node", id)
			}
		}
		if len(placed) != 1+len(v.Replicas) {
			t.Errorf("two deployments on one node: %+v", v)
		}
		if v.AttachedOn != "" {
			attached++
		}
	}
	if attached < 20 || attached > 80 {
		t.Errorf("%d of 100 volumes are attached", attached)
	}
}

func TestFillUsesWhatIsThere(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	if made := sim.Fill(FillOptions{Volumes: 1, CSI: -1}); made[0].NamespaceName != "default" || made[0].PVCName == "" {
		t.Errorf("into nothing: %+v", made)
	}
	ns := sim.AddNamespace("mine")
	if made := sim.Fill(FillOptions{Volumes: 2}); made[1].NamespaceID != ns || len(sim.Namespaces()) != 2 {
		t.Errorf("into two namespaces: %+v", made)
	}
}

// A seed and a clock decide everything that the API shows.
func TestSeed(t *testing.T) {
	t.Parallel()
	show := func(seed uint64, logins int) string {
		sim, c := startLoggedIn(t, Options{Seed: seed, Now: newFakeClock().Now})
		for range logins {
			c.login()
		}
		made := sim.Fill(FillOptions{Namespaces: 2, Nodes: 3, Volumes: 20, CSI: 10})
		sim.Change(30)
		_, cluster := c.get("/v2/cluster")
		_, nodes := c.get("/v2/nodes")
		_, volumes := c.get(volumesPath(made[0].NamespaceID))
		return cluster + nodes + volumes
	}
	if show(1, 0) != show(1, 5) {
		t.Error("one seed, two populations")
	}
	if show(1, 0) == show(2, 0) {
		t.Error("two seeds, one population")
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	if got := sim.Change(3); got != 0 {
		t.Errorf("%d changes to nothing", got)
	}
	made := sim.Fill(FillOptions{Namespaces: 2, Nodes: 3, Volumes: 20, CSI: 20})
	versions := map[string]string{}
	for _, f := range made {
		v, _ := sim.Volume(f.NamespaceID, f.ID)
		versions[v.ID] = v.Version
	}
	if got := sim.Change(500); got != 500 {
		t.Errorf("%d changes, want 500", got)
	}
	syncing := 0
	for _, f := range made {
		v, err := sim.Volume(f.NamespaceID, f.ID)
		if err != nil {
			t.Fatalf("a change removed a volume: %v", err)
		}
		if v.Version == versions[v.ID] {
			t.Errorf("volume %s is as it was", v.ID)
		}
		if (v.AttachedOn == "") != (v.AttachmentType == AttachmentDetached) {
			t.Errorf("attached on %q as %q", v.AttachedOn, v.AttachmentType)
		}
		for _, r := range v.Replicas {
			if (r.Health == HealthSyncing) != (r.SyncProgress != nil) {
				t.Errorf("replica %+v", r)
			}
			if r.SyncProgress != nil {
				syncing++
			}
		}
	}
	if syncing == 0 {
		t.Error("no replica is syncing")
	}
}
