package controller

import (
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
