package controller

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// withHandle is a PersistentVolume, as the cache keeps it.
func withHandle(name, uid, driver, handle string) *state.PV {
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)}}
	if driver != "" {
		pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: handle}
	}
	return state.NewPV(pv, DefaultSettings().CSIDriver)
}

const ourDriver = "csi.storageos.com"

// invalid is the gauge of the leader.
func (h *history) invalid(t testing.TB) string {
	return gauge(t, h.leader.metrics, "storageos_volumes_invalid")
}

// A handle that cannot be read is told on its PersistentVolume, once, and counts until
// that is gone.
func TestHistoryHandle(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		driver, handle string
		want           int
	}{
		"no namespace":              {ourDriver, "VOL", 1},
		"an empty namespace":        {ourDriver, "/vol", 1},
		"no volume":                 {ourDriver, "ns/", 1},
		"too many parts":            {ourDriver, "a/b/c", 1},
		"nothing":                   {ourDriver, "", 1},
		"white space":               {ourDriver, " ", 1},
		"white space for both":      {ourDriver, " / ", 1},
		"white space around":        {ourDriver, " one/v0\n", 1},
		"white space within":        {ourDriver, "one/v 0", 1},
		"a good one":                {ourDriver, "one/v0", 0},
		"one of another driver":     {"ebs.csi.aws.com", "VOL", 0},
		"none: it is no CSI volume": {"", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(t, 1, nil, func(h *history) {
				pv := withHandle("pvbad", "u1", tc.driver, tc.handle)
				h.setPV(nil, pv)
				h.polls(3)
				h.setPV(pv, withHandle("pvbad", "u1", tc.driver, tc.handle)) // something else of it has changed
				h.polls(1)
				if n := h.invalid(t); n != fmt.Sprint(tc.want) {
					t.Errorf("%s are invalid", n)
				}
				h.setPV(h.pvs["pvbad"], nil)
				h.polls(1)
				if n := h.invalid(t); n != "0" {
					t.Errorf("%s are invalid when it is gone", n)
				}
			})
			if diff := cmp.Diff(tc.want, got[policy.EventInvalid]); diff != "" {
				t.Errorf("events (-want +got):\n%s\n%v", diff, got)
			}
		})
	}
}

// It counts no more once a good one is in its place, and is told again of another that
// is as bad. What was so when a process began to lead counts and is not told; a standby
// does neither.
func TestHistoryHandleReplaced(t *testing.T) {
	t.Parallel()
	bad := func(uid string) *state.PV { return withHandle("pvbad", uid, ourDriver, "VOL") }
	good := withHandle("pvbad", "u2", ourDriver, "one/v0")
	for name, tc := range map[string]struct {
		tell    func(*history)
		invalid string
		events  int
	}{
		"by a good one":      {func(h *history) { h.setPV(nil, bad("u1")); h.polls(1); h.setPV(bad("u1"), good); h.polls(1) }, "0", 1},
		"a good one by it":   {func(h *history) { h.setPV(nil, good); h.polls(1); h.setPV(good, bad("u1")); h.polls(1) }, "1", 1},
		"by another bad one": {func(h *history) { h.setPV(nil, bad("u1")); h.polls(1); h.setPV(bad("u1"), bad("u3")); h.polls(1) }, "1", 2},
		"deleted and made": {func(h *history) {
			h.setPV(nil, bad("u1"))
			h.setPV(bad("u1"), nil)
			h.setPV(nil, bad("u3"))
			h.polls(1)
		}, "1", 2},
		"two of them": {func(h *history) {
			h.setPV(nil, bad("u1"))
			h.setPV(nil, withHandle("pvworse", "u4", ourDriver, "/"))
			h.polls(1)
		}, "2", 2},
		"another leads": {func(h *history) { h.setPV(nil, bad("u1")); h.polls(1); h.lead(); h.polls(3) }, "1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(t, 1, nil, func(h *history) {
				tc.tell(h)
				if n := h.invalid(t); n != tc.invalid {
					t.Errorf("%s are invalid, want %s", n, tc.invalid)
				}
			})
			if got[policy.EventInvalid] != tc.events {
				t.Errorf("events %v, want %d", got, tc.events)
			}
		})
	}
}

// A standby counts for the time when it leads, and neither says nor shows it.
func TestHandleOnStandby(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		said := counted{}
		r, err := NewReconciler(Options{
			Settings: DefaultSettings(), StorageOS: storageostest.New(nil), Records: &memory{}, Events: said, Metrics: metrics.New(),
			Kubernetes: struct{ kubernetes.Interface }{},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.put(t, withHandle("pvbad", "u1", ourDriver, "VOL"), nil)
		if n := gauge(t, r.metrics, "storageos_volumes_invalid"); n != "absent" || len(said) > 0 || len(r.caches.Unreadable()) != 1 {
			t.Errorf("a standby has the gauge %s, says %v and knows of %d", n, said, len(r.caches.Unreadable()))
		}
		r.queue.ShutDown()
	})
}

