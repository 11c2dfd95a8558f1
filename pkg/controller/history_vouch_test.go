package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
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
				old := func(age time.Duration) {
					r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "u-b", CreationTimestamp: metav1.NewTime(time.Now().Add(-age))}}
					r.Status.VolumeID = "b"
					h.records.store(nil, r)
				}
				for n, id := range h.ofReplaced(many) {
					h.setPV(nil, boundPV(fmt.Sprint("data", n), id))
				}
				h.api.ClusterID = "answers"
				if tc.volume != "" {
					h.api.Lists["one"] = []string{tc.volume}
				}
				switch {
				case tc.made < 0:
					old(time.Hour)
				case tc.made > 0:
					old(tc.made)
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

// Records that were adopted while the cluster did not tell its name vouch, when it does, for those that are
// not older: one that names no cluster may have been made since, for a volume of another.
func TestHistoryVouchedLater(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		gone time.Duration // how old those are whose volumes go
		left int
	}{"those gone are older": {2 * time.Hour, 100}, "all are as old": {time.Hour, 60}, "those gone are younger": {time.Minute, 60}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.api.ClusterID = ""
				for n, id := range h.ofReplaced(100) {
					if n < 40 {
						h.edit(fmt.Sprint("data", n), func(r *v1.Volume) { r.CreationTimestamp = metav1.NewTime(time.Now().Add(-tc.gone)) })
					}
					h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
				}
				h.lead()
				h.polls(12)
				h.api.Lists["one"] = h.api.Lists["one"][40:]
				h.api.ClusterID = "named now"
				h.polls(15 * 12) // longer than the hold
				if n := len(h.records.records); n != tc.left {
					t.Errorf("%d records are left, want %d", n, tc.left)
				}
			})
		})
	}
}

// ofReplaced makes records of the replaced program, which are an hour old: data0 of the volume a0, and so on.
func (h *history) ofReplaced(many int) (ids []string) {
	for n := range many {
		id := fmt.Sprint("a", n)
		r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("data", n), UID: types.UID(fmt.Sprint("u", n)), CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
		}}
		r.Status.VolumeID = id
		h.records.store(nil, r)
		ids = append(ids, id)
	}
	return ids
}

// failsAtCluster has StorageOS answer so when it is asked which cluster it is, until that is nil.
func (h *history) failsAtCluster(err error) {
	h.api.Fail = func(call string, _ int) error {
		if call == "cluster" {
			return err
		}
		return nil
	}
}

// That the cluster does not tell its name at first keeps no record whose volume was gone before.
func TestHistoryVouchedAfterFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err   error
		polls int
	}{"it never fails": {nil, 0}, "it fails once": {errDown, 1}, "it fails": {errDown, 6}, "it refuses": {storageostest.Forbidden, 6}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				for _, id := range h.ofReplaced(100)[40:] {
					h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
				}
				h.failsAtCluster(tc.err)
				h.lead()
				h.polls(tc.polls)
				h.failsAtCluster(nil)
				h.polls(15 * 12) // longer than the hold
				if n := len(h.records.records); n != 60 {
					t.Errorf("%d records are left, want 60", n)
				}
			})
		})
	}
}

