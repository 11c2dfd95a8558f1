package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Of volumes of which all is well nothing is remembered, whatever they went through.
func TestHistoryNothingRemembered(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*history){
		"they were away": func(h *history) {
			all := h.api.Lists["one"]
			h.keepVolumes(0)
			h.polls(30)
			h.api.Lists["one"] = all
			h.polls(6)
		},
		"who led before has written what was to be written": func(h *history) {
			for i := range h.api.Lists["one"] {
				h.api.Lists["one"][i] += "1"
			}
			next := h.newReplica()
			_ = next.poller.Poll(h.ctx)
			h.polls(1)
			h.leader.queue.ShutDown()
			h.leader = next
			h.polls(6)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				tell(h)
				for id, is := range h.leader.tracker.all {
					t.Errorf("volume %s: %+v", id, is)
				}
			})
		})
	}
}

// What nobody names any more is not remembered as unknown, however long one namespace
// fails.
func TestHistoryUnknownGrows(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.NamespaceIDs = []string{"one", "two"}
		h.api.Fail = func(c string, _ int) error { return map[string]error{"volumes two": errDown}[c] }
		all := h.api.Lists["one"]
		for n := range 30 {
			id := fmt.Sprint("x", n)
			h.api.Lists["one"] = append(all[:len(all):len(all)], id+" 1")
			h.setPV(nil, boundPV(id, id))
			h.polls(2)
			h.api.Lists["one"] = all
			h.polls(2)
			h.setPV(h.pvs[id], nil)
			h.records.store(h.records.records[id], nil) // by hand
			h.polls(1)
		}
		if n := h.leader.view.Size().Unknown; n > 1 {
			t.Errorf("%d IDs are remembered of which nothing is left", n)
		}
	})
}

// A watch may tell a record that was made again under its name as a change of the first.
func TestHistoryCopiesMadeAgain(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		var old *v1.Volume
		for n := range 30 {
			c := h.records.records["v0"].DeepCopy()
			c.Name, c.UID, c.CreationTimestamp = "copy", types.UID(fmt.Sprint("copy", n)), metav1.NewTime(time.Now().Add(time.Hour))
			h.records.store(old, c)
			old = c
			h.polls(1)
		}
		if n := h.copiesTold(); n != 1 {
			t.Errorf("%d copies are remembered, there is one", n)
		}
	})
}

// What was listed of a volume and could not be recorded is of no use any more when the volume
// is not listed: however long its record stays, there is room for what is.
func TestHistoryContentsOfAbsent(t *testing.T) {
	t.Parallel()
	const volumes = 40
	for name, goes := range map[string]func(h *history){
		"another cluster answers": func(h *history) {
			h.api.ClusterID = "other"
			h.api.Lists["one"] = nil
			for n := range volumes {
				h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("w%d 1", n))
			}
		},
		"their deletions are held": func(h *history) { h.keepVolumes(0) },
		"one goes, and the grace is long": func(h *history) {
			h.leader.settings.OrphanGracePeriod = time.Hour
			h.keepVolumes(volumes - 1)
		},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", while writes fail: ", late), func(t *testing.T) {
				t.Parallel()
				told(t, volumes, nil, func(h *history) {
					h.leader.contents.Limit(4000)
					h.records.fail = func(string) error { return errDown }
					for i := range h.api.Lists["one"] {
						h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
					}
					h.listings(3)
					goes(h)
					h.listings(1)
					if late {
						h.listings(24)
					}
					h.records.fail = nil
					h.listings(24)
					if n := h.leader.contents.Bytes(); n > 0 {
						t.Errorf("%d bytes are kept, though all that is listed is recorded", n)
					}
				})
			})
		}
	}
}

// etcd is restored from a backup while the watch is quiet: what was written since is gone, and
// no watch will tell so. At a resync the cache counts, and the record is written again.
func TestHistoryRestored(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		told   bool // the watch tells the record as it was restored
		resync time.Duration
		want   int64
	}{
		"nothing is told":           {false, 10 * time.Minute, 7},
		"what was restored is told": {true, 10 * time.Minute, 7},
		"nothing is compared again": {false, 0, 1}, // somebody has chosen so
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.ResyncInterval = tc.resync }, func(h *history) {
				was := h.records.records["v0"]
				restored := was.DeepCopy()
				if tc.told {
					restored.Annotations["theirs"] = "x"
					restored.ResourceVersion = fmt.Sprint(h.records.version + 5)
				}
				h.records.version += 10
				h.api.Lists["one"][0] = "v0 7"
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
				if n := h.records.records["v0"].Spec.SizeBytes; n != 7 {
					t.Fatalf("%d bytes were written, want 7", n)
				}
				h.records.records["v0"] = restored
				h.records.history = h.records.history[:h.leader.recordsTold]
				if tc.told {
					h.records.history = append(h.records.history, recordChange{was, restored})
				}
				h.polls(12 * 11)
				if n := h.records.records["v0"].Spec.SizeBytes; n != tc.want {
					t.Errorf("11 minutes later the record says %d bytes, want %d", n, tc.want)
				}
			})
		})
	}
}

