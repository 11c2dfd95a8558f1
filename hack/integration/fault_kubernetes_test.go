package integration

import (
	"cmp"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Whatever the way to Kubernetes does: no record is deleted, and soon after it
// ends every record is right again.
func TestFaultKubernetes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 3, Volumes: 60, CSI: 60})
	p := e.newProxy()
	c := e.controller("-kubeconfig", p.kubeconfig, "-orphan-grace-period", "0", "-api-poll-interval", "1s")
	e.eventually("60 records", 30*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })

	size := uint64(5 << 30)
	for _, tc := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		cut   bool
		lasts time.Duration
		heals time.Duration // after the end
	}{
		{"409 on writes", refuse(409, "Conflict"), false, 3 * time.Second, 15 * time.Second},
		{"429 on writes", refuse(429, "TooManyRequests"), false, 3 * time.Second, 15 * time.Second},
		{"500 on writes", refuse(500, "InternalError"), false, 3 * time.Second, 15 * time.Second},
		{"403 on writes", refuse(403, "Forbidden"), false, 3 * time.Second, 15 * time.Second},
		{"every connection cut once", nil, true, 0, 15 * time.Second},
		{"no API server for 3 s", down, true, 3 * time.Second, 15 * time.Second},
		{"no answer for 3 s", mute, true, 3 * time.Second, 35 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size += 1 << 30
			p.set(tc.fault)
			if tc.cut {
				p.cut()
			}
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			time.Sleep(tc.lasts) // the fault's own length
			p.set(nil)
			if tc.cut {
				p.cut() // what waited for an answer
			}
			begun := time.Now()
			eventually(t, "every record is right again", tc.heals, func() error { return e.right(filled, size) })
			healed(t, "Kubernetes: "+tc.name, "StorageOS is listed as before; each write is tried again, at most two polls apart", begun)
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// A watch stays open and goes quiet. What StorageOS says is written all the
// same; what a hand does is mended once the watch speaks, or ends.
func TestFaultQuietWatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 20, CSI: -1})
	p := e.newProxy()
	c := e.controller("-kubeconfig", p.kubeconfig, "-orphan-grace-period", "0", "-v", "6")
	e.eventually("20 records", 30*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })

	size := uint64(5 << 30)
	for name, end := range map[string]func(speak func()){
		"and speaks again": func(speak func()) { speak() },
		"and is closed":    func(speak func()) { p.cut(); speak() },
	} {
		t.Run(name, func(t *testing.T) {
			speak := p.hush()
			for range 3 { // of the second write, the cache does not know the first
				size += 1 << 30
				for _, f := range filled {
					e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
				}
				eventually(t, "every record is right while the watch is quiet", 10*time.Second, func() error { return e.right(filled, size) })
			}
			e.must(e.edit(filled[0].Name))
			end(speak)
			begun := time.Now()
			eventually(t, "what a hand edited is mended", 15*time.Second, func() error { return e.right(filled, size) })
			healed(t, "Kubernetes: a watch goes quiet "+name, "what StorageOS says is written all the same; what a hand edits is not noticed", begun)
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// right is nil if each volume has its record, with that size unless it is 0.
func (e *env) right(filled []simulator.Filled, size uint64) error {
	all := e.all()
	if len(all) != len(filled) {
		return fmt.Errorf("%d records", len(all))
	}
	wrong, first := 0, ""
	for _, f := range filled {
		r, ok := all[f.ID]
		if !ok || r.Status.VolumeID != f.ID || size != 0 && r.Spec.SizeBytes != int64(size) {
			wrong++
			first = cmp.Or(first, fmt.Sprintf("%s, of %d bytes, not %d", f.ID, r.Spec.SizeBytes, size))
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d records are wrong: that of %s", wrong, first)
	}
	return nil
}

// The CRD is deleted, with all records, and installed again.
func TestFaultCRD(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 20, CSI: -1})
	c := e.controller()
	e.eventually("20 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.deleteCRD()
	c.polls(2)
	e.applyCRD(currentCRD)
	begun := time.Now()
	// The watch of the records is tried again at most every 30 s or so.
	e.eventually("20 records again", 60*time.Second, func() error { return e.right(filled, 0) })
	healed(t, "Kubernetes: the CRD is deleted and installed again", "every record goes with it; all are made again", begun)
	if code := c.get("/livez"); code != http.StatusOK {
		t.Errorf("livez %d", code)
	}
}
