package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// counted counts events by reason.
type counted map[string]int

func (c counted) Event(_ runtime.Object, _, reason, _ string) { c[reason]++ }

// history is a model in which what happens is told step by step.
type history struct {
	test *testing.T
	all  []string // the volumes that there are, whatever StorageOS lists
	*model
	events counted
	hears  EventRecorder // what leaders say
	ended  []func()      // at the end
}

// told runs a history of so many volumes in one namespace, each with a bound
// PersistentVolume, and returns the events of its last leader.
func told(t *testing.T, volumes int, change func(*Settings), tell func(*history)) counted {
	t.Helper()
	events := counted{}
	synctest.Test(t, func(*testing.T) {
		h := &history{events: events, hears: events, model: &model{
			ctx: klog.NewContext(context.Background(), logr.Discard()), settings: DefaultSettings(),
			api: storageostest.New(map[string][]string{"one": nil}), pvs: map[string]*state.PV{},
			records: &memory{records: map[string]*v1.Volume{}, deleted: func(*v1.Volume) {}},
		}}
		h.api.NodeNames["n1"] = "host-1"
		if change != nil {
			change(&h.settings)
		}
		for n := range volumes {
			id := fmt.Sprintf("v%d", n)
			h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
			h.setPV(nil, &state.PV{
				PVSummary: state.PVSummary{
					Name: id, Phase: state.Intern(corev1.VolumeBound), ClaimNamespace: state.Intern("team"), ClaimName: id,
					ReclaimPolicy: state.Intern(corev1.PersistentVolumeReclaimDelete),
				},
				UID: state.UIDOf(types.UID(id)), Created: uint32(time.Now().Unix()), NamespaceID: state.Intern("one"), VolumeID: id,
			})
		}
		h.lead()
		defer h.close()
		h.polls(3)
		clear(events)
		defer func() {
			for _, end := range h.ended {
				end()
			}
		}()
		tell(h)
	})
	return events
}

// edit is somebody's hand on a record.
func (h *history) edit(name string, is func(*v1.Volume)) {
	old := h.records.records[name]
	obj := old.DeepCopy()
	is(obj)
	h.records.store(old, obj)
}

// lead lets a new process lead.
func (h *history) lead() {
	if h.leader != nil {
		h.leader.queue.ShutDown()
	}
	h.leader = h.newReplica()
	h.leader.events = h.hears
	h.leader.lease = &corev1.ObjectReference{Kind: "Lease"}
}

func (h *history) polls(n int) {
	for range n {
		h.round()
		h.sleep(h.settings.PollInterval)
	}
}

// provision lets so many PersistentVolumes of another volume come, and go, one in two polls.
func (h *history) provision(n int) {
	for i := range n {
		name := fmt.Sprint("b", i%50)
		if pv := h.pvs[name]; pv != nil {
			h.setPV(pv, nil)
		}
		h.setPV(nil, boundPV(name, "v0"))
		h.polls(2)
	}
}

// keepVolumes lets StorageOS have only the first n volumes.
func (h *history) keepVolumes(n int) { h.api.Lists["one"] = h.api.Lists["one"][:n] }

