package controller

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// labelled is a volume as csi-provisioner makes it for a PersistentVolume.
func labelled(id, pvName string) string {
	return `{"id":"` + id + `","name":"` + id + `","namespaceID":"one","sizeBytes":1,"master":{"health":"online","nodeID":"n1"},"labels":{"` + record.LabelPV + `":"` + pvName + `"}}`
}

// names are those of the records, by volume.
func (h *history) names() map[string]string {
	all := map[string]string{}
	for name, r := range h.records.records {
		all[r.Labels[v1.LabelVolumeID]] = name
	}
	return all
}

func boundPV(name, volumeID string) *state.PV {
	return &state.PV{
		PVSummary: state.PVSummary{Name: name, Phase: state.Intern(corev1.VolumeBound)}, UID: state.UIDOf(types.UID("uid-" + name)),
		Created: uint32(time.Now().Unix()), NamespaceID: state.Intern("one"), VolumeID: volumeID,
	}
}

// The record of a volume is called like its PersistentVolume, and waits for that name
// while the record that has it is about to go.
func TestHistoryNames(t *testing.T) {
	t.Parallel()
	const grace = 3 // polls
	for name, tc := range map[string]struct {
		tell   func(*history)
		want   map[string]string // records by volume
		events counted
	}{
		"made again at once": {
			func(h *history) {
				h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
				h.polls(1)
				h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
				h.polls(grace + 3)
			},
			map[string]string{"b": "pvc-x"}, counted{},
		},
		"made again under its own name": {
			func(h *history) {
				h.api.Lists["one"] = []string{`{"id":"a","name":"data","sizeBytes":1}`}
				h.polls(1)
				h.api.Lists["one"] = []string{`{"id":"b","name":"data","sizeBytes":1}`}
				h.polls(grace + 3)
			},
			map[string]string{"b": "data"}, counted{},
		},
		"the record stays behind a finalizer": {
			func(h *history) {
				h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
				h.polls(1)
				old := h.records.records["pvc-x"]
				obj := old.DeepCopy()
				obj.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				h.records.store(old, obj)
				h.setPV(nil, boundPV("pvc-x", "b"))
				h.api.Lists["one"] = []string{labelled("b", "pvc-x")}
				h.polls(grace + 1)
				if n := len(h.records.records); n != 1 {
					h.test.Errorf("%d records while it waits", n)
				}
				h.polls(3)
			},
			map[string]string{"a": "pvc-x", "b": "b"}, counted{policy.EventNameConflict: 1},
		},
		"its PersistentVolume comes late": {
			func(h *history) {
				h.api.Lists["one"] = []string{labelled("a", "pvc-x"), labelled("c", "pvc-y")}
				h.polls(1)
				h.api.Lists["one"] = append(h.api.Lists["one"], labelled("b", "pvc-x"))
				h.polls(2)
				h.setPV(nil, boundPV("pvc-x", "b"))
				h.polls(2)
			},
			map[string]string{"a": "pvc-x", "b": "b", "c": "pvc-y"}, counted{policy.EventNameConflict: 1},
		},
		"the handle counts, not the label": {
			func(h *history) {
				h.setPV(nil, boundPV("static", "a"))
				h.api.Lists["one"] = []string{labelled("a", "pvc-x")}
				h.polls(2)
			},
			map[string]string{"a": "static"}, counted{},
		},
		"a label that names another's PersistentVolume": {
			func(h *history) {
				h.setPV(nil, boundPV("pvc-x", "b"))
				h.api.Lists["one"] = []string{labelled("a", "pvc-x"), labelled("b", "pvc-x")}
				h.polls(2)
			},
			map[string]string{"a": "a", "b": "pvc-x"}, counted{},
		},
		"a volume called like another's PersistentVolume": {
			func(h *history) {
				h.setPV(nil, boundPV("pvc-x", "b"))
				h.api.Lists["one"] = []string{`{"id":"a","name":"pvc-x","sizeBytes":1}`}
				h.polls(1)
				h.api.Lists["one"] = append(h.api.Lists["one"], `{"id":"b","name":"pvc-x","sizeBytes":1}`)
				h.polls(2)
			},
			map[string]string{"a": "pvc-x-a", "b": "pvc-x"}, counted{},
		},
		"many are gone, and it waits for the hold": {
			func(h *history) {
				for _, id := range []string{"a", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"} {
					h.api.Lists["one"] = append(h.api.Lists["one"], labelled(id, "pvc-"+id))
				}
				h.polls(2)
				h.api.Lists["one"] = []string{labelled("b", "pvc-a")}
				h.polls(100)
				if names := h.names(); len(names) != 12 || names["b"] != "" {
					h.test.Errorf("while they are held: %v", names)
				}
				h.polls(40)
			},
			map[string]string{"b": "pvc-a"}, counted{policy.EventHeld: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 0, nil, func(h *history) {
				h.test = t
				tc.tell(h)
				if diff := cmp.Diff(tc.want, h.names()); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				if n := h.leader.writer.Uncached(); n > 0 {
					t.Errorf("%d creations are remembered", n)
				}
			})
			delete(events, policy.EventUnclaimed)
			if !maps.Equal(events, tc.events) {
				t.Errorf("events %v, want %v", events, tc.events)
			}
		})
	}
}

