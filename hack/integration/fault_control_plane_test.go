package integration

import (
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The API server, then etcd, is killed and comes back, and is frozen for a while.
func TestFaultControlPlane(t *testing.T) {
	t.Parallel()
	e := newBareEnv(t, "-restart", "3s")
	e.applyCRD(currentCRD)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 30, CSI: -1})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("30 records", 20*time.Second, func() error { return e.right(filled, 0) })
	size := uint64(5 << 30)
	for _, tc := range []struct {
		name  string
		fault func(t *testing.T)
		heals time.Duration
	}{
		{"kube-apiserver is killed", func(t *testing.T) { e.kill(t, "kube-apiserver") }, 30 * time.Second},
		{"etcd is killed", func(t *testing.T) { e.kill(t, "etcd") }, 40 * time.Second},
		{"kube-apiserver is frozen", func(t *testing.T) { e.freeze(t, "kube-apiserver", 5*time.Second) }, 30 * time.Second},
		{"etcd is frozen", func(t *testing.T) { e.freeze(t, "etcd", 5*time.Second) }, 30 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size += 1 << 30
			tc.fault(t)
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			begun := time.Now()
			eventually(t, "every record is right", tc.heals, func() error { return e.tryRight(filled, size) })
			healed(t, "Kubernetes: "+tc.name, "StorageOS is listed as before; each write is tried again, at most two polls apart", begun)
			// The watches of the controller are there again too.
			f := filled[0]
			eventually(t, "what a hand edits is mended", 40*time.Second, func() error {
				if err := e.edit(f.Name); err != nil {
					return err
				}
				time.Sleep(time.Second)
				return e.want(f.ID, func(r *v1.Volume) bool { return r.Spec.SizeBytes == int64(size) })
			})
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// The link between kube-apiserver and etcd is slow, hangs and is cut.
func TestFaultEtcdLink(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	e := newBareEnv(t, "-restart", "1s", "-etcd", l.etcd, "-etcd-via", l.via)
	e.applyCRD(currentCRD)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 30, CSI: -1})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("30 records", 20*time.Second, func() error { return e.right(filled, 0) })
	size := uint64(5 << 30)
	for _, tc := range []struct {
		name  string
		fault func()
		lasts time.Duration
		heals time.Duration // after the end
	}{
		{"etcd answers 500 ms late", func() { l.poison("latency", map[string]any{"latency": 500, "jitter": 400}) }, 5 * time.Second, 15 * time.Second},
		{"etcd sends 5 KB/s", func() { l.poison("bandwidth", map[string]any{"rate": 5}) }, 5 * time.Second, 30 * time.Second},
		{"what etcd sends is lost", func() { l.poison("timeout", map[string]any{"timeout": 0}) }, 5 * time.Second, 40 * time.Second},
		{"the link to etcd is cut", l.cut, 5 * time.Second, 40 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size += 1 << 30
			tc.fault()
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			time.Sleep(tc.lasts) // the fault's own length
			l.heal()
			begun := time.Now()
			eventually(t, "every record is right", tc.heals, func() error { return e.tryRight(filled, size) })
			healed(t, "Kubernetes: "+tc.name, "StorageOS is listed as before; each write is tried again, at most two polls apart", begun)
		})
	}
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// There is no API server for a minute.
func TestFaultLongAbsence(t *testing.T) {
	t.Parallel()
	const away = time.Minute
	e := newBareEnv(t, "-restart", away.String())
	e.applyCRD(currentCRD)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 30, CSI: -1})
	c := e.controller("-orphan-grace-period", "0")
	e.eventually("30 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.kill(t, "kube-apiserver")
	const size = 77 << 30
	for _, f := range filled {
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
	}
	c.polls(3) // it goes on listing
	if code := c.get("/livez"); code != 200 {
		t.Errorf("livez %d while there is no API server", code)
	}
	e.eventually("the API server is there again", away+30*time.Second, func() error { return e.tryRight(filled, 0) })
	begun := time.Now()
	e.eventually("every record is right", 15*time.Second, func() error { return e.tryRight(filled, size) })
	healed(t, "Kubernetes: no API server for 60 s", "StorageOS is listed as before; each write is tried again, at most two polls apart", begun)
	if n := c.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}
