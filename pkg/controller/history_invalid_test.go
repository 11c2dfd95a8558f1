package controller

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	typedv1 "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// refuse is that the API server does not take a record as it is.
var refuse = apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Volume").GroupKind(), "x", nil)

// The record of a volume that cannot be recorded does not name a PersistentVolume that
// has gone: as if it were the last one, it would explain the loss of the volume later.
func TestHistoryInvalidOutlivesPV(t *testing.T) {
	t.Parallel()
	const invalid = 12
	told(t, 40, nil, func(h *history) {
		for n := range invalid {
			h.api.Lists["one"][n] = fmt.Sprintf("v%d 18446744073709551615", n)
		}
		h.polls(3)
		for n := range invalid {
			h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
		}
		h.polls(12) // a minute
		if pv := h.records.records["v0"].Status.PersistentVolume; pv != nil {
			t.Errorf("a minute after its PersistentVolume went the record says %+v", pv)
		}
		if n := h.leader.tracker.counts.unclaimed; n != invalid {
			t.Errorf("%d unclaimed volumes are counted, want %d", n, invalid)
		}
		h.api.Lists["one"] = h.api.Lists["one"][invalid:]
		h.polls(12)
		if n := len(h.records.records); n != 40 {
			t.Errorf("%d records: the loss of %d of 40 volumes whose PersistentVolumes went before was taken for explained (%q)", n, invalid, h.leader.tracker.breaker.Why)
		}
	})
}

// Of a mark, only the status could be written. The volume is back and cannot be recorded:
// its record says that it is there all the same.
func TestHistoryInvalidHalfMarked(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		n := 0
		h.records.fail = func(verb string) error {
			if n++; verb == "patch" && n > 1 {
				return errDown
			}
			return nil
		}
		h.api.Hidden = map[string]bool{"v39": true}
		h.round()
		h.api.Hidden = nil
		h.api.Lists["one"][39] = "v39 18446744073709551615"
		h.polls(1)
		if c := meta.FindStatusCondition(h.records.records["v39"].Status.Conditions, v1.ConditionPresent); c.Status != metav1.ConditionFalse {
			t.Fatalf("the mark was not written by half: %+v", c)
		}
		h.records.fail = nil
		h.polls(12)
		r := h.records.records["v39"]
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionPresent); c.Status != metav1.ConditionTrue || r.Status.Health != v1.HealthHealthy {
			t.Errorf("Present says %s, and the health is %s", c.Status, r.Status.Health)
		}
	})
}

// That a volume cannot be recorded is told once: to its PersistentVolume if that comes
// later, as csi-provisioner makes the two.
func TestHistoryInvalidBeforePV(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entry string
		err   error
		taken []string // names
	}{
		"too large":       {"x large", nil, nil},
		"refused":         {"x 1", refuse, nil},
		"no name is free": {"x 1", nil, []string{"x", "x-x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				if tc.err != nil {
					h.records.fail = func(string) error { return tc.err }
				}
				for _, name := range append(tc.taken, "pvc-x") {
					h.records.store(nil, &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}})
				}
				h.api.Lists["one"] = append(h.api.Lists["one"], tc.entry)
				h.polls(1)
				h.setPV(nil, boundPV("pvc-x", "x"))
				h.polls(60) // five minutes
				if n := h.invalid(t); n != "1" {
					t.Errorf("%s are counted", n)
				}
			})
			if events[policy.EventInvalid] != 1 {
				t.Errorf("events %v", events)
			}
		})
	}
}

// sizeless refuses each change of a size, and nothing else.
type sizeless struct{ *memory }

func (s sizeless) StorageOSV1() typedv1.StorageOSV1Interface { return s }
func (s sizeless) Volumes() typedv1.VolumeInterface          { return s }

func (s sizeless) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	if bytes.Contains(data, []byte("sizeBytes")) {
		return nil, refuse
	}
	return s.memory.Patch(ctx, name, pt, data, o, sub...)
}

