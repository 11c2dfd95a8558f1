package controller

import (
	"slices"
	"sync"
	"time"
)

// cycles measures listings: from the start of one until each ID that it queued
// has been tried once.
type cycles struct {
	mu      sync.Mutex
	open    []*cycle          // not worked off yet, the oldest first
	waiting map[string]*cycle // by ID: that queued it first; it is not taken yet
	observe func(time.Duration)
}

// cycle is a listing that is not worked off yet.
type cycle struct {
	begun    time.Time
	left     int    // IDs that it queued first and that are not tried yet
	after    *cycle // the last before it that has queued some of its IDs; nil if none, or if that is worked off
	ended    bool
	complete bool
}

func newCycles(observe func(time.Duration)) *cycles {
	return &cycles{waiting: map[string]*cycle{}, observe: observe}
}

func (c *cycles) begin(now time.Time) *cycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy := &cycle{begun: now}
	c.open = append(c.open, cy)
	return cy
}

// queued must be called before the ID is put into the queue. One that waits already is
// not counted again: however many listings queue it, it is remembered once.
func (c *cycles) queued(cy *cycle, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch first := c.waiting[id]; {
	case first == nil:
		c.waiting[id] = cy
		cy.left++
	case first != cy && (cy.after == nil || cy.after.begun.Before(first.begun)):
		cy.after = first
	}
}

// end says that the listing has ended. An incomplete one is not measured.
func (c *cycles) end(cy *cycle, complete bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy.ended, cy.complete = true, complete
	c.finish(cy, now)
}

// take says that a worker begins with an ID. What it returns says that it has
// been tried.
func (c *cycles) take(id string) (tried func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy := c.waiting[id]
	delete(c.waiting, id)
	return func(now time.Time) {
		if cy == nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		cy.left--
		c.finish(cy, now)
	}
}

// finish measures a cycle that is worked off, and those that had to wait for it. The
// caller holds the lock.
func (c *cycles) finish(cy *cycle, now time.Time) {
	if !cy.ended || cy.left > 0 || cy.after != nil {
		return
	}
	c.open = slices.DeleteFunc(c.open, func(other *cycle) bool { return other == cy })
	if cy.complete {
		c.observe(now.Sub(cy.begun))
	}
	for _, other := range slices.Clone(c.open) {
		if other.after == cy {
			other.after = nil
			c.finish(other, now)
		}
	}
}
