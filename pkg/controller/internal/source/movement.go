package source

import (
	"context"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Movement is the API as the poller asks it: each request of a listing says when it
// begins and when it has ended, well or not. That is what a liveness probe takes for
// movement. Logins and the questions of workers are none: they go on while the poller
// stands still.
type Movement struct {
	storageos.Lister
	Moved func(now time.Time)
}

func (m Movement) begin() (end func()) {
	m.Moved(time.Now())
	return func() { m.Moved(time.Now()) }
}

// Cluster implements storageos.Lister.
func (m Movement) Cluster(ctx context.Context) (string, error) {
	defer m.begin()()
	return m.Lister.Cluster(ctx)
}

// Nodes implements storageos.Lister.
func (m Movement) Nodes(ctx context.Context) (map[string]string, error) {
	defer m.begin()()
	return m.Lister.Nodes(ctx)
}

// Namespaces implements storageos.Lister.
func (m Movement) Namespaces(ctx context.Context) ([]storageos.Namespace, error) {
	defer m.begin()()
	return m.Lister.Namespaces(ctx)
}

// ListVolumes implements storageos.Lister.
func (m Movement) ListVolumes(ctx context.Context, namespaceID string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	defer m.begin()()
	return m.Lister.ListVolumes(ctx, namespaceID, known, each)
}
