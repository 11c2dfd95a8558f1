// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"net/http"
	"path"
	"sync"
)

// Match selects requests. Every field that is set must fit; the zero value fits
// every request.
type Match struct {
	Call        Call   `json:"call,omitempty"`
	Method      string `json:"method,omitempty"`
	Path        string `json:"path,omitempty"` // a pattern of path.Match, such as /v2/namespaces/*/volumes
	NamespaceID string `json:"namespaceID,omitempty"`
}

func (m Match) fits(call Call, r *http.Request) bool {
	if m.Path != "" {
		if ok, err := path.Match(m.Path, r.URL.Path); err != nil || !ok {
			return false
		}
	}
	return (m.Call == "" || m.Call == call) &&
		(m.Method == "" || m.Method == r.Method) &&
		(m.NamespaceID == "" || m.NamespaceID == r.PathValue("namespaceID"))
}

// Always is the Count of a fault that lasts until it is removed.
const Always = -1

// Fault is a rule: requests that match meet the effect. A fault comes before
// everything else, also before the token is looked at. Of several faults that
// match a request the one that was added first has it, alone; Chain makes one
// effect of several.
type Fault struct {
	Match  Match
	Effect Effect

	// Count is for how many requests the fault lasts: n, or Always. Zero means 1.
	Count int

	// Skip is how many matching requests pass untouched first.
	Skip int
}

// faults are the rules in force.
type faults struct {
	mu    sync.Mutex
	last  int // ID of the newest rule
	rules []*rule
}

type rule struct {
	id int
	Fault
	spec EffectSpec // what the admin interface was given
}

// AddFault puts a fault in force, and returns a function that removes it, which
// may be called any number of times. Requests that have met the fault already
// are not released.
func (s *Simulator) AddFault(fault Fault) (remove func()) {
	id := s.addFault(fault, EffectSpec{Type: "custom"})
	return func() { s.removeFault(id) }
}

func (s *Simulator) addFault(fault Fault, spec EffectSpec) int {
	if fault.Count == 0 {
		fault.Count = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.last++
	s.faults.rules = append(s.faults.rules, &rule{id: s.faults.last, Fault: fault, spec: spec})
	return s.faults.last
}

func (s *Simulator) removeFault(id int) bool {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.remove(id)
}

func (f *faults) remove(id int) bool {
	for i, rule := range f.rules {
		if rule.id == id {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			return true
		}
	}
	return false
}

// ClearFaults removes every fault.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = nil
}

// take returns the effect that a request meets, or nil, and counts it.
func (f *faults) take(call Call, r *http.Request) Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if !rule.Match.fits(call, r) {
			continue
		}
		if rule.Skip > 0 {
			rule.Skip--
			continue
		}
		if rule.Count > 0 {
			if rule.Count--; rule.Count == 0 {
				f.remove(rule.id)
			}
		}
		return rule.Effect
	}
	return nil
}

// faulty wraps a handler so that its requests may meet faults.
func (s *Simulator) faulty(call Call, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		effect := s.faults.take(call, r)
		if effect == nil {
			next.ServeHTTP(w, r)
			return
		}
		effect(w, r, next)
	})
}