// What is said, and how often.
func TestHistoryEvents(t *testing.T) {
	t.Parallel()
	const minute = 12 // polls
	for name, tc := range map[string]struct {
		resync time.Duration
		tell   func(*history)
		want   counted
	}{
		"a volume goes": {
			tell: func(h *history) { h.keepVolumes(39); h.polls(minute) },
			want: counted{policy.EventMissing: 1},
		},
		"a volume goes and is back": {
			tell: func(h *history) {
				all := h.api.Lists["one"]
				h.keepVolumes(39)
				h.polls(minute)
				h.api.Lists["one"] = all
				h.polls(minute)
			},
			want: counted{policy.EventMissing: 1, policy.EventFound: 1},
		},
		"a volume goes and a PersistentVolume, and every ID is compared at each poll": {
			resync: time.Second,
			tell: func(h *history) {
				h.keepVolumes(39)
				h.setPV(h.pvs["v3"], nil)
				h.polls(minute)
			},
			want: counted{policy.EventMissing: 1, policy.EventUnclaimed: 1},
		},
		"a volume that nobody claims is not listed for a while": {
			tell: func(h *history) {
				h.setPV(h.pvs["v3"], nil)
				h.polls(minute)
				h.api.Hidden = map[string]bool{"v3": true}
				h.polls(2) // less than the grace
				h.api.Hidden = nil
				h.polls(minute)
			},
			want: counted{policy.EventUnclaimed: 1},
		},
		"a volume is made by hand while PersistentVolumes come all the time": {
			tell: func(h *history) {
				h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
				h.provision(3 * 60 * minute / 2)
			},
			want: counted{policy.EventUnclaimed: 1},
		},
		"the PersistentVolume of a volume comes after those of many others": {
			tell: func(h *history) {
				h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
				h.provision(30 * minute / 2)
				h.setPV(nil, boundPV("x", "x"))
				h.polls(minute)
			},
			want: counted{},
		},
		"most volumes go and are back": {
			tell: func(h *history) {
				all := h.api.Lists["one"]
				h.keepVolumes(10)
				h.polls(minute)
				h.api.Lists["one"] = all
				h.polls(minute)
			},
			want: counted{policy.EventHeld: 1, policy.EventResumed: 1},
		},
		"most volumes go and stay away": {
			tell: func(h *history) { h.keepVolumes(10); h.polls(25 * minute) },
			want: counted{policy.EventHeld: 1, policy.EventResumed: 1, policy.EventMissing: 30},
		},
		"another process leads while deletions are held": {
			tell: func(h *history) {
				h.keepVolumes(10)
				h.polls(minute)
				h.lead()
				h.polls(minute)
			},
			want: counted{policy.EventHeld: 1},
		},
		"most volumes go while nobody leads": {
			tell: func(h *history) {
				h.keepVolumes(10)
				h.lead()
				h.polls(minute)
			},
			want: counted{}, // it was so when this process began
		},
		"one goes, and most of the others while nobody leads": {
			tell: func(h *history) {
				h.keepVolumes(39)
				h.polls(2) // its record is marked
				h.keepVolumes(10)
				h.lead()
				h.polls(minute)
			},
			want: counted{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(t, 40, func(s *Settings) {
				if tc.resync > 0 {
					s.ResyncInterval = tc.resync
				}
			}, tc.tell)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a hand edits while a list does not show a volume that exists, its record
// stays.
func TestHistoryEditedRecord(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*v1.Volume){
		"the namespace":         func(r *v1.Volume) { r.Annotations[v1.AnnotationNamespaceID] = "other" },
		"no namespace":          func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationNamespaceID) },
		"the ID in the status":  func(r *v1.Volume) { r.Status.VolumeID = "x" },
		"the label":             func(r *v1.Volume) { r.Labels[v1.LabelVolumeID] = "x" },
		"the mark":              func(r *v1.Volume) { r.Annotations[v1.AnnotationAbsentSince] = "2001-01-01T00:00:00Z" },
		"the PersistentVolume":  func(r *v1.Volume) { r.Status.PersistentVolume = nil },
		"all of its conditions": func(r *v1.Volume) { r.Status.Conditions = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.OrphanGracePeriod = 0 }, func(h *history) {
				h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
				h.api.Hidden = map[string]bool{"v0": true}
				_ = h.leader.poller.Poll(h.ctx)
				old := h.records.records["v0"]
				obj := old.DeepCopy()
				edit(obj)
				h.records.store(old, obj)
				h.polls(10)
			})
		})
	}
}

