package source

import (
	"bytes"
	"sync"
)

// MaxPayloads bounds the bytes of volumes that are kept between the listing
// that showed them and the worker that records them. What does not fit is asked
// for by ID when its turn comes.
const MaxPayloads = 16 << 20

// Payloads holds the JSON of volumes that wait for a worker.
type Payloads struct {
	mu    sync.Mutex
	raw   map[string][]byte
	size  int // in bytes
	limit int
	lists func(id string) bool // StorageOS does
}

// NewPayloads keeps up to so many bytes. Lists tells whether StorageOS lists a volume.
func NewPayloads(limit int, lists func(id string) bool) *Payloads {
	return &Payloads{raw: map[string][]byte{}, limit: limit, lists: lists}
}

// Limit changes how many bytes are kept. What is kept already stays.
func (c *Payloads) Limit(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = bytes
}

// Bytes is how many are kept.
func (c *Payloads) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// Put keeps a copy of the JSON of a volume if there is room; what was kept of
// it before is out of date in any case.
func (c *Payloads) Put(id string, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size -= len(c.raw[id])
	delete(c.raw, id)
	if c.size+len(raw) > c.limit {
		return
	}
	c.raw[id] = bytes.Clone(raw)
	c.size += len(raw)
}

// PutBack keeps again what was taken and is still of use, unless a listing has shown
// something newer, or that the volume has gone.
func (c *Payloads) PutBack(id string, raw []byte) {
	if !c.lists(id) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, newer := c.raw[id]; newer || raw == nil || c.size+len(raw) > c.limit {
		return
	}
	c.raw[id] = raw
	c.size += len(raw)
}

// Take hands the JSON of a volume out and forgets it; nil if there is none.
func (c *Payloads) Take(id string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw := c.raw[id]
	c.size -= len(raw)
	delete(c.raw, id)
	return raw
}
