package integration

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// json is a volume as StorageOS renders it.
func (e *env) json(f simulator.Filled) string {
	e.t.Helper()
	v, err := e.sim.Volume(f.NamespaceID, f.ID)
	e.must(err)
	text, err := json.Marshal(v)
	e.must(err)
	return string(text)
}

// A volume that no listing shows is asked for by its ID, and only the API's own
// 404 is taken for its end.
func TestFaultProof(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 3, CSI: -1})
	c := e.controller("-orphan-grace-period", "1s")
	e.eventually("3 records", 15*time.Second, func() error { return e.names(filled[0].Name, filled[1].Name, filled[2].Name) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	f := filled[0]
	hide := func() (show func()) {
		// The list of the others: what another node that lags behind answers.
		return e.sim.AddFault(simulator.Fault{
			Match: simulator.Match{Call: simulator.CallVolumes}, Count: simulator.Always,
			Effect: simulator.JSON("[" + e.json(filled[1]) + "," + e.json(filled[2]) + "]"),
		})
	}
	for name, answer := range map[string]simulator.Effect{
		"it is there":    nil,
		"500":            simulator.Status(500, "broken"),
		"403":            simulator.Status(403, "no"),
		"HTML 404":       simulator.HTML(404),
		"empty 404":      simulator.Page(404, "application/json", ""),
		"another volume": simulator.JSON(e.json(filled[1])),
		"no answer":      simulator.Disconnect(),
	} {
		t.Run(name, func(t *testing.T) {
			if answer != nil {
				defer e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolume}, Effect: answer, Count: simulator.Always})()
			}
			show := hide()
			asked := e.sim.Stats().Requests[simulator.CallVolume]
			eventually(t, "it is asked for twice", 15*time.Second, func() error {
				if n := e.sim.Stats().Requests[simulator.CallVolume] - asked; n < 2 {
					return fmt.Errorf("%d times", n)
				}
				return nil
			})
			// A request that is cut off is asked once more by net/http itself: the
			// second may not be answered yet.
			eventually(t, "its deletion is held", 15*time.Second, func() error {
				if n := c.metric("storageos_volume_deletions_held"); n != 1 {
					return fmt.Errorf("%v deletions are held", n)
				}
				return nil
			})
			eventually(t, "its record says that it is absent", 15*time.Second, func() error {
				return e.want(f.ID, func(r *v1.Volume) bool { return r.Annotations[v1.AnnotationAbsentSince] != "" })
			})
			show()
			eventually(t, "it is present again", 15*time.Second, func() error {
				return e.want(f.ID, func(r *v1.Volume) bool { return r.Annotations[v1.AnnotationAbsentSince] == "" })
			})
			eventually(t, "nothing is held any more", 15*time.Second, func() error {
				if n := c.metric("storageos_volume_deletions_held"); n != 0 {
					return fmt.Errorf("%v", n)
				}
				return nil
			})
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
	e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
	e.eventually("its own 404 ends it", 10*time.Second, func() error { return e.names(filled[1].Name, filled[2].Name) })
}
