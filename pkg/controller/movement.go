package controller

import (
	"context"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// movement is the API as the poller asks it: each request of a listing says when it
// begins and when it has ended, well or not. That is what a liveness probe takes for
// movement. Logins and the questions of workers are none: they go on while the poller
// stands still.
type movement struct {
	storageos.Lister
	moved func(now time.Time)
}

func (m movement) begin() (end func()) {
	m.moved(time.Now())
	return func() { m.moved(time.Now()) }
}

// moved takes note of a movement. It does not shorten a pause: nodes may be answered
// in it.
func (r *Reconciler) moved(now time.Time) {
	was := r.attempt.Load()
	if was < now.UnixNano() {
		r.attempt.CompareAndSwap(was, now.UnixNano()) // or another has moved just now
	}
}

// Cluster implements storageos.Lister.
func (m movement) Cluster(ctx context.Context) (string, error) {
	defer m.begin()()
	return m.Lister.Cluster(ctx)
}

// Nodes implements storageos.Lister.
func (m movement) Nodes(ctx context.Context) (map[string]string, error) {
	defer m.begin()()
	return m.Lister.Nodes(ctx)
}

// Namespaces implements storageos.Lister.
func (m movement) Namespaces(ctx context.Context) ([]storageos.Namespace, error) {
	defer m.begin()()
	return m.Lister.Namespaces(ctx)
}

// ListVolumes implements storageos.Lister.
func (m movement) ListVolumes(ctx context.Context, namespaceID string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	defer m.begin()()
	return m.Lister.ListVolumes(ctx, namespaceID, known, each)
}
