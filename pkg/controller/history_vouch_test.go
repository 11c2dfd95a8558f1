package controller

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Many records of the replaced program, which name no cluster, lose their volumes at once. The word of
// the cluster that answers counts if it has listed the volume of another such record, or of an older
// record. What this program has recorded of that cluster's own volumes since says nothing: it may be
// another cluster than theirs.
func TestHistoryVouched(t *testing.T) {
	t.Parallel()
	const many = 40
	for name, tc := range map[string]struct {
		volume  string        // of the cluster that answers
		made    time.Duration // since when it has a record that names the cluster, -1: it has one that names none
		restart bool
		edited  bool // somebody takes away that the record of its volume names it
		gone    bool
	}{
		"it has no volume":                     {},
		"it has one, which is recorded":        {volume: "b 1"},
		"and edited by hand":                   {volume: "b 1", edited: true},
		"and another process leads":            {volume: "b 1", restart: true},
		"one that has a record of before":      {volume: "b 1", made: -1, gone: true},
		"which is older, and another leads":    {volume: "b 1", made: 2 * time.Hour, restart: true, gone: true},
		"which is as old as theirs":            {volume: "b 1", made: time.Hour},
		"which is younger":                     {volume: "b 1", made: time.Minute},
		"which names none, and then one leads": {volume: "b 1", made: -1, restart: true, gone: false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				old := func(name, id string, age time.Duration) {
					r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("u-" + name), CreationTimestamp: metav1.NewTime(time.Now().Add(-age))}}
					r.Status.VolumeID = id
					h.records.store(nil, r)
				}
				for n := range many {
					name, id := fmt.Sprint("data", n), fmt.Sprint("a", n)
					old(name, id, time.Hour)
					h.setPV(nil, boundPV(name, id))
				}
				h.api.ClusterID = "answers"
				if tc.volume != "" {
					h.api.Lists["one"] = []string{tc.volume}
				}
				switch {
				case tc.made < 0:
					old("b", "b", time.Hour)
				case tc.made > 0:
					old("b", "b", tc.made)
					h.edit("b", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationClusterID, "answers") })
				}
				h.lead()
				h.polls(12)
				if tc.restart {
					h.lead()
				}
				if tc.edited {
					h.edit("b", func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationClusterID) })
				}
				h.polls(15 * 12) // longer than the hold
				left := 0
				for name := range h.records.records {
					if name != "b" {
						left++
					}
				}
				if want := map[bool]int{true: 0, false: many}[tc.gone]; left != want {
					t.Errorf("%d of %d records are left, want %d", left, many, want)
				}
			})
		})
	}
}

// Records that were adopted while the cluster did not tell its name vouch for each other when it does.
func TestHistoryVouchedLater(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]time.Duration{"those gone are older": 2 * time.Hour, "all are as old": time.Hour, "those gone are younger": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.api.ClusterID = ""
				for n := range 100 {
					age := time.Hour
					if n < 40 {
						age = gone
					}
					r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{
						Name: fmt.Sprint("data", n), UID: types.UID(fmt.Sprint("u", n)), CreationTimestamp: metav1.NewTime(time.Now().Add(-age)),
					}}
					r.Status.VolumeID = fmt.Sprint("a", n)
					h.records.store(nil, r)
					h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("a%d 1", n))
				}
				h.lead()
				h.polls(12)
				h.api.Lists["one"] = h.api.Lists["one"][40:]
				h.api.ClusterID = "named now"
				h.polls(15 * 12) // longer than the hold
				if n := len(h.records.records); n != 60 {
					t.Errorf("%d records are left, want 60", n)
				}
			})
		})
	}
}
