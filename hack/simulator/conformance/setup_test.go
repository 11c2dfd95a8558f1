// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"net/http"
	"testing"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// cluster is a simulator with something of everything in it.
type cluster struct {
	*simulator.Simulator
	url       string
	transport *transport
	namespace string // of the volumes below
	free      string // a detached volume
	attached  string // an attached one, with replicas
	full      string // one with a value in every field
}

func newCluster(t *testing.T, options simulator.Options) *cluster {
	t.Helper()
	c := &cluster{
		Simulator: simulator.New(options),
		transport: &transport{spec: load(t), seen: map[string]bool{}},
	}
	var err error
	if c.url, err = c.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)

	c.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 3, Volumes: 50, CSI: 40})
	c.Change(100)
	c.namespace = c.Namespaces()[0].ID
	add := func(spec simulator.VolumeSpec) string {
		id, err := c.AddVolume(c.namespace, spec)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	node := c.Nodes()[0].ID
	c.free = add(simulator.VolumeSpec{})
	c.attached = add(simulator.VolumeSpec{AttachedOn: node, Replicas: 2})
	endpoint := "192.0.2.7:2049"
	c.full = add(simulator.VolumeSpec{
		Description: "all there is", Labels: map[string]string{"env": "prod"}, Replicas: 1,
		AttachedOn: node, AttachmentType: simulator.AttachmentNFS,
		NFS: &simulator.NFSConfig{ServiceEndpoint: &endpoint, Exports: []simulator.NFSExport{{
			ExportID: 1, Path: "/", PseudoPath: "/data", ACLs: []simulator.NFSACL{{
				Identity:     simulator.NFSIdentity{IdentityType: "cidr", Matcher: "10.0.0.0/8"},
				SquashConfig: simulator.NFSSquashConfig{UID: -2, GID: -2, Squash: "root"},
				AccessLevel:  "rw",
			}},
		}}},
	})
	c.update(t, c.full, func(v *simulator.Volume) {
		v.SizeBytes = 1<<64 - 1
		v.Replicas[0].Health = simulator.HealthSyncing
		v.Replicas[0].SyncProgress = &simulator.SyncProgress{
			BytesRemaining: 1<<64 - 1, ThroughputBytes: 100, EstimatedSecondsRemaining: 7,
		}
	})
	empty := add(simulator.VolumeSpec{})
	c.update(t, empty, func(v *simulator.Volume) { v.NFS, v.Replicas, v.Labels = nil, nil, nil })
	return c
}

func (c *cluster) update(t *testing.T, id string, change func(*simulator.Volume)) {
	t.Helper()
	if err := c.UpdateVolume(c.namespace, id, change); err != nil {
		t.Fatal(err)
	}
}
