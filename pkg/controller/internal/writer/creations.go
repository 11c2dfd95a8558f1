package writer

import (
	"sync"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// creations remembers the records that the cache does not have yet. Without it, a volume
// whose record has another name than the first, because that was taken, would get a second
// record as soon as the first name is free.
type creations struct {
	mu  sync.Mutex
	all map[string]creation // by the ID of the volume
}

// creation is a record that was made, or may have been.
type creation struct {
	name string
	uid  state.UID // zero if nobody knows whether it was made
}

func newCreations() *creations { return &creations{all: map[string]creation{}} }

func (c *creations) of(id string) (creation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	is, ok := c.all[id]
	return is, ok
}

// begun says that a record is asked for.
func (c *creations) begun(id, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id] = creation{name: name}
}

// made says that it was made. The cache may have it already.
func (c *creations) made(id string, is creation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.all[id]; ok {
		c.all[id] = is
	}
}

// learn says that there is a record.
func (c *creations) learn(id string, is creation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id] = is
}

// maxUncertain is the default of Writer.MaxUncertain.
const maxUncertain = 10_000

// bound forgets those of which nobody knows whether they were made, where they are too many
// and their volumes are not listed: none is made for them.
func (c *creations) bound(most int, listed func(id string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) <= most {
		return
	}
	for id, is := range c.all {
		if is.uid == (state.UID{}) && !listed(id) {
			delete(c.all, id)
		}
	}
}

func (c *creations) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}

// cached says that the cache has a record.
func (c *creations) cached(r *state.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range r.IDs() {
		if is, ok := c.all[id]; ok && (is.uid == r.UID || is.uid == (state.UID{}) && is.name == r.Name) {
			delete(c.all, id)
		}
	}
}

func (c *creations) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}