// Records were adopted while their cluster did not tell its name. Another one that tells its own does not count
// for them, though a record of its own volumes names none: by a hand, or as it refused to tell its name for once.
func TestHistoryVouchedByStranger(t *testing.T) {
	t.Parallel()
	label := func(r *v1.Volume) { delete(r.Labels, v1.LabelVolumeID) }
	conditions := func(r *v1.Volume) {
		label(r)
		r.Status.Conditions = nil
	}
	for name, tc := range map[string]struct {
		err             error            // of the first cluster
		refuses, edited bool             // by the stranger, by a hand
		restart         bool             // another process leads then
		takes           func(*v1.Volume) // what the hand takes besides
		pruned          bool             // the CRD is an older one, which keeps no conditions
	}{
		"the first told its name":              {nil, true, true, false, nil, false},
		"it did not, and nothing else":         {errDown, false, false, false, nil, false},
		"it did not, and the stranger refuses": {errDown, true, false, false, nil, false},
		"and then another leads":               {errDown, true, false, true, nil, false},
		"it did not, and a hand":               {errDown, false, true, false, nil, false},
		"after which another leads":            {errDown, false, true, true, nil, false},
		"a hand that takes the label, too":     {errDown, false, true, false, label, false},
		"and another leads after that":         {errDown, false, true, true, label, false},
		"and the CRD is an older one":          {errDown, false, true, false, label, true},
		"it takes the conditions, too":         {errDown, false, true, false, conditions, false},
		"it refused, and a hand":               {storageostest.Forbidden, false, true, true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.records.pruned = tc.pruned
				const many = 40
				for n, id := range h.ofReplaced(many) {
					h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
					h.setPV(nil, boundPV(fmt.Sprint("data", n), id))
				}
				h.failsAtCluster(tc.err)
				h.lead()
				h.polls(3)
				h.api.Lists["one"], h.api.ClusterID = []string{"b1 1"}, "stranger"
				h.failsAtCluster(nil)
				h.polls(3)
				if tc.refuses {
					h.failsAtCluster(storageostest.Forbidden)
					h.api.Lists["one"] = []string{"b1 1", "b2 1"}
					h.polls(1)
					h.failsAtCluster(nil)
				}
				if tc.edited {
					h.edit("b1", func(r *v1.Volume) {
						delete(r.Annotations, v1.AnnotationClusterID)
						if tc.takes != nil {
							tc.takes(r)
						}
					})
				}
				if tc.restart {
					h.lead()
				}
				h.polls(15 * 12) // longer than the hold
				for n := range many {
					if name := fmt.Sprint("data", n); h.records.records[name] == nil {
						t.Errorf("the record %s of a living volume was deleted", name)
					}
				}
			})
		})
	}
}

// That StorageOS lists nothing at first, until each record says that its volume is absent, keeps none whose
// volume was gone before.
func TestHistoryVouchedAfterNothing(t *testing.T) {
	t.Parallel()
	for name, polls := range map[string]int{"never": 0, "once": 1, "for a minute": 12} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				var living []string
				for n, id := range h.ofReplaced(100) {
					if n >= 40 {
						living = append(living, id+" 1")
						continue
					}
					h.edit(fmt.Sprint("data", n), func(r *v1.Volume) { r.CreationTimestamp = metav1.NewTime(time.Now().Add(-2 * time.Hour)) })
				}
				h.lead()
				h.polls(polls)
				h.api.Lists["one"] = living
				h.polls(15 * 12) // longer than the hold
				if n := len(h.records.records); n != 60 {
					t.Errorf("%d records are left, want 60", n)
				}
			})
		})
	}
}

// That somebody has to say whose the records are is said, once, whatever fails or goes besides: nothing else ends
// that hold.
func TestHistoryVouchedSaid(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]func(*history){
		"nothing else": func(h *history) { h.polls(6 * 60 * 12) },
		"a listing fails now and then": func(h *history) {
			for range 20 {
				h.failsAtCluster(errDown)
				h.polls(1)
				h.failsAtCluster(nil)
				h.polls(5)
			}
		},
		"a volume goes every 9 minutes": func(h *history) {
			for range 12 {
				h.polls(9 * 12)
				h.api.Lists["one"] = h.api.Lists["one"][1:]
			}
		},
		"a volume goes every 20 minutes": func(h *history) {
			for range 12 {
				h.polls(20 * 12)
				h.api.Lists["one"] = h.api.Lists["one"][1:]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := &sayings{}
			told(t, 0, nil, func(h *history) {
				h.hears = all
				h.ofReplaced(40)
				for n := range 30 {
					h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("b%d 1", n))
				}
				h.lead()
				h.polls(11 * 12) // longer than the hold
				during(h)
			})
			want := policy.EventHeld + ": Deletions of records are held: " + policy.HeldNotVouched
			if n := len(slices.DeleteFunc(slices.Clone(*all), func(said string) bool { return said != want })); n != 1 {
				t.Errorf("that was said %d times, want once: %q", n, *all)
			}
		})
	}
}

// sayings are what events said.
type sayings []string

func (s *sayings) Event(_ runtime.Object, _, reason, message string) {
	*s = append(*s, reason+": "+message)
}
