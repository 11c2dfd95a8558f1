package controller

import (
	"maps"
	"slices"
	"sync"
)

// recheckSet holds the IDs that are looked at again after the next listing.
type recheckSet struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

func (s *recheckSet) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]struct{}{}
	}
	s.ids[id] = struct{}{}
}

// take hands out the IDs and forgets them.
func (s *recheckSet) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.ids))
	s.ids = nil
	return ids
}

// once remembers what has happened before.
type once struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

func newOnce() *once { return &once{seen: map[string]struct{}{}} }

// forget lets a key be as if it was never asked for.
func (o *once) forget(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.seen, key)
}

// first is true the first time that it is asked for a key.
func (o *once) first(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.seen[key]; ok {
		return false
	}
	o.seen[key] = struct{}{}
	return true
}