// What cannot be recorded counts for as long as it cannot.
func TestHistoryInvalid(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", record.MaxBytes)
	show := func(volumes ...string) func(*history) {
		return func(h *history) { h.api.Lists["one"] = volumes; h.polls(2) }
	}
	for name, tc := range map[string]struct {
		tell, mend func(*history)
		want       string
		listed     string // storageos_volumes, of all
	}{
		"a size beyond int64": {show("v0 18446744073709551615", "v1 1"), show("v0 2", "v1 1"), "1", "2"},
		"that goes":           {show("v0 18446744073709551615", "v1 1"), show("v1 1"), "1", "2"},
		"a new one":           {show("v0 1", "v1 1", "v2 18446744073709551615"), show("v0 1", "v1 1", "v2 1"), "1", "3"},
		"labels too large": {
			show("v0 1", `{"id":"v1","name":"v1","namespaceID":"one","sizeBytes":1,"labels":{"x":"`+large+`"}}`), show("v0 1", "v1 1"), "1", "2",
		},
		"an illegal ID": {show("v0 1", "v1 1", "v/3 1"), show("v0 1", "v1 1"), "1", "3"},
		"the same ID twice": {
			show("v0 1", "v1 1", "v1 7"), show("v0 1", "v1 7"), "1", "2",
		},
		"two of them": {show("v0 18446744073709551615", "v1 18446744073709551615"), show("v0 2", "v1 2"), "2", "2"},
		"a change that Kubernetes refuses": {
			func(h *history) { h.records.fail = func(string) error { return refuse }; show("v0 7", "v1 1")(h) },
			func(h *history) { h.records.fail = nil; h.polls(20) }, "1", "2",
		},
		"a new one that Kubernetes refuses": {
			func(h *history) {
				h.records.fail = func(string) error { return refuse }
				show("v0 1", "v1 1", "v2 1")(h)
			},
			func(h *history) { h.records.fail = nil; h.polls(20) }, "1", "3",
		},
		"a change that Kubernetes refuses, taken back": {
			func(h *history) { h.records.fail = func(string) error { return refuse }; show("v0 7", "v1 1")(h) },
			show("v0 1", "v1 1"), "1", "2",
		},
		"one that Kubernetes refuses, and that goes": {
			func(h *history) {
				h.records.fail = func(string) error { return refuse }
				show("v0 1", "v1 1", "v2 1")(h)
			},
			show("v0 1", "v1 1"), "1", "3",
		},
		"a record beside the one that counts": {
			func(h *history) { h.records.store(nil, beside(h.records.records["v0"], "copy")); h.polls(2) },
			func(h *history) { h.records.store(h.records.records["copy"], nil); h.polls(1) }, "1", "2",
		},
		"two of them, of another namespace": {
			func(h *history) {
				for _, name := range []string{"copy", "copy2"} {
					c := beside(h.records.records["v0"], name)
					c.Annotations[v1.AnnotationNamespaceID] = "other"
					h.records.store(nil, c)
				}
				h.polls(2)
			},
			func(h *history) {
				for _, name := range []string{"copy", "copy2"} {
					h.records.store(h.records.records[name], nil)
				}
				h.polls(1)
			}, "2", "2",
		},
		"nothing": {show("v0 1", "v1 1"), show("v0 1", "v1 1"), "0", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 2, nil, func(h *history) {
				tc.tell(h)
				if n := h.invalid(t); n != tc.want {
					t.Errorf("%s are invalid, want %s", n, tc.want)
				}
				listed := 0
				for _, n := range h.leader.view.ByHealth() {
					listed += n
				}
				if fmt.Sprint(listed) != tc.listed {
					t.Errorf("%d are listed, want %s", listed, tc.listed)
				}
				if all, _ := h.leader.Concerns(10); tc.want != "0" && (len(all) == 0 || all[0].Kind != ConcernInvalid || all[0].Why == "") {
					t.Errorf("what is of concern: %+v", all)
				}
				tc.mend(h)
				if n := h.invalid(t); n != "0" {
					t.Errorf("%s are invalid when it is mended", n)
				}
			})
		})
	}
}

// beside is a newer record of the same volume.
func beside(r *v1.Volume, name string) *v1.Volume {
	c := r.DeepCopy()
	c.Name, c.UID = name, types.UID("uid of "+name)
	c.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Second))
	return c
}

// What is invalid is named, and why.
func TestConcernsInvalid(t *testing.T) {
	t.Parallel()
	told(t, 2, nil, func(h *history) {
		h.setPV(nil, withHandle("pvbad", "u1", ourDriver, "VOL"))
		h.records.store(nil, beside(h.records.records["v0"], "copy"))
		h.api.Lists["one"] = []string{"v0 1", "v1 18446744073709551615", labelled("a", "pvc-x")}
		h.polls(2)
		h.api.Lists["one"][2] = labelled("b", "pvc-x")
		h.polls(2)
		all, _ := h.leader.Concerns(10)
		for i := range all {
			all[i].Version = "" // of the record, if there is one
		}
		want := []Concern{
			{Kind: ConcernInvalid, VolumeID: "b", Why: "its record waits for the name pvc-x"},
			{Kind: ConcernInvalid, PersistentVolume: "pvbad", Why: handleUnreadable},
			{Kind: ConcernInvalid, VolumeID: "v0", Record: "copy", PersistentVolume: "v0", ClaimNamespace: "team", Claim: "v0", Why: "an older record describes the volume"},
			{Kind: ConcernInvalid, VolumeID: "v1", Record: "v1", PersistentVolume: "v1", ClaimNamespace: "team", Claim: "v1", Why: "its size of 18446744073709551615 bytes is more than Kubernetes can express"},
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
