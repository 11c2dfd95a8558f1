package simulator_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What becomes of a volume when nodes are lost.
func TestLoseNodes(t *testing.T) {
	t.Parallel()
	type copies struct{ master, replica, attached string } // health; where it is attached
	for name, tc := range map[string]struct {
		lost       []int // nodes: 0 has the master, 1 the replica, 2 nothing
		change     func(*simulator.Volume)
		want       copies
		masterNode int
	}{
		"nothing":                         {want: copies{"online", "ready", "there"}},
		"a node without a copy":           {lost: []int{2}, want: copies{"online", "ready", "there"}},
		"the replica":                     {lost: []int{1}, want: copies{"online", "failed", "there"}},
		"the master":                      {lost: []int{0}, want: copies{"online", "failed", ""}, masterNode: 1},
		"both":                            {lost: []int{0, 1}, want: copies{"offline", "failed", ""}},
		"the replica may not be promoted": {lost: []int{0}, change: func(v *simulator.Volume) { v.Replicas[0].Promotable = false }, want: copies{"offline", "ready", ""}},
		"the replica is syncing":          {lost: []int{0}, change: func(v *simulator.Volume) { v.Replicas[0].Health = "syncing" }, want: copies{"offline", "syncing", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simulator.New(simulator.Options{})
			ns := sim.AddNamespace("one")
			nodes := []string{sim.AddNode("a"), sim.AddNode("b"), sim.AddNode("c")}
			id, err := sim.AddVolume(ns, simulator.VolumeSpec{Replicas: 1, MasterNodeID: nodes[0], AttachedOn: nodes[0]})
			if err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				if err := sim.UpdateVolume(ns, id, tc.change); err != nil {
					t.Fatal(err)
				}
			}
			var lost []string
			for _, i := range tc.lost {
				lost = append(lost, nodes[i])
			}
			if err := sim.LoseNodes(lost...); err != nil {
				t.Fatal(err)
			}
			v, err := sim.Volume(ns, id)
			if err != nil {
				t.Fatal(err)
			}
			got := copies{v.Master.Health, v.Replicas[0].Health, ""}
			if v.AttachedOn != "" {
				got.attached = "there"
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(copies{})); diff != "" || v.Master.NodeID != nodes[tc.masterNode] {
				t.Errorf("the master is on %s (-want +got):\n%s", v.Master.NodeID, diff)
			}
		})
	}
	if err := simulator.New(simulator.Options{}).LoseNodes("nowhere"); !errors.Is(err, simulator.ErrNotFound) {
		t.Errorf("a node that is not there: %v", err)
	}
}
