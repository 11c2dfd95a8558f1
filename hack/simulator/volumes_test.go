// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	api "github.com/storageos/go-api/v2"
)

// What is added, changed and removed shows in the next list and get.
func TestVolumes(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	node := sim.AddNode("a")
	ns := sim.AddNamespace("dev")
	other := sim.AddNamespace("other")
	a := mustAdd(t, sim, ns, VolumeSpec{Name: "a"})
	b := mustAdd(t, sim, ns, VolumeSpec{Name: "b", AttachedOn: node, Replicas: 2, Labels: map[string]string{"x": "y"}})
	mustAdd(t, sim, other, VolumeSpec{Name: "a"})

	if got := c.names(ns); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("listed %v", got)
	}
	_, body := c.get(volumePath(ns, b))
	got := decode[api.Volume](t, body)
	if got.Id != b || got.NamespaceID != ns || got.AttachedOn != node || got.AttachmentType != api.ATTACHTYPE_HOST ||
		got.FsType != api.FSTYPE_EXT4 || got.SizeBytes != 5<<30 || len(*got.Replicas) != 2 ||
		got.Master.NodeID != node || got.Master.Health != api.MASTERHEALTH_ONLINE || got.Labels["x"] != "y" {
		t.Errorf("got %+v", got)
	}

	if err := sim.UpdateVolume(ns, a, func(v *Volume) { v.Name, v.SizeBytes, v.ID = "renamed", 1<<63+1, "x" }); err != nil {
		t.Error(err)
	}
	_, body = c.get(volumePath(ns, a))
	updated := decode[Volume](t, body)
	if updated.ID != a || updated.SizeBytes != 1<<63+1 || updated.Version == "" {
		t.Errorf("updated %+v", updated)
	}
	if got := c.names(ns); !slices.Equal(got, []string{"renamed", "b"}) {
		t.Errorf("after an update: %v", got)
	}
	before, _ := sim.Volume(ns, b)
	if err := sim.UpdateVolume(ns, b, func(v *Volume) { v.Labels["z"] = "1" }); err != nil {
		t.Error(err)
	}
	if after, _ := sim.Volume(ns, b); after.Version == before.Version || after.Labels["z"] != "1" {
		t.Errorf("an edit in place went unnoticed: %+v", after)
	}

	if err := sim.RemoveVolume(ns, a, "no such volume"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the removal of one that is not there: %v", err)
	}
	if status, _ := c.get(volumePath(ns, a)); status != 200 {
		t.Errorf("%d for one that was to go with it", status)
	}
	if err := sim.RemoveVolume(ns, a); err != nil {
		t.Error(err)
	}
	if got := c.names(ns); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after a removal: %v", got)
	}
	if status, _ := c.get(volumePath(ns, a)); status != 404 {
		t.Errorf("removed volume: %d", status)
	}
	if status, _ := c.get(volumePath(other, b)); status != 404 {
		t.Errorf("volume asked for in another namespace: %d", status)
	}
	if _, err := sim.AddVolume(ns, VolumeSpec{ID: b}); err == nil {
		t.Error("an ID was given twice")
	}
}

// A volume that is set is stored to the letter.
func TestSetVolume(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.AddNamespace("dev")
	endpoint := "192.0.2.1:2049"
	want := Volume{
		ID: "v", NamespaceID: ns, Name: "-odd.", Labels: map[string]string{"a": "<&>"},
		NFS: &NFSConfig{ServiceEndpoint: &endpoint, Exports: []NFSExport{{
			ExportID: 1<<64 - 1, Path: "/", PseudoPath: "/p", ACLs: []NFSACL{{
				Identity:     NFSIdentity{IdentityType: "cidr", Matcher: "10.0.0.0/8"},
				SquashConfig: NFSSquashConfig{UID: -2, GID: -2, Squash: "root"}, AccessLevel: "rw",
			}},
		}}},
		Master: Master{ID: "m", NodeID: "n", Health: HealthUnknown},
		Replicas: []Replica{{ID: "r", Health: HealthSyncing, SyncProgress: &SyncProgress{
			BytesRemaining: 1<<64 - 1, ThroughputBytes: 1, EstimatedSecondsRemaining: 2,
		}}},
		SizeBytes: 1<<64 - 1, Version: "mine",
	}
	if err := sim.SetVolume(want); err != nil {
		t.Fatal(err)
	}
	_, body := c.get(volumePath(ns, "v"))
	if got := decode[Volume](t, body); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := sim.SetVolume(Volume{ID: "v", NamespaceID: ns}); err != nil {
		t.Fatal(err)
	}
	_, body = c.get(volumePath(ns, "v"))
	for _, part := range []string{`"replicas":null`, `"nfs":null`, `"labels":{}`, `"version":""`} {
		if !strings.Contains(body, part) {
			t.Errorf("no %s in %s", part, body)
		}
	}
	if strings.Contains(body, "ostname") || strings.Contains(body, "attachedOnHost") || strings.Contains(body, "topology") {
		t.Errorf("an old server sends fields of a newer one: %s", body)
	}
	if got := len(sim.Volumes(ns)); got != 1 {
		t.Errorf("%d volumes, want the one that was replaced", got)
	}
}

