// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"fmt"
	"testing"
)

func TestCreateNamespace(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	for _, test := range []struct {
		name, body string
		want       int
	}{
		{"new", `{"name":"shop","labels":{"a":"b"}}`, 201},
		{"again", `{"name":"shop"}`, 409},
		{"no name", `{}`, 400},
		{"not a legal name", `{"name":"Shop"}`, 400},
		{"no JSON", `shop`, 400},
	} {
		status, _, body := c.do("POST", "/v2/namespaces", test.body)
		if status != test.want || (status != 201) != isAPIError(body) {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	if got := sim.Namespaces(); len(got) != 1 || got[0].Name != "shop" || got[0].Labels["a"] != "b" {
		t.Errorf("namespaces %+v", got)
	}
}

func TestCreateVolume(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	sim.AddNode("a")
	ns, other := sim.AddNamespace("dev"), sim.AddNamespace("other")
	body := func(name, fsType, replicas string) string {
		return fmt.Sprintf(`{"namespaceID":%q,"name":%q,"fsType":%q,"sizeBytes":3221225472,"labels":{%q:%q}}`,
			ns, name, fsType, LabelReplicas, replicas)
	}
	for _, test := range []struct {
		name, namespace, body string
		want                  int
	}{
		{"new", ns, body("data", "xfs", "2"), 201},
		{"again", ns, body("data", "xfs", "2"), 409},
		{"another namespace than the path's", other, body("data", "xfs", "2"), 400},
		{"no namespace", "none", `{"namespaceID":"none","name":"a","fsType":"ext4"}`, 400},
		{"not a legal name", ns, body("Data", "xfs", "2"), 400},
		{"unknown file system", ns, body("a", "fat", "2"), 400},
		{"replicas that are no number", ns, body("a", "xfs", "two"), 400},
		{"too many replicas", ns, body("a", "xfs", "6"), 400},
		{"no JSON", ns, `data`, 400},
	} {
		status, _, body := c.do("POST", volumesPath(test.namespace), test.body)
		if status != test.want || (status != 201) != isAPIError(body) {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	made := sim.Volumes(ns)
	if len(made) != 1 {
		t.Fatalf("%d volumes", len(made))
	}
	if v := made[0]; v.Name != "data" || v.FSType != "xfs" || v.SizeBytes != 3<<30 || len(v.Replicas) != 2 || v.Labels[LabelReplicas] != "2" {
		t.Errorf("volume %+v", v)
	}
}

func TestResizeVolume(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	ns := sim.AddNamespace("dev")
	id := mustAdd(t, sim, ns, VolumeSpec{SizeBytes: 5 << 30})
	if err := sim.AddRawVolume(ns, "raw", []byte(`7`)); err != nil {
		t.Fatal(err)
	}
	v, err := sim.Volume(ns, id)
	if err != nil {
		t.Fatal(err)
	}
	body := func(gib int, version string) string {
		return fmt.Sprintf(`{"sizeBytes":%d,"version":%q}`, gib<<30, version)
	}
	for _, test := range []struct {
		name, id, query, body string
		want                  int
	}{
		{"stale", id, "", body(6, "x"), 412},
		{"smaller", id, "", body(4, v.Version), 400},
		{"too small", id, "", body(0, v.Version), 400},
		{"right", id, "", body(6, v.Version), 200},
		{"whatever the version", id, "?ignore-version=true", body(7, ""), 200},
		{"not a boolean", id, "?ignore-version=maybe", body(8, ""), 400},
		{"no JSON", id, "", "8", 400},
		{"none", "none", "", body(6, "x"), 404},
		{"unreadable", "raw", "", body(6, "x"), 500},
	} {
		status, _, body := c.do("PUT", volumePath(ns, test.id)+"/size"+test.query, test.body)
		if status != test.want || (status != 200) != isAPIError(body) {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	if now, err := sim.Volume(ns, id); err != nil || now.SizeBytes != 7<<30 || now.Version == v.Version {
		t.Errorf("volume %+v, %v", now, err)
	}
}
