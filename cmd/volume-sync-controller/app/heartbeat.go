package app

import (
	"cmp"
	"context"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcoordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller"
)

// The heartbeat of truth: a Lease that says until when records are known to be true,
// for whoever must know whether they can be believed. It is nobody's lock.
const (
	heartbeatName = component + "-listing"
	// annotationHeld and annotationInvalid are annotations of the Lease: how many
	// records the rules of deletion hold back, and how much cannot be recorded.
	annotationHeld    = "api.storageos.com/held"
	annotationInvalid = "api.storageos.com/invalid"
	// unnamed is the holder while StorageOS refuses to tell its cluster: a Lease has
	// no empty one.
	unnamed = "unnamed"
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

// heartbeat writes that Lease.
type heartbeat struct {
	leases  typedcoordinationv1.LeaseInterface
	listing func() controller.Listing

	wrote controller.Listing // what it said
	at    time.Time          // when it was written
	said  map[string]bool    // kinds of failure that were logged since it was last written
}

func (s *server) heartbeat() *heartbeat {
	return &heartbeat{leases: s.kube.CoordinationV1().Leases(s.namespace), listing: s.reconciler.Listing}
}

// run writes the Lease when what it says has changed, and every so often, until ctx
// ends.
func (h *heartbeat) run(ctx context.Context) {
	for {
		pause := heartbeatLook
		if l := h.listing(); h.due(l, time.Now()) {
			if err := h.write(ctx, l); err != nil {
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

// due tells whether the Lease is to be written: not before a listing was complete.
func (h *heartbeat) due(l controller.Listing, now time.Time) bool {
	switch {
	case l.Completed.IsZero():
		return false
	case h.at.IsZero() || now.Sub(h.at) >= heartbeatPause:
		return true
	default:
		return l.Cluster != h.wrote.Cluster || l.Held != h.wrote.Held || l.Invalid != h.wrote.Invalid
	}
}

// write makes the Lease say it, whatever has become of it meanwhile.
func (h *heartbeat) write(ctx context.Context, l controller.Listing) error {
	lease, err := h.leases.Get(ctx, heartbeatName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: heartbeatName}}
		say(lease, l)
		_, err = h.leases.Create(ctx, lease, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	say(lease, l)
	_, err = h.leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// say writes into a Lease what is known of the listings, and nothing else that
// somebody may have written there.
func say(lease *coordinationv1.Lease, l controller.Listing) {
	holder := cmp.Or(l.Cluster, unnamed)
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &metav1.MicroTime{Time: l.Completed}}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[annotationHeld] = strconv.Itoa(l.Held)
	lease.Annotations[annotationInvalid] = strconv.Itoa(l.Invalid)
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
	klog.FromContext(ctx).Error(err, "The Lease that says when StorageOS was last listed cannot be written, will be tried again", "lease", heartbeatName)
}