// It is not told again by another process, nor while something else of it changes, nor when
// it was not listed for a while.
func TestHistoryInvalidToldOnce(t *testing.T) {
	t.Parallel()
	away := func(h *history) { // whenever what was refused is tried again
		all := h.api.Lists["one"]
		for range 3 {
			h.api.Lists["one"] = nil
			h.polls(1)
			h.api.Lists["one"] = all
			h.polls(12)
		}
	}
	for name, tell := range map[string]func(*history){
		"refused, and another leads": func(h *history) {
			h.records.fail = func(string) error { return refuse }
			h.api.Lists["one"][0] = "v0 7"
			for range 3 {
				h.polls(3)
				h.lead()
			}
			h.polls(3)
		},
		"refused, and it is not listed for a while, again and again": func(h *history) {
			h.records.fail = func(string) error { return refuse }
			h.api.Lists["one"][0] = "v0 7"
			h.polls(12)
			away(h)
		},
		"only its size is refused, and it is not listed for a while, again and again": func(h *history) {
			h.leader.writesTo(sizeless{h.records})
			h.api.Lists["one"][0] = "v0 7"
			h.polls(12)
			away(h)
		},
		"too large, and its sync goes on": func(h *history) {
			for n := range 20 {
				h.api.Lists["one"][0] = fmt.Sprintf(`{"id":"v0","name":"v0","sizeBytes":1,"labels":{"a":%q},"replicas":[{"id":"r","health":"syncing","syncProgress":{"bytesRemaining":%d}}]}`,
					strings.Repeat("x", record.MaxBytes), uint64(1)<<(3*n))
				h.polls(1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if events := told(t, 1, nil, tell); events[policy.EventInvalid] != 1 {
				t.Errorf("events %v", events)
			}
		})
	}
}

// A volume that is listed twice is no longer when one of its two namespaces goes, though a
// third cannot be listed.
func TestHistoryTwiceUntilNamespaceGoes(t *testing.T) {
	t.Parallel()
	for gone, left := range map[string]string{"one": "two", "two": "one"} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			told(t, 1, nil, func(h *history) {
				h.api.NamespaceIDs = []string{"one", "two", "three"}
				h.api.Lists["two"] = []string{"v0 2"}
				h.polls(3)
				h.api.Fail = func(call string, _ int) error {
					if call == "volumes three" {
						return errDown
					}
					return nil
				}
				h.polls(2)
				h.api.NamespaceIDs = []string{left, "three"}
				h.api.Lists[left] = []string{"v0 7 offline"}
				h.polls(3)
				if r := h.records.records["v0"]; r.Spec.SizeBytes != 7 || r.Status.Health != v1.HealthOffline {
					t.Errorf("its record says size %d, %s; invalid: %q", r.Spec.SizeBytes, r.Status.Health, h.leader.view.Look("v0").Invalid)
				}
			})
		})
	}
}

// Listed twice with the same content a volume can be recorded, whatever was before.
func TestHistoryTwiceTheSame(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]string{
		"listed once before":          {"v0 1"},
		"with different content":      {"v0 1", "v0 2"},
		"with different content next": {"v0 7", "v0 2"},
		"three times":                 {"v0 1", "v0 7", "v0 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 1, nil, func(h *history) {
				h.api.Lists["one"] = before
				h.polls(2)
				h.api.Lists["one"] = []string{"v0 7", "v0 7"}
				h.polls(4)
				if r := h.records.records["v0"]; r.Spec.SizeBytes != 7 {
					t.Errorf("the record says size %d (%q)", r.Spec.SizeBytes, h.leader.view.Look("v0").Invalid)
				}
				h.api.Lists["one"] = []string{"v0 7", "v0 8"}
				h.polls(3)
				if why := h.leader.view.Look("v0").Invalid; why != source.ListedTwice {
					t.Errorf("listed with different content again, it is %q", why)
				}
			})
		})
	}
}

// The cache does not know yet that the volume went offline when it cannot be recorded any more.
// Then what Kubernetes tells is written: the record says offline still.
func TestHistoryInvalidUnknownToTheCache(t *testing.T) {
	t.Parallel()
	for name, offline := range map[string]func(h *history){
		"our write was lost": func(h *history) {
			h.records.lost = func(string) error { return errDown }
			h.api.Lists["one"][0] = "v0 1 offline"
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.records.lost = nil
		},
		"who led before wrote it": func(h *history) {
			h.edit("v0", func(r *v1.Volume) {
				r.Status.Master.Health, r.Status.Health, r.Status.Ready = "offline", v1.HealthOffline, "0/1"
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				offline(h)
				h.api.Lists["one"][0] = "v0 18446744073709551615"
				h.release()
				h.quiet()
				h.polls(200)
				is := h.records.records["v0"].Status
				if is.Health != v1.HealthOffline || is.Ready != "0/1" || is.PersistentVolume.Phase != "Released" {
					t.Errorf("it says %s %s %s, want Offline 0/1 Released", is.Health, is.Ready, is.PersistentVolume.Phase)
				}
			})
		})
	}
}
