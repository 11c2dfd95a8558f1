package source

import (
	"bytes"
	"sync"
	"time"
)

// MaxPayloads bounds the bytes of volumes that are kept between the listing
// that showed them and the worker that records them. What does not fit is asked
// for by ID when its turn comes.
const MaxPayloads = 16 << 20

// Payload is what StorageOS has answered of a volume.
type Payload struct {
	JSON  []byte    // nil: nothing is kept
	Begun time.Time // when it was asked
}

// Payloads holds what was answered of volumes that wait for a worker.
type Payloads struct {
	mu    sync.Mutex
	kept  map[string]Payload
	size  int // in bytes
	limit int
	lists func(id string) bool // StorageOS does
}

// NewPayloads keeps up to so many bytes. Lists tells whether StorageOS lists a volume.
func NewPayloads(limit int, lists func(id string) bool) *Payloads {
	return &Payloads{kept: map[string]Payload{}, limit: limit, lists: lists}
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

// Put keeps a copy of an answer about a volume if there is room; what was kept of
// it before is out of date in any case, unless it was asked for later.
func (c *Payloads) Put(id string, p Payload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.kept[id]
	if was.Begun.After(p.Begun) {
		return
	}
	c.size -= len(was.JSON)
	delete(c.kept, id)
	if c.size+len(p.JSON) > c.limit {
		return
	}
	c.kept[id] = Payload{bytes.Clone(p.JSON), p.Begun}
	c.size += len(p.JSON)
}

// PutBack keeps again what was taken and is still of use, unless a listing has shown
// something newer, or that the volume has gone.
func (c *Payloads) PutBack(id string, p Payload) {
	if !c.lists(id) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, newer := c.kept[id]; newer || p.JSON == nil || c.size+len(p.JSON) > c.limit {
		return
	}
	c.kept[id] = p
	c.size += len(p.JSON)
}

// Take hands what is kept of a volume out and forgets it.
func (c *Payloads) Take(id string) Payload {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.kept[id]
	c.size -= len(p.JSON)
	delete(c.kept, id)
	return p
}