func TestRawVolumes(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.AddNamespace("dev")
	id := mustAdd(t, sim, ns, VolumeSpec{Name: "a"})
	raws := []string{`{"id":"big","sizeBytes":99999999999999999999}`, `{"id":"` + id + `","name":"twin"}`, `17`}
	for i, raw := range raws {
		if err := sim.AddRawVolume(ns, []string{"big", id, "number"}[i], []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	_, body := c.get(volumesPath(ns))
	if !strings.HasSuffix(body, ","+strings.Join(raws, ",")+"]") {
		t.Errorf("listing %s", body)
	}
	if _, body := c.get(volumePath(ns, "big")); body != raws[0] {
		t.Errorf("get: %s", body)
	}
	if _, body := c.get(volumePath(ns, id)); decode[Volume](t, body).Name != "a" {
		t.Errorf("of twins the second was got: %s", body)
	}
	if err := sim.UpdateVolume(ns, "big", func(*Volume) {}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("update of a volume that cannot be decoded: %v", err)
	}
	if got := len(sim.Volumes(ns)); got != 2 {
		t.Errorf("%d volumes can be decoded, want 2", got)
	}
	if err := sim.RemoveVolume(ns, id); err != nil {
		t.Error(err)
	}
	if _, body := c.get(volumesPath(ns)); body != "["+raws[0]+",17]" {
		t.Errorf("after the removal of twins: %s", body)
	}
}

func TestDeleteVolume(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	node := sim.AddNode("a")
	ns := sim.AddNamespace("dev")
	free := mustAdd(t, sim, ns, VolumeSpec{})
	attached := mustAdd(t, sim, ns, VolumeSpec{AttachedOn: node})
	if err := sim.AddRawVolume(ns, "raw", []byte(`7`)); err != nil {
		t.Fatal(err)
	}
	version := func(id string) string {
		v, err := sim.Volume(ns, id)
		if err != nil {
			t.Fatal(err)
		}
		return url.QueryEscape(v.Version)
	}
	for _, test := range []struct {
		name, id, query string
		want            int
	}{
		{"no version", free, "", 400},
		{"not a boolean", free, "?version=x&ignore-version=maybe", 400},
		{"stale", free, "?version=x", 412},
		{"attached", attached, "?version=" + version(attached), 409},
		{"unreadable", "raw", "?version=x", 500},
		{"right", free, "?version=" + version(free), 200},
		{"again", free, "?version=x", 404},
	} {
		status, _, body := c.do(http.MethodDelete, volumePath(ns, test.id)+test.query, "")
		if status != test.want || (status != 200) != isAPIError(body) {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	if err := sim.UpdateVolume(ns, attached, func(v *Volume) { v.AttachedOn = "" }); err != nil {
		t.Fatal(err)
	}
	if status, _, body := c.do(http.MethodDelete, volumePath(ns, attached)+"?version=x&ignore-version=true", ""); status != 200 || body != "" {
		t.Errorf("forced: %d %q", status, body)
	}
}

func TestNewerServer(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{NewerServer: true})
	node := sim.AddNode("a.example")
	ns := sim.AddNamespace("dev")
	id := mustAdd(t, sim, ns, VolumeSpec{AttachedOn: node, Replicas: 1})
	if err := sim.AddRawVolume(ns, "raw", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	check := func(name string) {
		t.Helper()
		_, body := c.get(volumePath(ns, id))
		v := decode[Volume](t, body)
		if v.AttachedOnHost != name || v.Master.Hostname != name || v.Replicas[0].Hostname != name || len(v.TopologyLabels) == 0 {
			t.Errorf("want host %q: %s", name, body)
		}
	}
	check("a.example")
	if err := sim.RenameNode(node, "b.example"); err != nil {
		t.Fatal(err)
	}
	check("b.example")
	if _, body := c.get(volumesPath(ns)); !strings.HasSuffix(body, ",{}]") || !strings.Contains(body, "b.example") {
		t.Errorf("listing %s", body)
	}
	if err := sim.RemoveNode(node); err != nil {
		t.Fatal(err)
	}
	check("")
}
