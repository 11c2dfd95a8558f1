package controller

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// Which cluster it is that shows a volume is known once a listing has ended well: its record comes to name it
// then, however long that took. It is protected from another cluster by that name alone, and goes on the
// word of its own.
func TestHistoryClusterTold(t *testing.T) {
	t.Parallel()
	listed := func(h *history, entries ...string) func() {
		before := h.api.Lists["one"]
		h.api.Lists["one"] = append(append([]string{}, before...), entries...)
		return func() { h.api.Lists["one"] = before }
	}
	old := func(h *history, cluster string) {
		r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "u-x", CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))}}
		r.Status.VolumeID = "x"
		if cluster != "" {
			r.Annotations = map[string]string{v1.AnnotationClusterID: cluster}
		}
		h.records.store(nil, r)
		h.lead()
		h.polls(2) // absent, for less than the grace
	}
	// It is there while nobody knows which cluster that is, for so many listings, and nobody knows of it after that.
	flickers := func(h *history) {
		h.failsAtCluster(errDown)
		hide := listed(h, "x 1")
		h.polls(2)
		hide()
		h.polls(2)
		listed(h, "x 1")
	}
	back := func(listings int, cluster, entry string) func(*history) {
		return func(h *history) {
			old(h, cluster)
			h.failsAtCluster(errDown)
			listed(h, entry)
			h.polls(listings)
		}
	}
	for name, before := range map[string]func(*history){
		"it is back, and one listing fails":     back(1, "", "x 1"),
		"two listings":                          back(2, "", "x 1"),
		"three listings":                        back(3, "", "x 1"),
		"a minute of them":                      back(12, "", "x 1"),
		"its record names one of before":        back(4, "before", "x 1"),
		"it cannot be recorded":                 back(4, "", "x large"),
		"nor can that, which names another one": back(4, "before", "x large"),
		"it flickers":                           func(h *history) { old(h, ""); flickers(h) },
		"it was made without a name": func(h *history) {
			h.failsAtCluster(storageostest.Forbidden)
			h.polls(1)
			hide := listed(h, "x 1")
			h.polls(1)
			hide()
			h.failsAtCluster(nil)
			h.polls(2)
			flickers(h)
		},
	} {
		for then, resync := range map[string]time.Duration{"": 10 * time.Minute, ", and there is no resync": 0} {
			t.Run(name+then, func(t *testing.T) {
				t.Parallel()
				told(t, 3, func(s *Settings) { s.ResyncInterval = resync }, func(h *history) {
					before(h)
					h.failsAtCluster(nil)
					h.polls(2)
					if is := h.records.records["x"].Annotations[v1.AnnotationClusterID]; is != "cluster" {
						t.Errorf("once all is well it names the cluster %q", is)
					}
					lists, own := h.api.Lists, h.api.ClusterID
					h.api.Lists, h.api.ClusterID = map[string][]string{"one": {"b 1"}}, "stranger"
					h.polls(12)
					for _, name := range []string{"v0", "v1", "v2", "x"} {
						if h.records.records[name] == nil {
							t.Fatalf("the record %s of a living volume was deleted", name)
						}
					}
					h.api.Lists, h.api.ClusterID = lists, own
					h.api.Lists["one"] = h.api.Lists["one"][:3]
					h.polls(12)
					if h.records.records["x"] != nil {
						t.Errorf("its volume has gone, and it is there: held %v", h.leader.tracker.held)
					}
				})
			})
		}
	}
}

// Nor does it matter whether a listing that tells which cluster it is is complete: the first complete one may be
// another's.
func TestHistoryClusterToldIncomplete(t *testing.T) {
	t.Parallel()
	come := func(h *history) {
		h.setPV(nil, boundPV("x", "x"))
		h.api.Lists["one"] = append(append([]string{}, h.api.Lists["one"]...), "x 1")
	}
	made := func(polls int) func(*history) { // while the cluster refuses to tell
		return func(h *history) {
			h.failsAtCluster(storageostest.Forbidden)
			h.polls(1)
			come(h)
			h.polls(polls)
		}
	}
	ofReplaced := func(fails int, leads bool) func(*history) {
		return func(h *history) {
			r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "u-x", CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))}}
			r.Status.VolumeID = "x"
			h.failsAtCluster(errDown)
			if leads {
				h.polls(1) // before there is that record
			}
			h.records.store(nil, r)
			come(h)
			if !leads {
				h.lead()
			}
			h.polls(fails)
		}
	}
	for name, before := range map[string]func(*history){
		"a record of before, one listing fails":            ofReplaced(1, false),
		"a minute of them":                                 ofReplaced(12, false),
		"it comes while another process leads":             ofReplaced(6, true),
		"the cluster refused to tell":                      made(3),
		"it refused for minutes":                           made(60),
		"it refused, and another process leads":            func(h *history) { made(3)(h); h.lead() },
		"it refused, another leads, and then one fails":    func(h *history) { made(3)(h); h.lead(); h.failsAtCluster(errDown); h.polls(1) },
		"it refused, another leads, and then several fail": func(h *history) { made(3)(h); h.lead(); h.failsAtCluster(errDown); h.polls(4) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
				h.api.NamespaceIDs, h.api.Lists["two"] = []string{"one", "two"}, nil
				before(h)
				h.api.Fail = func(call string, _ int) error {
					if call == "volumes two" {
						return errDown
					}
					return nil
				}
				h.polls(3)
				if is := h.records.records["x"].Annotations[v1.AnnotationClusterID]; is != "cluster" {
					t.Errorf("after listings that tell which cluster it is it names %q", is)
				}
				h.api.Fail = nil
				h.api.Lists, h.api.ClusterID = map[string][]string{"one": {"b 1"}}, "stranger"
				h.polls(12)
				for _, name := range []string{"v0", "v1", "v2", "x"} {
					if h.records.records[name] == nil {
						t.Errorf("the record %s of a living volume was deleted", name)
					}
				}
			})
		})
	}
}

