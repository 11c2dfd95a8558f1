package integration

import (
	"fmt"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Each fault of a listing: nothing is deleted, the other namespaces go on being
// saved, the next good poll heals.
func TestFaultListing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 5, Nodes: 3, Volumes: 50, CSI: -1})
	c := e.controller("-orphan-grace-period", "0", "-api-timeout", "1s")
	e.eventually("50 records", 30*time.Second, func() error {
		if n := len(e.all()); n != 50 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	c.polls(2)
	broken, whole := filled[0], filled[1]
	for name, effect := range map[string]simulator.Effect{
		"500":             simulator.Status(500, "broken"),
		"503":             simulator.Status(503, "no store"),
		"401":             simulator.Status(401, "no"),
		"404":             simulator.Status(404, "no such namespace"),
		"an empty body":   simulator.JSON(""),
		"null":            simulator.JSON("null"),
		"an object":       simulator.JSON(`{}`),
		"cut":             simulator.CutAfter(300),
		"no end":          simulator.NoClosingBracket(),
		"HTML":            simulator.HTML(200),
		"silence":         simulator.Silence(),
		"stall":           simulator.Stall(),
		"another content": simulator.ContentType("text/plain"),
	} {
		t.Run(name, func(t *testing.T) {
			failures := c.metric("storageos_sync_volume_errors_total", "list")
			deletions := c.metric("storageos_volume_writes_total", "delete")
			remove := e.sim.AddFault(simulator.Fault{
				Match:  simulator.Match{Call: simulator.CallVolumes, NamespaceID: broken.NamespaceID},
				Effect: effect, Count: simulator.Always,
			})
			defer remove()
			eventually(t, "the fault is met", 20*time.Second, func() error {
				if n := c.metric("storageos_sync_volume_errors_total", "list"); n < failures+2 {
					return fmt.Errorf("%v failures", n-failures)
				}
				return nil
			})
			size := uint64(time.Now().UnixNano())
			e.must(e.sim.UpdateVolume(whole.NamespaceID, whole.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			eventually(t, "the others are saved", 10*time.Second, func() error {
				return e.want(whole.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == int64(size) })
			})
			e.must(e.sim.UpdateVolume(broken.NamespaceID, broken.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			remove()
			begun := time.Now()
			eventually(t, "it heals", 10*time.Second, func() error {
				return e.want(broken.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == int64(size) })
			})
			healed(t, "StorageOS: the list of one namespace of five: "+name, "the other four are kept true, nothing is deleted", begun)
			if n := c.metric("storageos_volume_writes_total", "delete"); n != deletions || len(e.all()) != 50 {
				t.Errorf("%v records were deleted", n-deletions)
			}
		})
	}
}

// With deletion switched off, an orphan is counted and stays.
func TestDeleteOrphansOff(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 3, CSI: -1})
	c := e.controller("-delete-orphans=false", "-orphan-grace-period", "1s")
	e.eventually("3 records", 20*time.Second, func() error {
		if n := len(e.all()); n != 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	e.must(e.sim.RemoveVolume(filled[0].NamespaceID, filled[0].ID))
	e.eventually("the orphan is counted", 10*time.Second, func() error {
		if n := c.metric("storageos_volume_orphans", "record"); n != 1 {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	c.polls(3)
	if n := len(e.all()); n != 3 {
		t.Errorf("%d records are left of 3", n)
	}
}
