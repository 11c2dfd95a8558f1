package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// aVolume is a volume and what its record should say of it.
func aVolume(t testing.TB) (*storageos.Volume, record.Content) {
	t.Helper()
	v, err := storageos.DecodeVolume(listedVolume("ns", 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := record.FromVolume(v, "ns", nil)
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

// Observing a volume whose record is right, and deciding that nothing is to be
// done.
func BenchmarkDecide(b *testing.B) {
	r := keepAll(b, 1000)
	ids := r.everyID()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.decide(ids[i%len(ids)], false)
	}
}

// From a volume to the content of its record, and to what is kept of that.
func BenchmarkContent(b *testing.B) {
	v, _ := aVolume(b)
	b.ReportAllocs()
	for b.Loop() {
		c, err := record.FromVolume(v, "ns", nil)
		if err != nil {
			b.Fatal(err)
		}
		state.DigestContent(c)
	}
}

// From a record as it is to the patch that lets it say what it should.
func BenchmarkPatch(b *testing.B) {
	_, c := aVolume(b)
	pv := &state.PV{PVSummary: state.PVSummary{Name: c.Name, ClaimName: "data"}, VolumeID: c.VolumeID}
	is := writtenRecord(c, "cluster", pv)
	c.Spec.SizeBytes++
	w := write{id: c.VolumeID, content: &c, cluster: "cluster", now: metav1.NewTime(time.Now()), state: state.Summary{Health: state.Intern(c.HealthStatus()), PV: pv.PVSummary, Bound: state.BoundOf(pv), Present: state.PresentTrue}}
	b.ReportAllocs()
	for b.Loop() {
		p, err := w.patches(is, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pinned(p.resource, is.ResourceVersion); err != nil {
			b.Fatal(err)
		}
	}
}

// From a record as the API server sends it to what the cache keeps of it.
func BenchmarkTrimRecord(b *testing.B) {
	_, c := aVolume(b)
	r := keepAll(b, 50)
	obj := writtenRecord(c, "cluster", &state.PV{PVSummary: state.PVSummary{Name: c.Name}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.trimRecord(obj); err != nil {
			b.Fatal(err)
		}
	}
}