// Whenever a listing has told which cluster shows a volume, its record names that one at the next, whatever was
// before: failing lists, a cluster that fails or refuses to tell, fail-overs, hands, a volume that comes, goes and moves.
func TestHistoryClusterToldAlways(t *testing.T) {
	t.Parallel()
	for name, hand := range map[string]func(*v1.Volume){
		"a hand takes the name": func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationClusterID) },
		"a hand writes another": func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationClusterID, "before") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(300) {
				random := rand.New(rand.NewPCG(seed, 0))
				var steps []string
				told(t, 2, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
					h.api.NamespaceIDs = []string{"one", "two", "three"}
					h.setPV(nil, boundPV("x", "x"))
					if random.IntN(2) == 0 {
						r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "u-x", CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))}}
						r.Status.VolumeID = "x"
						h.records.store(nil, r)
					}
					others, where, size, fails := h.api.Lists["one"], "", 1, map[string]error{}
					h.api.Fail = func(call string, _ int) error { return fails[call] }
					may := []struct {
						name string
						does func()
					}{
						{"the cluster fails", func() { fails["cluster"] = errDown }},
						{"the cluster tells", func() { fails["cluster"] = nil }},
						{"the cluster tells", func() { fails["cluster"] = nil }},
						{"the cluster refuses to tell", func() { fails["cluster"] = storageostest.Forbidden }},
						{"the list of three fails", func() { fails["volumes three"] = errDown }},
						{"the list of two fails", func() { fails["volumes two"] = errDown }},
						{"the list of one fails", func() { fails["volumes one"] = errDown }},
						{"the lists are well", func() { fails = map[string]error{"cluster": fails["cluster"]} }},
						{"one and two are", func() { delete(fails, "volumes one"); delete(fails, "volumes two") }},
						{"it is in one", func() { where = "one" }},
						{"it is in one", func() { where = "one" }},
						{"it is in two", func() { where = "two" }},
						{"it is nowhere", func() { where = "" }},
						{"it grows", func() { size++ }},
						{"another leads", h.lead},
						{"a hand", func() {
							if h.records.records["x"] != nil {
								h.edit("x", hand)
							}
						}},
					}
					for range 25 {
						step, polls := may[random.IntN(len(may))], 1+random.IntN(3)
						step.does()
						steps = append(steps, fmt.Sprintf("%s, %d polls", step.name, polls))
						h.api.Lists["one"], h.api.Lists["two"] = others, nil
						if where != "" && fails["volumes "+where] == nil { // which shows nothing if it fails
							h.api.Lists[where] = append(append([]string{}, h.api.Lists[where]...), fmt.Sprint("x ", size))
						}
						h.polls(polls)
						if where == "" || fails["cluster"] != nil || fails["volumes "+where] != nil || polls < 2 {
							continue
						}
						if is := h.records.records["x"]; is == nil || is.Annotations[v1.AnnotationClusterID] != "cluster" {
							t.Fatalf("seed %d: after %q its record is %+v", seed, steps, is)
						}
					}
				})
			}
		})
	}
}

// A poll in which nothing has changed looks at no volume, whether or not the cluster has told its name.
func TestHistoryClusterUntold(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"it tells it": nil, "it fails": errDown, "it refuses": storageostest.Forbidden} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 30, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
				h.failsAtCluster(err)
				h.lead()
				h.polls(3)
				before := h.leader.backlog.look()
				h.polls(10)
				if looks := h.leader.backlog.look() - before - 1; looks != 0 {
					t.Errorf("%d looks in 10 polls", looks)
				}
			})
		})
	}
}

// Where nobody may look at the CRD, what an older one drops is written again at each resync, however often the
// cluster's name goes and comes back meanwhile.
func TestHistoryClusterFlaps(t *testing.T) {
	t.Parallel()
	told(t, 20, func(s *Settings) { s.ResyncInterval = 10 * time.Minute }, func(h *history) {
		h.records.pruned = true
		for _, old := range h.records.records {
			h.records.store(old, old.DeepCopy())
		}
		h.polls(6)
		wrote := func() int { return h.records.writes + h.records.dropped }
		before := wrote()
		for range 20 { // 20 seconds each
			h.failsAtCluster(storageostest.Forbidden)
			h.polls(2)
			h.failsAtCluster(nil)
			h.polls(2)
		}
		if n := wrote() - before; n != 0 {
			t.Errorf("%d writes while the name came and went", n)
		}
		h.polls(50)
		if n := wrote() - before; n == 0 {
			t.Error("no write at the resync")
		}
	})
}
