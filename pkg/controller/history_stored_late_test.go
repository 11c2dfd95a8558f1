package controller

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	typedv1 "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
)

// storesLate is a Kubernetes of which the first patch is not answered, and is stored when the next
// one comes.
type storesLate struct {
	versioned.Interface
	typedv1.StorageOSV1Interface
	*memory
	first func()
}

func (s *storesLate) StorageOSV1() typedv1.StorageOSV1Interface { return s }
func (s *storesLate) Volumes() typedv1.VolumeInterface          { return s }

func (s *storesLate) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	if s.first == nil {
		s.first = func() { _, _ = s.memory.Patch(ctx, name, kind, data, o, sub...) }
		return nil, errDown
	}
	s.first()
	s.first = func() {}
	return s.memory.Patch(ctx, name, kind, data, o, sub...)
}

// A change of health is said once, also if the write that was not answered is stored while it is
// tried again: to read the record before that tells nothing.
func TestHistoryStoredLate(t *testing.T) {
	t.Parallel()
	events := told(t, 3, nil, func(h *history) {
		h.leader.writesTo(&storesLate{memory: h.records})
		h.api.Lists["one"][0] = "v0 1 offline"
		h.polls(1)
		h.sleep(200 * time.Millisecond)
		h.polls(6)
		if is := h.records.records["v0"].Status.Master.Health; is != "offline" {
			t.Errorf("it says %s", is)
		}
	})
	if events["VolumeOffline"] != 1 {
		t.Errorf("events: %v", events)
	}
}

// One write of which the answer is lost is one that may be undone, however often what is written next
// is refused.
func TestHistoryLostOnce(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		writes := 0
		h.records.fail = func(string) error {
			if writes++; writes == 1 {
				return nil
			}
			return apierrors.NewTooManyRequests("later", 0)
		}
		h.records.lost = func(string) error { return errDown }
		h.api.Lists["one"][0] = "v0 1 offline"
		for end := time.Now().Add(40 * time.Second); time.Now().Before(end); h.sleep(5 * time.Second) {
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.api.Lists["one"][0] = "v0 7 offline"
		}
		if last := h.leader.tracker.all["v0"].LastWrite; last.Undone() || writes < 4 {
			t.Errorf("%+v after %d writes", last, writes)
		}
		h.records.fail, h.records.lost = nil, nil
		h.polls(3)
	})
}
