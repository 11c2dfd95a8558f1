package record

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// It is seen that a record is not there, whatever has come meanwhile.
func TestTally(t *testing.T) {
	t.Parallel()
	completed := time.Unix(100000, 999_999_999)
	made := func(uid string, age time.Duration) v1.Volume {
		return v1.Volume{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), CreationTimestamp: metav1.NewTime(completed.Add(-age).Truncate(time.Second))}}
	}
	a, b := made("a", time.Hour), made("b", young)
	absent := made("absent", time.Hour)
	absent.Annotations = map[string]string{v1.AnnotationAbsentSince: "2026-01-02T03:04:05Z"}
	h := Heartbeat{Volumes: 2, Completed: completed, Records: SumOf([]v1.Volume{b, a, made("c", young-time.Second)}, completed)}
	const other = "there are other records than the controller knew of when StorageOS was last listed"
	for name, tc := range map[string]struct {
		records []v1.Volume
		want    string
	}{
		"all are there":                    {[]v1.Volume{a, b}, ""},
		"more are made all the time":       {[]v1.Volume{a, b, made("d", young-time.Second), made("e", 0), made("f", -time.Minute)}, ""},
		"one is not there":                 {[]v1.Volume{a}, "StorageOS has listed 2 volumes, and there are records of 1"},
		"one is not there, but a new one":  {[]v1.Volume{a, made("d", 0)}, other},
		"one is absent":                    {[]v1.Volume{a, absent}, "StorageOS has listed 2 volumes, and there are records of 1"},
		"one was made again":               {[]v1.Volume{a, made("b2", -time.Second)}, other},
		"another is there for one":         {[]v1.Volume{a, made("d", time.Minute)}, other},
		"more than the controller knew of": {[]v1.Volume{a, b, made("d", time.Minute)}, other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := h
			h.Completed = h.Completed.Truncate(time.Microsecond) // as the Lease tells it
			if got := Tally(tc.records, h); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	if got, want := Tally(nil, Heartbeat{Volumes: 1}), "StorageOS has listed 1 volume, and there are records of 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
