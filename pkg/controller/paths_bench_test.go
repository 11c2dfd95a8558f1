package controller

import (
	"testing"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

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
	v, _ := recordtest.Volume(b)
	b.ReportAllocs()
	for b.Loop() {
		c, err := record.FromVolume(v, "ns", nil)
		if err != nil {
			b.Fatal(err)
		}
		state.DigestContent(c)
	}
}

// From a record as the API server sends it to what the cache keeps of it.
func BenchmarkTrimRecord(b *testing.B) {
	_, c := recordtest.Volume(b)
	r := keepAll(b, 50)
	obj := recordtest.Written(c, "cluster", &state.PV{PVSummary: state.PVSummary{Name: c.Name}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.caches.TrimRecord(obj); err != nil {
			b.Fatal(err)
		}
	}
}
