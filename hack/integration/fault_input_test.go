package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// One volume that cannot be recorded costs only itself. What is checked is not
// how soon: 4 MiB take a while with the race detector.
func TestFaultInput(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 10, CSI: -1})
	c := e.controller("-orphan-grace-period", "30s") // a listing may come between removing and adding
	e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	bad, good := filled[0], filled[1]
	spoil := func(field string, value any) func() error {
		return func() error {
			var fields map[string]any
			if err := json.Unmarshal([]byte(e.json(bad)), &fields); err != nil {
				return err
			}
			fields[field] = value
			raw, err := json.Marshal(fields)
			if err != nil {
				return err
			}
			return errors.Join(e.sim.RemoveVolume(bad.NamespaceID, bad.ID), e.sim.AddRawVolume(bad.NamespaceID, bad.ID, raw))
		}
	}
	many := map[string]any{}
	for i := range 10_000 {
		many[fmt.Sprintf("label-%05d", i)] = strings.Repeat("x", 100)
	}
	original, err := e.sim.Volume(bad.NamespaceID, bad.ID)
	e.must(err)
	size := uint64(5 << 30)
	for _, tc := range []struct {
		name   string
		spoil  func() error
		stored bool // it can be recorded all the same
	}{
		{"a size that is a text", spoil("sizeBytes", "5Gi"), false},
		{"a size beyond int64", spoil("sizeBytes", uint64(1<<63)), false},
		{"a master that is a list", spoil("master", []string{}), false},
		{"a label of almost 4 MiB", spoil("labels", map[string]any{"x": strings.Repeat("x", 4<<20-10_000)}), false},
		{"10,000 labels", spoil("labels", many), false},
		{"control characters", spoil("description", "a\x00\x1b[31m\n\u2028b"), true},
		{"a file system that nobody knows", spoil("fsType", "🦊"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			failures := c.metric("storageos_sync_volume_errors_total")
			before, err := e.record(bad.ID)
			e.must(err)
			e.must(tc.spoil())
			size += 1 << 30
			e.must(e.sim.UpdateVolume(good.NamespaceID, good.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			eventually(t, "the others are saved", 20*time.Second, func() error {
				return e.want(good.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == int64(size) })
			})
			c.polls(2)
			after, err := e.record(bad.ID)
			e.must(err)
			if same := cmp.Equal(before.Spec, after.Spec); same == tc.stored {
				t.Errorf("its record is as it was: %v", same)
			}
			if !tc.stored {
				eventually(t, "it is counted", 20*time.Second, func() error {
					if n := c.metric("storageos_sync_volume_errors_total") - failures; n < 1 {
						return fmt.Errorf("%v errors", n)
					}
					return nil
				})
				eventually(t, "it is said", 20*time.Second, func() error {
					if e.events("VolumeInvalid", after.Name) == 0 {
						return errors.New("not yet")
					}
					return nil
				})
			}
			e.must(errors.Join(e.sim.RemoveVolume(bad.NamespaceID, bad.ID), e.sim.SetVolume(original)))
			begun := time.Now()
			eventually(t, "it heals", 20*time.Second, func() error {
				return e.want(bad.ID, func(r *v1.Volume) bool {
					return r.Spec.SizeBytes == int64(bad.SizeBytes) && r.Spec.Description == "" && r.Spec.FsType == original.FSType && r.Spec.ConfigLabels["x"] == ""
				})
			})
			meanwhile := "its record stays as it is and an event says so; the others are kept true"
			if tc.stored {
				meanwhile = "it is recorded as it is"
			}
			healed(t, "Input: a volume has "+tc.name, meanwhile, begun)
			eventually(t, "and is at rest", 20*time.Second, func() error { return c.atRest(2) })
		})
	}

	twin := original
	twin.SizeBytes = 1 << 30
	elsewhere := twin
	if elsewhere.NamespaceID = good.NamespaceID; elsewhere.NamespaceID == bad.NamespaceID {
		elsewhere.NamespaceID = e.sim.AddNamespace("twin")
	}
	raw, err := json.Marshal(twin)
	e.must(err)
	for n, tc := range []struct {
		name     string
		begin    func() error
		inNS, id string // of what is to be removed
	}{
		{"one ID is listed in two namespaces", func() error { return e.sim.SetVolume(elsewhere) }, elsewhere.NamespaceID, bad.ID},
		{"one ID is listed twice", func() error { return e.sim.AddRawVolume(bad.NamespaceID, "twin", raw) }, bad.NamespaceID, "twin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := e.record(bad.ID)
			e.must(err)
			size := r.Spec.SizeBytes
			failures, said := c.metric("storageos_sync_volume_errors_total", "decode"), e.events("VolumeInvalid", r.Name)
			e.must(tc.begin())
			eventually(t, "it is counted and said", 20*time.Second, func() error {
				if n, m := c.metric("storageos_sync_volume_errors_total", "decode")-failures, e.events("VolumeInvalid", r.Name)-said; n < 1 || m < 1 {
					return fmt.Errorf("%v errors, %d events", n, m)
				}
				return nil
			})
			c.polls(2)
			if err := e.want(bad.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == size }); err != nil {
				t.Error(err)
			}
			e.must(e.sim.RemoveVolume(tc.inNS, tc.id))
			size = int64(90+n) << 30
			e.must(e.sim.UpdateVolume(bad.NamespaceID, bad.ID, func(v *simulator.Volume) { v.SizeBytes = uint64(size) }))
			begun := time.Now()
			eventually(t, "it heals", 20*time.Second, func() error {
				return e.want(bad.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == size })
			})
			healed(t, "Input: "+tc.name, "its record stays as it is and an event says so; the others are kept true", begun)
			eventually(t, "and is at rest", 20*time.Second, func() error { return c.atRest(2) })
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}