// Whatever a hand edits of what the controller writes is put back; what is not the
// controller's stays.
func TestHistoryPutBack(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*v1.Volume){
		"the spec":   func(r *v1.Volume) { r.Spec.SizeBytes = 7 },
		"the status": func(r *v1.Volume) { r.Status.AttachedOn, r.Status.Ready = "x", "7/7" },
		"the label":  func(r *v1.Volume) { r.Labels[v1.LabelVolumeID] = "x" },
		"no annotation but a mark": func(r *v1.Volume) {
			r.Annotations = map[string]string{v1.AnnotationAbsentSince: "2001-01-01T00:00:00Z"}
		},
		"no conditions":                 func(r *v1.Volume) { r.Status.Conditions = nil },
		"a condition less":              func(r *v1.Volume) { r.Status.Conditions = r.Status.Conditions[1:] },
		"the message of Healthy":        func(r *v1.Volume) { r.Status.Conditions[0].Message = "x" },
		"the status of Healthy":         func(r *v1.Volume) { r.Status.Conditions[0].Status = metav1.ConditionFalse },
		"the reason of Present":         func(r *v1.Volume) { r.Status.Conditions[1].Reason = "x" },
		"the status of Bound":           func(r *v1.Volume) { r.Status.Conditions[2].Status = metav1.ConditionUnknown },
		"the PersistentVolume":          func(r *v1.Volume) { r.Status.PersistentVolume = nil },
		"the claim of PersistentVolume": func(r *v1.Volume) { r.Status.PersistentVolume.Claim.Name = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				old := h.records.records["v0"]
				obj := old.DeepCopy()
				edit(obj)
				metav1.SetMetaDataAnnotation(&obj.ObjectMeta, "theirs", "x")
				h.records.store(old, obj)
				h.polls(2)
				want, got := old.DeepCopy(), h.records.records["v0"].DeepCopy()
				metav1.SetMetaDataAnnotation(&want.ObjectMeta, "theirs", "x")
				for _, r := range []*v1.Volume{want, got} {
					r.ResourceVersion = ""
					slices.SortFunc(r.Status.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
					for i := range r.Status.Conditions {
						r.Status.Conditions[i].LastTransitionTime = metav1.Time{}
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A mark that was the only annotation of ours goes without those of others.
func TestHistoryLastAnnotation(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		old := h.records.records["v0"]
		obj := old.DeepCopy()
		obj.Annotations = map[string]string{v1.AnnotationAbsentSince: "2001-01-01T00:00:00Z", "theirs": "x"}
		h.records.store(old, obj)
		h.api.ClusterID = ""                                                     // it does not tell which it is
		h.api.Lists["one"] = []string{"v0 18446744073709551615", "v1 1", "v2 1"} // it cannot be recorded
		h.polls(3)
		got := h.records.records["v0"].Annotations
		if diff := cmp.Diff(map[string]string{"theirs": "x"}, got); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
	})
}

// A patch after which the record is what it was before is no write.
func TestHistoryWriteOfNothing(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		verbs := map[string]int{}
		h.leader.onWrite = func(verb, record string) { verbs[verb+" "+record]++ }
		old := h.records.records["v0"]
		obj := old.DeepCopy()
		obj.Labels[v1.LabelVolumeID] = "x" // the content is written, and its status is right
		h.records.store(old, obj)
		h.polls(3)
		if diff := cmp.Diff(map[string]int{"patch v0": 1}, verbs); diff != "" {
			t.Errorf("writes told (-want +got):\n%s", diff)
		}
	})
}

// What Kubernetes would not take is written when it does.
func TestHistoryRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		tell func(*history)
		want map[string]int64 // sizes by name
	}{
		"a change": {
			apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Volume").GroupKind(), "x", nil),
			func(h *history) { h.api.Lists["one"] = []string{"v0 7", "v1 1", "v2 1"} },
			map[string]int64{"v0": 7, "v1": 1, "v2": 1},
		},
		"a new volume": {
			apierrors.NewRequestEntityTooLargeError("x"),
			func(h *history) { h.api.Lists["one"] = []string{"v0 1", "v1 1", "v2 1", "v3 7"} },
			map[string]int64{"v0": 1, "v1": 1, "v2": 1, "v3": 7},
		},
		"the mark of an absence": {
			apierrors.NewBadRequest("x"),
			func(h *history) { h.keepVolumes(2) },
			map[string]int64{"v0": 1, "v1": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
				tried := 0
				h.records.fail = func(string) error { tried++; return tc.err }
				tc.tell(h)
				h.polls(12) // a minute
				if tried < 1 || tried > 4 {
					t.Errorf("it was tried %d times in a minute", tried)
				}
				h.records.fail = nil
				h.polls(20)
				got := map[string]int64{}
				for name, r := range h.records.records {
					got[name] = r.Spec.SizeBytes
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// When the newer CRD is installed, what the older one dropped is written, whatever that is.
// Before that a few records are tried at each resync, if nobody can look at the CRD.
func TestHistoryNewerCRD(t *testing.T) {
	t.Parallel()
	for name, drops := range map[string]func(*v1.Volume){
		"all that was added": func(r *v1.Volume) { (&memory{pruned: true}).prune(r) },
		"the conditions":     func(r *v1.Volume) { r.Status.Conditions = nil },
		"the capacity":       func(r *v1.Volume) { r.Status.Capacity = nil },
		"a summary":          func(r *v1.Volume) { r.Status.Ready = "" },
		"the claim": func(r *v1.Volume) {
			if pv := r.Status.PersistentVolume; pv != nil {
				pv.Claim = nil
			}
		},
		"a field of the spec": func(r *v1.Volume) { r.Spec.SizeBytes = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
				h.records.drops = drops
				for _, old := range maps.Clone(h.records.records) {
					h.records.store(old, old.DeepCopy())
				}
				h.api.Lists["one"] = []string{"v0 7", "v1 7", "v2 7"}
				h.polls(3)
				writes := h.records.writes + h.records.dropped
				h.polls(30)
				if n := h.records.writes + h.records.dropped - writes; n > 3*3 {
					t.Errorf("%d writes of what is dropped, in three resyncs", n)
				}
				h.records.drops = nil
				h.polls(15)
				for name, r := range h.records.records {
					s := r.Status
					if s.Ready == "" || s.Capacity == nil || s.PersistentVolume == nil || s.PersistentVolume.Claim == nil || len(s.Conditions) != 3 || r.Spec.SizeBytes != 7 {
						t.Errorf("record %s was not completed: %+v", name, r)
					}
				}
			})
		})
	}
}

// A first start remembers nothing of the volumes that it has recorded, even before the
// watch has told of their records: it may take long until their IDs' turn comes again.
func TestHistoryFirstRecords(t *testing.T) {
	t.Parallel()
	told(t, 0, nil, func(h *history) {
		for n := range 100 {
			h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("v%d 1", n))
		}
		_ = h.leader.poller.Poll(h.ctx)
		h.work(h.leader, 100)
		if made := len(h.records.records); made != 100 {
			t.Errorf("%d records, want 100", made)
		}
		for id, is := range h.leader.tracker.all {
			if is.Written != nil {
				t.Errorf("what was written for volume %s is remembered", id)
			}
		}
	})
}

