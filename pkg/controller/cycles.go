package controller

import (
	"sync"
	"time"
)

// mostCycles is how many listings are measured at a time. While so many are not worked off,
// none that begins is.
const mostCycles = 64

// cycles measures listings: from the start of one until each ID that it queued
// has been tried once.
type cycles struct {
	mu      sync.Mutex
	open    [mostCycles]*cycle
	waiting map[string]uint64 // IDs that were queued and are not taken yet: by whom, a bit for each place in open
	observe func(time.Duration)
}

// cycle is a listing that is not worked off yet.
type cycle struct {
	begun    time.Time
	bit      uint64 // of its place; 0 if it is not measured
	left     int    // queued, not tried yet
	ended    bool
	complete bool
}

func newCycles(observe func(time.Duration)) *cycles {
	return &cycles{waiting: map[string]uint64{}, observe: observe}
}

func (c *cycles) begin(now time.Time) *cycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy := &cycle{begun: now}
	for place, other := range c.open {
		if other == nil {
			c.open[place], cy.bit = cy, 1<<place
			break
		}
	}
	return cy
}

// queued must be called before the ID is put into the queue.
func (c *cycles) queued(cy *cycle, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by := c.waiting[id]; by&cy.bit != cy.bit {
		c.waiting[id] = by | cy.bit
		cy.left++
	}
}

// end says that the listing has ended. An incomplete one is not measured.
func (c *cycles) end(cy *cycle, complete bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy.ended, cy.complete = true, complete
	c.finish(now)
}

// take says that a worker begins with an ID. What it returns says that it has
// been tried.
func (c *cycles) take(id string) (tried func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := c.waiting[id]
	delete(c.waiting, id)
	return func(now time.Time) {
		if by == 0 {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, cy := range c.open {
			if cy != nil && by&cy.bit != 0 {
				cy.left--
			}
		}
		c.finish(now)
	}
}

// finish measures those that are worked off. The caller holds the lock.
func (c *cycles) finish(now time.Time) {
	for place, cy := range c.open {
		if cy == nil || !cy.ended || cy.left > 0 {
			continue
		}
		c.open[place] = nil
		if cy.complete {
			c.observe(now.Sub(cy.begun))
		}
	}
}
