package controller

import (
	"sync"
	"time"
)

// cycles measures listings: from the start of one until each ID that it queued
// has been tried once.
type cycles struct {
	mu      sync.Mutex
	open    []*cycle
	observe func(time.Duration)
}

// cycle is a listing that is not worked off yet.
type cycle struct {
	begun   time.Time
	waiting map[string]struct{} // queued, not taken yet
	working int                 // taken, not tried yet
	ended   bool                // the listing has ended and was complete
}

func (c *cycles) begin(now time.Time) *cycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy := &cycle{begun: now, waiting: map[string]struct{}{}}
	c.open = append(c.open, cy)
	return cy
}

// queued must be called before the ID is put into the queue.
func (c *cycles) queued(cy *cycle, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cy.waiting[id] = struct{}{}
}

// end says that the listing has ended. An incomplete one is not measured.
func (c *cycles) end(cy *cycle, complete bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !complete {
		c.remove(cy)
		return
	}
	cy.ended = true
	c.finish(cy, now)
}

// take says that a worker begins with an ID. What it returns says that it has
// been tried.
func (c *cycles) take(id string) (tried func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var taken []*cycle
	for _, cy := range c.open {
		if _, ok := cy.waiting[id]; ok {
			delete(cy.waiting, id)
			cy.working++
			taken = append(taken, cy)
		}
	}
	return func(now time.Time) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, cy := range taken {
			cy.working--
			c.finish(cy, now)
		}
	}
}

// finish measures a cycle that is worked off. The caller holds the lock.
func (c *cycles) finish(cy *cycle, now time.Time) {
	if !cy.ended || len(cy.waiting) > 0 || cy.working > 0 {
		return
	}
	c.remove(cy)
	c.observe(now.Sub(cy.begun))
}

func (c *cycles) remove(cy *cycle) {
	for i := range c.open {
		if c.open[i] == cy {
			c.open = append(c.open[:i], c.open[i+1:]...)
			return
		}
	}
}
