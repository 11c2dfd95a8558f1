package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/flowcontrol"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// What Kubernetes tells of a PersistentVolume does not wait until the record of its
// volume, one of many that are gone, is marked.
func TestHistoryMassKubernetesAlone(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.leader.marks = flowcontrol.NewFakeNeverRateLimiter() // all others come first
		pv := *h.pvs["v39"]
		pv.reclaimPolicy = share(corev1.PersistentVolumeReclaimRetain)
		h.setPV(h.pvs["v39"], &pv)
		h.polls(2)
		h.keepVolumes(0)
		h.polls(2)
		released := pv
		released.phase = share(corev1.VolumeReleased)
		h.setPV(&pv, &released)
		h.polls(2)
		r := h.records.records["v39"]
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason != "Released" {
			t.Errorf("Bound says %s, and the PersistentVolume was released", c.Reason)
		}
		if r.Annotations[v1.AnnotationAbsentSince] != "" {
			t.Error("it is marked, and its mark was to wait")
		}
	})
}

// Records that are held count as such before their marks are written, which takes its
// time.
func TestHistoryMassHeldBeforeMarked(t *testing.T) {
	t.Parallel()
	const volumes = 1000
	told(t, volumes, nil, func(h *history) {
		h.keepVolumes(0)
		for range 8 { // 40 s: the grace is over
			_ = h.leader.poller.poll(h.ctx)
			for range 5 {
				h.tell(h.leader, -1)
				h.work(h.leader, 2*volumes)
				h.sleep(time.Second)
			}
		}
		marked := 0
		for _, r := range h.records.records {
			if r.Annotations[v1.AnnotationAbsentSince] != "" {
				marked++
			}
		}
		if marked == volumes {
			t.Fatal("all are marked")
		}
		if n := h.leader.tracks.held[heldMass]; n != volumes {
			t.Errorf("%d of %d records past their grace are counted as held, %d are marked", n, volumes, marked)
		}
	})
}

// The log says why deletions are held, and says so again when it is another reason: not
// at each number.
func TestHistoryHoldOfAnotherKind(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		var said []string
		h.leader.logger = funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{})
		all := h.api.volumes["one"]
		h.keepVolumes(10)
		h.polls(6)
		h.keepVolumes(5)
		h.polls(6)
		h.api.cluster, h.api.volumes["one"] = "other", nil
		h.polls(6)
		h.api.cluster, h.api.volumes["one"] = "cluster", all
		h.polls(6)
		said = slices.DeleteFunc(said, func(line string) bool { return !strings.Contains(line, "held") })
		want := []string{"Deletions of records are held", "for another reason", "no longer held"}
		if len(said) != len(want) {
			t.Fatalf("it said:\n%s", strings.Join(said, "\n"))
		}
		for n, line := range said {
			if !strings.Contains(line, want[n]) {
				t.Errorf("it said %q, want %q", line, want[n])
			}
		}
	})
}
