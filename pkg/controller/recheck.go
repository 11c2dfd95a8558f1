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