// A volume waits for the hold to end, but not for what may keep the record that has the
// name for ever.
func TestHistoryNameNotFree(t *testing.T) {
	t.Parallel()
	const volumes = 15
	for name, tc := range map[string]struct {
		change func(*Settings)
		adopt  bool // records of the replaced program, that no cluster vouches for
		free   bool // the names become free
	}{
		"nothing is deleted":        {func(s *Settings) { s.DeleteOrphans = false }, false, false},
		"no record names a cluster": {nil, true, false},
		"the hold ends":             {nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, tc.change, func(h *history) {
				show := func(kind string) {
					h.api.Lists["one"] = nil
					for n := range volumes {
						h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("%s%d 1 online n1 - data%d", kind, n, n))
					}
				}
				if tc.adopt {
					for n := range volumes {
						r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("data", n), UID: types.UID(fmt.Sprint("u", n))}}
						r.Status.VolumeID = fmt.Sprint("a", n)
						h.records.store(nil, r)
					}
				} else {
					show("a")
				}
				h.polls(2)
				show("b")
				h.polls(12 * 12) // longer than the hold
				names := h.names()
				for n := range volumes {
					if got := names[fmt.Sprint("b", n)]; got == "" || tc.free != (got == fmt.Sprint("data", n)) {
						t.Errorf("the record of b%d is called %q", n, got)
					}
				}
			})
		})
	}
}

// A volume has one record, whatever becomes of names while the watch of records is
// quiet, and whatever answer was lost.
func TestHistoryOneRecord(t *testing.T) {
	t.Parallel()
	foreign := func(h *history, name string) {
		r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "foreign"}}
		h.records.store(nil, r)
		h.tell(h.leader, -1)
	}
	free := func(h *history, name string) { h.records.store(h.records.records[name], nil) }
	change := func(h *history) { h.api.Lists["one"] = []string{"v7 2"} }
	for name, tell := range map[string]func(h *history, round func()){
		"its first name becomes free": func(h *history, round func()) {
			foreign(h, "v7")
			h.api.Lists["one"] = []string{"v7 1"}
			round()
			free(h, "v7")
			change(h)
			round()
		},
		"twice": func(h *history, round func()) {
			foreign(h, "v7")
			foreign(h, "v7-v7")
			h.api.Lists["one"] = []string{`{"id":"v7long-id","name":"v7","sizeBytes":1}`}
			round()
			free(h, "v7")
			free(h, "v7-v7")
			h.api.Lists["one"] = []string{`{"id":"v7long-id","name":"v7","sizeBytes":2}`}
			round()
			round()
		},
		"the answer to its creation is lost": func(h *history, round func()) {
			foreign(h, "v7")
			h.api.Lists["one"] = []string{"v7 1"}
			h.records.lost = func(verb string) error {
				if verb == "create" {
					h.records.lost = nil
					free(h, "v7")
					return errors.New("the answer was lost")
				}
				return nil
			}
			round()
			h.sleep(time.Second)
			round()
		},
		"it is deleted by hand": func(h *history, round func()) {
			foreign(h, "v7")
			h.api.Lists["one"] = []string{"v7 1"}
			round()
			free(h, "v7-v7")
			change(h)
			round()
		},
		"another process leads, whose watch is quiet": func(h *history, round func()) {
			foreign(h, "v7")
			next := h.newReplica()
			h.api.Lists["one"] = []string{"v7 1"}
			round()
			h.leader.queue.ShutDown()
			free(h, "v7")
			change(h)
			next.events = h.events
			next.writer.Distrust()
			h.leader = next
			round()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				tell(h, func() { // as a round, but the watch tells nothing
					_ = h.leader.poller.Poll(h.ctx)
					h.work(h.leader, 10)
					h.sleep(h.settings.PollInterval)
				})
				h.polls(3)
				ours := slices.DeleteFunc(slices.Collect(maps.Values(h.records.records)), func(r *v1.Volume) bool { return r.UID == "foreign" })
				if len(ours) != 1 {
					t.Errorf("%d records", len(ours))
				}
				if n := h.leader.writer.Uncached(); n > 0 {
					t.Errorf("%d creations are remembered", n)
				}
			})
		})
	}
}