// Whoever wants to know is told of every write, and of nothing else.
func TestHistoryWrites(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		verbs := map[string]int{}
		h.leader.onWrite = func(verb, record string) { verbs[verb+" "+record]++ }
		before := h.records.writes
		h.api.Lists["one"] = []string{"v0 7", "v1 1", "new 1"} // one larger, one gone, one new
		h.polls(60)
		all := 0
		for _, n := range verbs {
			all += n
		}
		if writes := h.records.writes - before; all != writes {
			t.Errorf("told of %d of %d writes: %v", all, writes, verbs)
		}
		for _, want := range []string{"patch v0", "patch_status v0", "delete v2", "create new", "patch_status new"} {
			if verbs[want] == 0 {
				t.Errorf("not told of %s: %v", want, verbs)
			}
		}
	})
}

// While a replica syncs its record is written once every so often, however often there is
// something new; in the end it says what is so.
func TestHistoryProgress(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{10 * time.Second, 30 * time.Second, 2 * time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			told(t, 1, func(s *Settings) { s.ProgressInterval = interval }, func(h *history) {
				const length = 4 * time.Minute
				written := h.records.writes
				for left := int(length / h.settings.PollInterval); left > 0; left-- {
					h.api.Lists["one"] = []string{fmt.Sprint("v0 1 online n1 ", left)}
					h.polls(1)
				}
				if n := h.records.writes - written; n != int(length/interval) {
					t.Errorf("%d writes in %v", n, length)
				}
				h.polls(int(interval / h.settings.PollInterval))
				if n := h.records.writes - written; n != int(length/interval)+1 {
					t.Errorf("%d writes until it says what is so", n)
				}
				for _, r := range h.records.records {
					if p := r.Status.Replicas[0].SyncProgress; p == nil || p.BytesRemaining != 1 {
						t.Errorf("in the end it says %+v", p)
					}
				}
			})
		})
	}
}