// What is remembered of StorageOS is bounded by what it lists, whatever it lists and
// whichever part of a listing fails.
func TestViewMemory(t *testing.T) {
	t.Parallel()
	const news, polls = 50, 20
	for name, tc := range map[string]struct {
		fail  string // the call that fails
		lists func(n int) map[string][]string
		most  int // volumes that are known
	}{
		"new namespaces": {"", func(n int) map[string][]string {
			all := map[string][]string{}
			for i := range news {
				all[fmt.Sprint("ns", n, "-", i)] = []string{fmt.Sprint("v", n, "-", i, " 1")}
			}
			return all
		}, news},
		"new namespaces, and the cluster fails": {"cluster", func(n int) map[string][]string {
			all := map[string][]string{}
			for i := range news {
				all[fmt.Sprint("ns", n, "-", i)] = []string{fmt.Sprint("v", n, "-", i, " 1")}
			}
			return all
		}, news},
		"new volumes, and the cluster fails": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 1"))
			}
			return map[string][]string{"one": all}
		}, news},
		"new volumes in a list that is cut": {"volumes one", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 1"))
			}
			return map[string][]string{"one": all}
		}, 2 * news},
		"new volumes that cannot be recorded": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", n, "-", i, " 18446744073709551615"))
			}
			return map[string][]string{"one": all}
		}, news},
		"volumes that move": {"cluster", func(n int) map[string][]string {
			var all []string
			for i := range news {
				all = append(all, fmt.Sprint("v", i, " 1"))
			}
			return map[string][]string{fmt.Sprint("ns", n): all}
		}, news},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.api.Fail = func(call string, _ int) error {
					if call == tc.fail {
						return errDown
					}
					return nil
				}
				for n := range polls {
					h.api.Lists, h.api.NamespaceIDs = tc.lists(n), nil
					for ns := range h.api.Lists {
						h.api.NamespaceIDs = append(h.api.NamespaceIDs, ns)
					}
					_ = h.leader.poller.Poll(h.ctx)
				}
				is := h.leader.view.Size()
				for what, n := range map[string]int{
					"volumes": is.Volumes, "entries of lists": is.Entries / 2, "namespaces": is.Namespaces, "known namespaces": is.Seen,
					"unknown volumes": is.Unknown, "ambiguous volumes": is.Ambiguous, "tracker": len(h.leader.tracker.all),
				} {
					if n > tc.most+1 {
						t.Errorf("%d %s after %d polls, want no more than %d", n, what, polls, tc.most)
					}
				}
			})
		})
	}
}

// copiesTold is how many records are remembered that were told to be left alone.
func (h *history) copiesTold() (n int) {
	h.leader.copies.Range(func(any, any) bool { n++; return true })
	return n
}

// The watch is quiet, and who led before has written what this process does not know: content
// that is old again, under a mark that it has taken away. The volume is as the cache has it.
func TestHistoryWrittenUnseen(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		all, before := slices.Clone(h.api.Lists["one"]), h.records.records["v0"].DeepCopy()
		h.api.Lists["one"] = all[1:]
		h.polls(1)
		if h.records.records["v0"].Annotations[v1.AnnotationAbsentSince] == "" {
			t.Fatal("it is not marked")
		}
		h.edit("v0", func(r *v1.Volume) {
			r.Annotations, r.Status = before.Annotations, before.Status
			r.Spec.SizeBytes = 9
		})
		h.api.Lists["one"] = all
		last := len(h.records.history) - 1
		unseen := h.records.history[last:]
		h.records.history = h.records.history[:last]
		h.lead()
		h.tell(h.leader, -1)
		h.records.history = append(h.records.history, unseen...)
		for range 4 { // what was written last is not told
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.sleep(h.settings.PollInterval)
		}
		if r := h.records.records["v0"]; r.Spec.SizeBytes != 1 || r.Annotations[v1.AnnotationAbsentSince] != "" {
			t.Errorf("it says %d bytes, marked %q", r.Spec.SizeBytes, r.Annotations[v1.AnnotationAbsentSince])
		}
	})
}
