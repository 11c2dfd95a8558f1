package controller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// readEarly reads what is due between two listings, and has all done that follows from it.
func (h *history) readEarly() {
	h.tell(h.leader, -1)
	h.leader.early.reader.ReadDue(h.ctx)
	h.work(h.leader, 1000)
	h.tell(h.leader, -1)
	h.work(h.leader, 1000)
}

// attachedOn is a volume in a list that is attached on a node, "" for none.
func attachedOn(id, node string) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"namespaceID":"one","sizeBytes":1,"attachedOn":%q,"master":{"health":"online","nodeID":"n1"}}`, id, id, node)
}

func (h *history) asked(id string) int {
	h.api.Mu.Lock()
	defer h.api.Mu.Unlock()
	return h.api.Calls["volume "+id]
}

// changedPV lets the PersistentVolume of a volume change.
func (h *history) changedPV(id string, change func(*state.PV)) {
	pv := *h.pvs[id]
	change(&pv)
	h.setPV(h.pvs[id], &pv)
}

// What Kubernetes tells has a volume read that may have changed, and no other.
func TestHistoryEarlyReads(t *testing.T) {
	t.Parallel()
	made := func(h *history) { h.api.Lists["one"] = append(h.api.Lists["one"], "x 1") }
	for name, tc := range map[string]struct {
		tell func(*history)
		id   string
		want int // questions
	}{
		"a PersistentVolume is new":           {func(h *history) { made(h); h.setPV(nil, boundPV("x", "x")) }, "x", 1},
		"it is new, and another had its name": {func(h *history) { made(h); h.setPV(h.pvs["v0"], boundPV("v0", "x")) }, "x", 1},
		"it has grown":                        {func(h *history) { h.changedPV("v0", func(pv *state.PV) { pv.SizeBytes = 2 }) }, "v0", 1},
		"it has grown, and so has the volume": {func(h *history) {
			h.api.Lists["one"][0] = "v0 2"
			h.changedPV("v0", func(pv *state.PV) { pv.SizeBytes = 2 })
		}, "v0", 1},
		"it is bound to another claim":     {func(h *history) { h.changedPV("v0", func(pv *state.PV) { pv.ClaimName = "other" }) }, "v0", 0},
		"it is released":                   {func(h *history) { h.release() }, "v0", 0},
		"it goes":                          {func(h *history) { h.setPV(h.pvs["v0"], nil) }, "v0", 0},
		"it is terminating, and has grown": {func(h *history) { h.changedPV("v0", func(pv *state.PV) { pv.Terminating, pv.SizeBytes = true, 2 }) }, "v0", 0},
		"it is new, and of another driver": {func(h *history) {
			h.setPV(nil, &state.PV{PVSummary: state.PVSummary{Name: "x"}, UID: state.UIDOf("x")})
		}, "", 0},
		"nobody leads": {func(h *history) { made(h); h.leader.leading.Store(false); h.setPV(nil, boundPV("x", "x")) }, "x", 0},
		"a volume is attached": {func(h *history) {
			h.api.Lists["one"][0] = attachedOn("v0", "n2")
			h.leader.attachmentChanged("v0", true)
		}, "v0", 1},
		"one whose PersistentVolume nobody knows": {func(h *history) { h.leader.attachmentChanged("x", true) }, "x", 0},
		"a volume of a released one is detached":  {func(h *history) { h.release(); h.tell(h.leader, -1); h.leader.attachmentChanged("v0", false) }, "v0", 0},
		"the last listing was not complete": {func(h *history) {
			h.api.Fail = always(errDown)
			h.round()
			h.api.Fail = nil
			made(h)
			h.setPV(nil, boundPV("x", "x"))
		}, "x", 0},
		"another cluster answers, and was not listed": {func(h *history) { h.other(); h.setPV(nil, boundPV("x", "x")) }, "x", 0},
		"before the first listing of a process":       {func(h *history) { h.lead(); made(h); h.setPV(nil, boundPV("x", "x")) }, "x", 0},
		"nothing, though all is told again":           {func(h *history) { h.changedPV("v0", func(pv *state.PV) { pv.ResourceVersion = "7" }) }, "v0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				before := h.asked(tc.id)
				tc.tell(h)
				h.readEarly()
				if n := h.asked(tc.id) - before; n != tc.want {
					t.Errorf("it was asked for %d times, want %d", n, tc.want)
				}
			})
		})
	}
}

func always(err error) func(string, int) error { return func(string, int) error { return err } }

// The record of a volume that was read is written before the next listing, and that finds
// nothing to do.
func TestHistoryEarlyRecord(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*history){
		"it is new": func(h *history) {
			h.api.Lists["one"] = append(h.api.Lists["one"], "x 7")
			h.setPV(nil, boundPV("x", "x"))
		},
		"it has grown": func(h *history) {
			h.api.Lists["one"][0] = "v0 7"
			h.changedPV("v0", func(pv *state.PV) { pv.SizeBytes = 7 })
		},
		"it is attached": func(h *history) {
			h.api.Lists["one"][0] = "v0 7 online n1"
			h.leader.attachmentChanged("v0", true)
		},
		"it was taken for absent": func(h *history) {
			h.api.Hidden = map[string]bool{"v0": true}
			h.polls(2)
			h.api.Hidden = nil
			h.api.Lists["one"][0] = "v0 7"
			h.leader.attachmentChanged("v0", true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				tell(h)
				h.readEarly()
				var is *v1.Volume
				for _, r := range h.records.records {
					if r.Spec.SizeBytes == 7 {
						is = r
					}
				}
				if is == nil || is.Annotations[v1.AnnotationAbsentSince] != "" || is.Annotations[v1.AnnotationClusterID] != "cluster" || is.Status.PersistentVolume == nil {
					t.Fatalf("the record is not what it should be: %+v", is)
				}
				writes := h.records.writes
				h.polls(3)
				if n := h.records.writes - writes; n > 0 {
					t.Errorf("%d more writes", n)
				}
				if n := h.leader.view.Size().Early; n > 0 {
					t.Errorf("%d volumes that were read are remembered", n)
				}
			})
		})
	}
}

// Whatever a listing shows that was begun before a volume was read: nothing that is there is
// taken for absent, and nothing older is written.
func TestHistoryEarlyBesideAListing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed string // of v0, "" if it is not
		read   string
		want   []int64
	}{
		"it lists it as before":         {"v0 1", "v0 3", []int64{3}},
		"it lists it not as before":     {"v0 2", "v0 3", []int64{3}},
		"it does not list it":           {"", "v0 3", []int64{3}},
		"it does not list it, as it is": {"", "v0 1", nil},
		"nothing is new":                {"v0 1", "v0 1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.OrphanGracePeriod = 0 }, func(h *history) {
				var sizes []int64
				h.records.wrote = func(_ context.Context, old, obj *v1.Volume) {
					switch {
					case obj == nil || obj.Annotations[v1.AnnotationAbsentSince] != "":
						t.Errorf("a record was marked or deleted: %+v", old)
					case obj.Name == "v0" && obj.Spec.SizeBytes != old.Spec.SizeBytes:
						sizes = append(sizes, obj.Spec.SizeBytes)
					}
				}
				rest := []string{"v1 1", "v2 1"}
				h.api.Lists["one"] = rest
				if tc.listed != "" {
					h.api.Lists["one"] = append([]string{tc.listed}, rest...)
				}
				asked := 0
				h.api.Before = func(_ context.Context, call string) {
					if asked++; call == "cluster" && asked > 1 {
						// The lists are read, the listing has not ended.
						h.api.Before = nil
						h.api.Lists["one"] = append([]string{tc.read}, rest...)
						h.sleep(1)
						h.leader.attachmentChanged("v0", true)
						h.readEarly()
					}
				}
				h.polls(1)
				if h.api.Before != nil {
					t.Error("nothing was read")
				}
				h.polls(3)
				if diff := cmp.Diff(tc.want, sizes); diff != "" {
					t.Errorf("sizes written (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Kubernetes tells twice of one attachment: that it is wanted and that it is done. If the first
// read has shown it already, the second is the last.
func TestHistoryEarlyAttachment(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		early bool // StorageOS shows it before Kubernetes tells that it is done
		want  int  // questions
	}{"at once": {true, 2}, "a moment later": {false, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				attached := func() { h.api.Lists["one"][0] = attachedOn("v0", "n2") }
				if tc.early {
					attached()
				}
				h.leader.attachmentChanged("v0", true)
				h.readEarly()
				attached()
				h.leader.attachmentChanged("v0", true)
				h.readEarly()
				for range 4 {
					h.sleep(time.Second)
					h.readEarly()
				}
				if n := h.asked("v0"); n != tc.want {
					t.Errorf("it was asked for %d times, want %d", n, tc.want)
				}
			})
		})
	}
}

// A volume is attached and at once detached, and StorageOS shows that a moment later: what it
// showed of the attachment meanwhile is not what is expected now.
func TestHistoryEarlyDetachedSoon(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.Lists["one"][0] = attachedOn("v0", "n2")
		h.leader.attachmentChanged("v0", true)
		h.readEarly()
		if on := h.records.records["v0"].Status.AttachedOn; on != "n2" {
			t.Fatalf("it is attached on %q", on)
		}
		h.leader.attachmentChanged("v0", false)
		h.readEarly()
		h.api.Lists["one"][0] = attachedOn("v0", "")
		h.sleep(time.Second)
		h.readEarly()
		if on := h.records.records["v0"].Status.AttachedOn; on != "" {
			t.Errorf("it is attached on %q, want on none", on)
		}
	})
}

// A volume that no list has shown yet is attached, and StorageOS shows it a moment later.
func TestHistoryEarlyAttachmentOfNew(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.setPV(nil, boundPV("x", "x"))
		h.readEarly()
		h.leader.attachmentChanged("x", true)
		h.readEarly()
		h.api.Lists["one"][3] = attachedOn("x", "n2")
		h.sleep(time.Second)
		h.readEarly()
		if is := h.records.records["x"].Status.AttachedOn; is != "n2" {
			t.Errorf("the record says %s", is)
		}
	})
}

// A volume that was read is not asked for when its record is to be written: the answer is
// kept. If a list that was asked for earlier has taken its place, it is asked for again.
func TestHistoryEarlyContent(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.Lists["one"][0] = "v0 7"
		h.leader.attachmentChanged("v0", true)
		h.readEarly()
		if n := h.asked("v0"); n != 1 {
			t.Errorf("it was asked for %d times, want once", n)
		}
		if is := h.leader.view.Look("v0"); is.Presence != policy.Present || h.records.records["v0"].Spec.SizeBytes != 7 {
			t.Errorf("%+v", is)
		}
	})
}

// A volume was watched to be absent, is read, and goes before anybody has decided about what
// was read: the time for which it was watched before does not count.
func TestHistoryEarlyUndecided(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]int{"nobody has decided": 0, "it was decided": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				var deleted time.Time
				h.records.deleted = func(*v1.Volume) { deleted = time.Now() }
				h.api.Hidden = map[string]bool{"v0": true}
				h.polls(3) // less than the grace
				h.leader.attachmentChanged("v0", true)
				h.leader.early.reader.ReadDue(h.ctx)
				read := time.Now()
				h.work(h.leader, work)
				h.sleep(time.Second)
				h.api.Lists["one"] = []string{"v1 1", "v2 1"}
				h.polls(20)
				if deleted.Sub(read) < h.settings.OrphanGracePeriod || deleted.Sub(read) > 2*h.settings.OrphanGracePeriod {
					t.Errorf("the record was deleted %v after the volume was read", deleted.Sub(read))
				}
			})
		})
	}
}

// Without the flag nothing is read, whatever Kubernetes tells.
func TestHistoryNoEarlyReads(t *testing.T) {
	t.Parallel()
	told(t, 3, func(s *Settings) { s.EarlyReads = false }, func(h *history) {
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.setPV(nil, boundPV("x", "x"))
		h.tell(h.leader, -1)
		h.work(h.leader, 1000)
		h.leader.early.listingBegun()
		h.leader.early.run(h.ctx, func(string, bool) {})
		if n := h.asked("x"); n > 0 || h.records.records["x"] != nil {
			t.Errorf("it was asked for %d times", n)
		}
	})
}

// A PersistentVolume and its volume go and are made anew under the same name between two listings:
// that the old volume is gone only the next one tells, and the record waits for its name until then.
func TestHistoryEarlyName(t *testing.T) {
	t.Parallel()
	comes := func(h *history) { h.setPV(nil, boundPV("v0", "x")) }
	for name, read := range map[string]func(*history){
		"not read early": comes,
		"read early":     func(h *history) { comes(h); h.readEarly() },
		"read early, beside a listing that has shown it": func(h *history) {
			asked := 0
			h.api.Before = func(_ context.Context, call string) {
				if asked++; call == "cluster" && asked > 1 {
					h.api.Before = nil
					comes(h)
					h.readEarly()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				h.api.Lists["one"] = []string{"x 1", "v1 1", "v2 1"}
				h.setPV(h.pvs["v0"], nil)
				h.sleep(time.Second)
				read(h)
				h.polls(6)
				if diff := cmp.Diff(map[string]string{"x": "v0", "v1": "v1", "v2": "v2"}, h.names()); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				if h.api.Before != nil {
					t.Error("nothing was read")
				}
			})
			if n := events[policy.EventNameConflict]; n > 0 {
				t.Errorf("%d conflicts are told", n)
			}
		})
	}
}

// A volume is made, goes and is made anew under the same name, all between two listings: the first of
// the two, of which only an early read has told, is not known any more after the next.
func TestHistoryEarlyNameTwice(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]bool{"the second is read early": true, "the second is listed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				h.api.Lists["one"] = append(h.api.Lists["one"], "a 1")
				h.setPV(nil, boundPV("pvc-x", "a"))
				h.sleep(time.Second)
				h.readEarly()
				h.api.Lists["one"] = []string{"v0 1", "v1 1", "v2 1", "b 1"}
				h.setPV(h.pvs["pvc-x"], boundPV("pvc-x", "b"))
				h.sleep(time.Second)
				if read {
					h.readEarly()
				}
				h.polls(10)
				if diff := cmp.Diff(map[string]string{"b": "pvc-x", "v0": "v0", "v1": "v1", "v2": "v2"}, h.names()); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			})
			if n := events[policy.EventNameConflict]; n > 0 {
				t.Errorf("%d conflicts are told", n)
			}
		})
	}
}

// A volume that was read early is written, while the next listing has shown it already and has not
// yet come to the volume whose record has its name: what was decided on counts.
func TestHistoryEarlyNameWhileWritten(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.NamespaceIDs = append(h.api.NamespaceIDs, "two")
		h.api.Lists["two"] = []string{"w 1"}
		h.setPV(nil, boundPV("w", "w"))
		h.polls(2)
		h.api.Lists["two"], h.api.Lists["one"] = nil, append(h.api.Lists["one"], "x 1")
		h.setPV(h.pvs["w"], nil)
		h.setPV(nil, boundPV("w", "x"))
		listed := make(chan bool)
		h.records.fence = func(context.Context) error {
			h.records.fence = nil
			h.api.Slow = map[string]time.Duration{"volumes two": 10 * time.Second}
			h.sleep(1)
			go func() { h.poll(h.leader); close(listed) }()
			time.Sleep(time.Second)
			return nil
		}
		h.readEarly()
		if h.records.fence != nil {
			t.Fatal("nothing was to be made")
		}
		<-listed
		h.api.Slow = nil
		h.polls(10)
		if n := h.names()["x"]; n != "w" {
			t.Errorf("it is recorded as %q", n)
		}
	})
}

// A volume that lives keeps its name from one that was read early, which takes another when the
// next listing has shown both, or has failed.
func TestHistoryEarlyNameTaken(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"listed": false, "the next listing fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
				h.setPV(h.pvs["v0"], boundPV("v0", "x"))
				h.readEarly()
				if n := h.names()["x"]; n != "" {
					t.Errorf("it is recorded as %s before anybody knows whether v0 is there", n)
				}
				if fails {
					h.api.Fail = func(string, int) error { return errDown }
				}
				h.polls(2)
				if n := h.names(); n["x"] != "x" || n["v0"] != "v0" {
					t.Errorf("the records are %v", n)
				}
			})
		})
	}
}

// One server of StorageOS lacks a volume, in its lists and by its ID, another has it. When that
// has said so, the volume was not watched to be gone, however late the others answer that are read at
// the same moment, and whether or not what was said counts.
func TestHistoryEarlyShownAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		slow time.Duration                 // another that is read with it
		list string                        // how it looks
		fail func(call string, n int) bool // the nth such call
	}{
		"alone":                       {},
		"another answers late":        {slow: 20 * time.Second},
		"it cannot be recorded":       {list: "v0 18446744073709551615"},
		"the cluster does not answer": {fail: func(call string, n int) bool { return call == "cluster" && n == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				var deleted time.Time
				h.records.deleted = func(*v1.Volume) { deleted = time.Now() }
				h.api.Hidden = map[string]bool{"v0": true}
				h.polls(3) // less than the grace
				if tc.list != "" {
					h.api.Lists["one"][0] = tc.list
				}
				calls, asked := map[string]int{}, 0
				h.api.Fail = func(call string, _ int) error {
					calls[call]++
					if tc.fail != nil && tc.fail(call, calls[call]) {
						return errDown
					}
					if call == "volume v0" {
						if asked++; asked > 1 {
							return storageostest.NotFound
						}
					}
					return nil
				}
				h.api.Slow = map[string]time.Duration{"volume v1": tc.slow}
				h.leader.attachmentChanged("v0", true)
				h.leader.attachmentChanged("v1", true)
				read := make(chan bool)
				go func() { h.leader.early.reader.ReadDue(h.ctx); close(read) }()
				synctest.Wait()
				shown := time.Now()
				h.sleep(time.Second)
				h.polls(5)
				if after := deleted.Sub(shown); asked == 0 || !deleted.IsZero() && after < h.settings.OrphanGracePeriod {
					t.Errorf("the record was deleted %v after the volume was shown; StorageOS was asked %d times", after, asked)
				}
				<-read
			})
		})
	}
}
