package writer

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to v1.Volume
		want     patches
	}{
		"nothing": {want: patches{resource: map[string]any{}}},
		"a size that no float64 holds": {
			from: v1.Volume{Spec: v1.VolumeSpec{SizeBytes: math.MaxInt64 - 1}},
			to:   v1.Volume{Spec: v1.VolumeSpec{SizeBytes: math.MaxInt64}},
			want: patches{resource: map[string]any{"spec": map[string]any{"sizeBytes": int64(math.MaxInt64)}}},
		},
		"labels that come and go": {
			from: v1.Volume{Spec: v1.VolumeSpec{ConfigLabels: map[string]string{"a": "1", "b": "2"}}},
			to:   v1.Volume{Spec: v1.VolumeSpec{ConfigLabels: map[string]string{"b": "2", "c": "3"}}},
			want: patches{resource: map[string]any{"spec": map[string]any{"configLabels": map[string]any{"a": nil, "c": "3"}}}},
		},
		"the status by itself": {
			from: v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: v1.VolumeStatus{AttachedOn: "n", VolumeID: "v"}},
			to:   v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: v1.VolumeStatus{VolumeID: "v"}},
			want: patches{resource: map[string]any{}, status: map[string]any{"attachedOn": nil}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := diff(&tc.from, &tc.to, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(patches{})); d != "" {
				t.Errorf("patches (-want +got):\n%s", d)
			}
		})
	}
}
