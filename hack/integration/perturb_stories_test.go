package integration

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// story is a reference run.
type story struct {
	name    string
	flags   []string
	volumes int
	members int // processes; 1 unless it is said

	before func(*trial)       // what no point is in; nil: until every volume is recorded
	run    func(*trial)       // what the points are in
	right  func(*trial) error // nil if everything is as it has to be in the end
}

// stories are the reference runs of TestPerturb.
var stories = []story{
	{
		name: "first start", volumes: 6,
		before: func(tr *trial) {
			for _, f := range tr.filled[:3] {
				tr.e.persistentVolume(f)
			}
		},
		run:   func(tr *trial) { tr.start() },
		right: func(tr *trial) error { return tr.e.well(tr.filled, tr.filled[:3]) },
	},
	{
		name: "a volume changes", volumes: 2,
		run: func(tr *trial) {
			f := tr.filled[0]
			tr.change(f, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 })
			tr.until("its size is recorded", tr.says(f, func(r *v1.Volume) bool { return r.Spec.SizeBytes == 77<<30 }))
			tr.change(f, func(v *simulator.Volume) { v.Master.Health = simulator.HealthOffline })
			tr.until("it is recorded as offline", tr.says(f, func(r *v1.Volume) bool { return r.Status.Health == v1.HealthOffline }))
			tr.change(f, func(v *simulator.Volume) { v.Master.Health = simulator.HealthOnline })
		},
		right: func(tr *trial) error {
			if n := tr.e.events("VolumeOffline", tr.filled[0].Name); n > 1 {
				return fmt.Errorf("%d events VolumeOffline of one transition", n)
			}
			return tr.e.well(tr.filled, nil)
		},
	},
	{
		name: "a PersistentVolume comes, is released and goes", volumes: 2,
		run: func(tr *trial) {
			f := tr.filled[0]
			tr.e.bind(f)
			tr.until("it is bound", tr.saysBound(f, "Bound"))
			tr.e.release(f)
			tr.until("it is released", tr.saysBound(f, "Released"))
			tr.e.withdraw(f)
			tr.until("it has none", tr.saysBound(f, "Unclaimed"))
		},
		right: func(tr *trial) error { return tr.e.well(tr.filled, nil) },
	},
	{
		name: "a volume goes and is proven gone", volumes: 3,
		run: func(tr *trial) {
			tr.lose(tr.filled[0])
			tr.until("its record goes", func() error { return tr.e.unrecorded(tr.filled[0]) })
		},
		right: func(tr *trial) error { return tr.only(tr.filled[1:]...) },
	},
	{
		name: "volumes go, and the breaker holds", volumes: 6,
		flags: []string{"-max-orphan-count", "0", "-mass-orphan-hold", "2s"},
		run: func(tr *trial) {
			tr.lose(tr.filled[:3]...)
			tr.until("their records go", func() error { return tr.e.unrecorded(tr.filled[:3]...) })
		},
		right: func(tr *trial) error { return tr.only(tr.filled[3:]...) },
	},
	{
		name: "old records are adopted", volumes: 2,
		before: func(tr *trial) {
			for _, f := range tr.filled {
				tr.e.legacyRecord(f.Name, f.ID)
			}
			const orphan = "9d2f3f0c-0000-4000-8000-000000000001"
			tr.e.legacyRecord("pvc-gone", orphan)
			tr.lost(orphan)
		},
		run:   func(tr *trial) { tr.start() },
		right: func(tr *trial) error { return tr.only(tr.filled...) },
	},
	{
		name: "another cluster answers, and the first again", volumes: 4,
		run: func(tr *trial) {
			first := tr.e.sim.ClusterID()
			tr.e.sim.SetClusterID("9d2f3f0c-0000-4000-8000-00000000000c")
			back := tr.e.lose(tr.filled[:2]...) // the first still has them
			tr.change(tr.filled[2], func(v *simulator.Volume) { v.SizeBytes = 77 << 30 })
			tr.until("what the other has is recorded", tr.says(tr.filled[2], func(r *v1.Volume) bool { return r.Spec.SizeBytes == 77<<30 }))
			tr.pass(3 * perturbGrace)
			back()
			tr.e.sim.SetClusterID(first)
		},
		right: func(tr *trial) error { return tr.only(tr.filled...) },
	},
	{
		name: "a fail-over in the middle", volumes: 3, members: 2,
		run: func(tr *trial) {
			for _, f := range tr.filled {
				tr.change(f, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 })
			}
			tr.lose(tr.filled[0])
			tr.until("a change is recorded", tr.says(tr.filled[1], func(r *v1.Volume) bool { return r.Spec.SizeBytes == 77<<30 }))
			tr.leader(func(m *member) { _ = m.cmd.Process.Signal(syscall.SIGTERM) })
			for _, f := range tr.filled[1:] {
				tr.change(f, func(v *simulator.Volume) { v.SizeBytes = 78 << 30 })
			}
			tr.until("the record of what is gone goes", func() error { return tr.e.unrecorded(tr.filled[0]) })
		},
		right: func(tr *trial) error { return tr.only(tr.filled[1:]...) },
	},
	{
		name: "a name that was taken becomes free", volumes: 1,
		run: func(tr *trial) {
			const name = "pvc-taken"
			records := tr.e.records.StorageOSV1().Volumes()
			_, err := records.Create(context.Background(), &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
			tr.e.must(err)
			f := simulator.Filled{NamespaceID: tr.filled[0].NamespaceID, Name: name}
			f.ID, err = tr.e.sim.AddVolume(f.NamespaceID, simulator.VolumeSpec{Name: name, Labels: map[string]string{simulator.LabelReplicas: "0"}})
			tr.e.must(err)
			tr.filled = append(tr.filled, f)
			tr.until("it is recorded under another name", tr.says(f, func(r *v1.Volume) bool { return r.Status.VolumeID != "" }))
			tr.e.must(records.Delete(context.Background(), name, metav1.DeleteOptions{}))
			tr.change(f, func(v *simulator.Volume) { v.SizeBytes = 77 << 30 })
			tr.pass(perturbGrace)
		},
		right: func(tr *trial) error { return tr.only(tr.filled...) },
	},
}

// saysBound is nil if the record of a volume says so of its PersistentVolume.
func (tr *trial) saysBound(f simulator.Filled, reason string) func() error {
	return tr.says(f, func(r *v1.Volume) bool { return boundReason(r) == reason })
}

// says is nil if the record of a volume passes a check.
func (tr *trial) says(f simulator.Filled, check func(*v1.Volume) bool) func() error {
	return func() error { return tr.e.want(f.ID, check) }
}

// change changes a volume in StorageOS.
func (tr *trial) change(f simulator.Filled, change func(*simulator.Volume)) {
	tr.e.t.Helper()
	tr.e.must(tr.e.sim.UpdateVolume(f.NamespaceID, f.ID, change))
}

// lose takes volumes out of StorageOS: their records may go from now on.
func (tr *trial) lose(lost ...simulator.Filled) {
	tr.e.t.Helper()
	for _, f := range lost {
		tr.lost(f.ID)
	}
	tr.e.lose(lost...)
}

// only is nil if these volumes have one record each, which is right, and there are no others.
func (tr *trial) only(volumes ...simulator.Filled) error {
	list, err := tr.e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) != len(volumes) {
		var names []string
		for _, r := range list.Items {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		return fmt.Errorf("the records are %q, of %d volumes", names, len(volumes))
	}
	return tr.e.well(volumes, nil)
}

// pass lets time pass, in which the members go on.
func (tr *trial) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		tr.tend()
	}
}
