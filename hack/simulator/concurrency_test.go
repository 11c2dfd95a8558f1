// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
)

// Everything at once, for the race detector; whatever is read must be whole.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{NewerServer: true})
	sim.Fill(FillOptions{Namespaces: 3, Nodes: 3, Volumes: 60, CSI: 30})
	namespaces, nodes := sim.Namespaces(), sim.Nodes()
	ns := namespaces[0].ID
	const rounds = 16

	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range rounds {
				id, err := sim.AddVolume(ns, VolumeSpec{Replicas: 1})
				if err != nil {
					t.Error(err)
					return
				}
				if err := sim.UpdateVolume(ns, id, func(v *Volume) { v.Labels["i"] = fmt.Sprint(i) }); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					if err := sim.RemoveVolume(ns, id); err != nil {
						t.Error(err)
					}
				}
				if err := sim.RenameNode(nodes[worker%3].ID, fmt.Sprint(worker, i)); err != nil {
					t.Error(err)
				}
				sim.SetShuffle(i%3 == 0)
				sim.Change(2)
				sim.SetClusterID(fmt.Sprint(i))
				remove := sim.AddFault(Fault{Match: Match{Call: CallOther}, Effect: Status(500, "")})
				_ = sim.Log()
				remove()
				_ = sim.RemoveNamespace(sim.AddNamespace("passing"))
			}
		})
		all.Go(func() {
			for range rounds {
				for _, path := range []string{volumesPath(ns), "/v2/nodes", "/v2/namespaces", "/v2/cluster"} {
					if status, body := c.get(path); status != 200 || !json.Valid([]byte(body)) {
						t.Errorf("%s: %d %.200s", path, status, body)
					}
				}
				_, _, _ = c.do("POST", "/v2/auth/login", goodLogin)
				_ = sim.Volumes(ns)
				_ = sim.Stats()
			}
		})
	}
	all.Wait()
	if got, want := len(sim.Volumes(ns)), 20+4*rounds/2; got != want {
		t.Errorf("%d volumes are left, want %d", got, want)
	}
}
