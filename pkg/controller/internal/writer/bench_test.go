package writer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// From a record as it is to the patch that lets it say what it should.
func BenchmarkPatch(b *testing.B) {
	_, c := recordtest.Volume(b)
	pv := &state.PV{PVSummary: state.PVSummary{Name: c.Name, ClaimName: "data"}, VolumeID: c.VolumeID}
	is := recordtest.Written(c, "cluster", pv)
	c.Spec.SizeBytes++
	change := Change{VolumeID: c.VolumeID, Content: &c, Cluster: "cluster", Now: metav1.Now(), Summary: state.Summary{Health: state.Intern(c.HealthStatus()), PV: pv.PVSummary, Bound: state.BoundOf(pv), Present: state.PresentTrue}}
	b.ReportAllocs()
	for b.Loop() {
		p, err := change.patches(is, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pinned(p.resource, is.ResourceVersion); err != nil {
			b.Fatal(err)
		}
	}
}
