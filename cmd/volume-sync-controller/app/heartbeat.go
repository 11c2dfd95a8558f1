package app

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcoordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

const (
	// heartbeatLook is how often it is looked whether something has changed.
	heartbeatLook = time.Second
	// heartbeatPause is how often the Lease is written if nothing has changed but the
	// time.
	heartbeatPause = 30 * time.Second
	// heartbeatRetry is the pause after a failure.
	heartbeatRetry = 5 * time.Second
)

// heartbeat writes the Lease that says until when records are known to be true.
type heartbeat struct {
	leases  typedcoordinationv1.LeaseInterface
	listing func() controller.Listing

	wrote controller.Listing // what it said
	at    time.Time          // when it was written
	said  map[string]bool    // kinds of failure that were logged since it was last written
}

func (s *server) heartbeat() *heartbeat {
	return &heartbeat{
		leases:  s.kube.CoordinationV1().Leases(s.namespace),
		listing: s.reconciler.Listing,
	}
}

// run writes the Lease when what it says has changed, and every so often, until ctx
// ends.
func (h *heartbeat) run(ctx context.Context) {
	for {
		pause := heartbeatLook
		if l := h.listing(); h.due(l, time.Now()) {
			if err := h.write(ctx, l.Heartbeat); err != nil {
				h.log(ctx, err)
				pause = heartbeatRetry
			} else {
				h.wrote, h.at, h.said = l, time.Now(), nil
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// due tells whether the Lease is to be written: not before a listing was complete. That a record
// is behind makes no difference at once, as it says for which time nothing is.
func (h *heartbeat) due(l controller.Listing, now time.Time) bool {
	switch {
	case l.Completed.IsZero():
		return false
	case h.at.IsZero() || now.Sub(h.at) >= heartbeatPause:
		return true
	case !h.wrote.Recorded.Equal(h.wrote.Begun) && l.Recorded.Equal(l.Begun):
		return true // nothing is behind any more
	case l.Completed.Sub(h.wrote.Completed) >= heartbeatPause:
		return true // until the next listing nobody might believe it
	default:
		is := l.Heartbeat
		is.Completed, is.Recorded = h.wrote.Completed, h.wrote.Recorded
		return is != h.wrote.Heartbeat
	}
}

// write makes the Lease say it, whatever has become of it meanwhile.
func (h *heartbeat) write(ctx context.Context, l record.Heartbeat) error {
	lease, err := h.leases.Get(ctx, record.HeartbeatName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: record.HeartbeatName}}
		l.Write(lease, time.Now())
		_, err = h.leases.Create(ctx, lease, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	l.Write(lease, time.Now())
	_, err = h.leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// log says each kind of failure once.
func (h *heartbeat) log(ctx context.Context, err error) {
	kind := string(apierrors.ReasonForError(err))
	if ctx.Err() != nil || h.said[kind] {
		return
	}
	if h.said == nil {
		h.said = map[string]bool{}
	}
	h.said[kind] = true
	klog.FromContext(ctx).Error(err, "The Lease that says when StorageOS was last listed cannot be written, will be tried again", "lease", record.HeartbeatName)
}
