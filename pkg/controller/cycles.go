package controller

import (
	"sync"
	"time"
)

// cycles measures listings: from the start of one until each ID that it queued has been
// tried once. While one is not worked off, none that begins is measured.
type cycles struct {
	mu      sync.Mutex
	open    *cycle              // nil if none is measured
	waiting map[string]struct{} // IDs that it queued and that are not taken yet
	observe func(time.Duration)
}

// cycle is a listing that is not worked off yet.
type cycle struct {
	begun    time.Time
	left     int // queued, not tried yet
	ended    bool
	complete bool
}

func newCycles(observe func(time.Duration)) *cycles {
	return &cycles{waiting: map[string]struct{}{}, observe: observe}
}

// begin is nil for a listing that is not measured.
func (c *cycles) begin(now time.Time) *cycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		return nil
	}
	c.open = &cycle{begun: now}
	return c.open
}

// queued must be called before the ID is put into the queue.
func (c *cycles) queued(cy *cycle, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.waiting[id]; !ok && cy != nil {
		c.waiting[id] = struct{}{}
		cy.left++
	}
}

// end says that the listing has ended. An incomplete one is not measured.
func (c *cycles) end(cy *cycle, complete bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cy != nil {
		cy.ended, cy.complete = true, complete
		c.finish(now)
	}
}

// take says that a worker begins with an ID. What it returns says that it has
// been tried.
func (c *cycles) take(id string) (tried func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, was := c.waiting[id]
	delete(c.waiting, id)
	return func(now time.Time) {
		if was {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.open.left--
			c.finish(now)
		}
	}
}

// finish measures the listing if it is worked off. The caller holds the lock.
func (c *cycles) finish(now time.Time) {
	cy := c.open
	if !cy.ended || cy.left > 0 {
		return
	}
	c.open = nil
	if cy.complete {
		c.observe(now.Sub(cy.begun))
	}
}
