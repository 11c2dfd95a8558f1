package controller

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// maxContents bounds the bytes of volumes that are kept between the listing
// that showed them and the worker that records them. What does not fit is asked
// for by ID when its turn comes.
const maxContents = 16 << 20

// contents holds the JSON of volumes that wait for a worker.
type contents struct {
	mu    sync.Mutex
	raw   map[string][]byte
	bytes int
	limit int
	lists func(id string) bool // StorageOS does
}

func newContents(limit int) *contents {
	return &contents{raw: map[string][]byte{}, limit: limit, lists: func(string) bool { return true }}
}

// put keeps a copy of the JSON of a volume if there is room; what was kept of
// it before is out of date in any case.
func (c *contents) put(id string, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= len(c.raw[id])
	delete(c.raw, id)
	if c.bytes+len(raw) > c.limit {
		return
	}
	c.raw[id] = bytes.Clone(raw)
	c.bytes += len(raw)
}

// putBack keeps again what was taken and is still of use, unless a listing has shown
// something newer, or that the volume has gone.
func (c *contents) putBack(id string, raw []byte) {
	if !c.lists(id) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, newer := c.raw[id]; newer || raw == nil || c.bytes+len(raw) > c.limit {
		return
	}
	c.raw[id] = raw
	c.bytes += len(raw)
}

// take hands the JSON of a volume out and forgets it; nil if there is none.
func (c *contents) take(id string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw := c.raw[id]
	c.bytes -= len(raw)
	delete(c.raw, id)
	return raw
}

// content is what the record should say of the volume: out of the listing that
// queued it, or asked for by ID; and the JSON that says so, which is kept again if it
// cannot be written. Nil if the volume has gone or cannot be recorded: the next listing
// will show it.
func (r *Reconciler) content(ctx context.Context, id string, o policy.Observation, raw []byte) (*record.Content, []byte, error) {
	if raw == nil {
		if !r.mayTry(id) {
			return nil, nil, errNoWrites
		}
		if !r.reads.enter(id) {
			return nil, nil, errAside
		}
		defer r.left(r.reads)
	}
	raw, v, err := r.volume(ctx, id, o.Source.NamespaceID, raw)
	if storageos.IsNotFound(err) {
		r.waiting.add(id)
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := record.FromVolume(v, o.Source.NamespaceID, r.view.nodeNames())
	if err != nil {
		r.waiting.add(id)
		return nil, nil, nil //nolint:nilerr // the listing reports it
	}
	return &c, raw, nil
}

func (r *Reconciler) volume(ctx context.Context, id, namespaceID string, raw []byte) ([]byte, *storageos.Volume, error) {
	if raw != nil {
		v, err := storageos.DecodeVolume(raw)
		return raw, v, err
	}
	begun := time.Now()
	raw, v, err := r.api.Volume(ctx, namespaceID, id)
	if err == nil {
		r.view.shown(id, begun)
	}
	return raw, v, err
}
