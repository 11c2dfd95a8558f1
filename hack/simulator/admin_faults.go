// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
)

// adminFault is a Fault in JSON.
type adminFault struct {
	ID     int        `json:"id,omitempty"` // in answers only
	Match  Match      `json:"match"`
	Effect EffectSpec `json:"effect"`
	Count  int        `json:"count"` // -1: until it is removed
	Skip   int        `json:"skip,omitempty"`
}

func (s *Simulator) adminAddFault(r *http.Request) (any, error) {
	var body adminFault
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if _, err := path.Match(body.Match.Path, "/"); err != nil {
		return nil, fmt.Errorf("match.path %q: %w", body.Match.Path, err)
	}
	if call := body.Match.Call; call != "" && !call.known() {
		return nil, fmt.Errorf("match.call %q: no such call", call)
	}
	if body.Count < Always {
		return nil, errors.New("count: less than -1")
	}
	effect, err := body.Effect.Effect()
	if err != nil {
		return nil, fmt.Errorf("effect: %w", err)
	}
	id := s.addFault(Fault{Match: body.Match, Effect: effect, Count: body.Count, Skip: body.Skip}, body.Effect)
	return map[string]int{"id": id}, nil
}

func (s *Simulator) adminListFaults(*http.Request) (any, error) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	list := make([]adminFault, 0, len(s.faults.rules))
	for _, rule := range s.faults.rules {
		list = append(list, adminFault{
			ID: rule.id, Match: rule.Match, Effect: rule.spec, Count: rule.Count, Skip: rule.Skip,
		})
	}
	return list, nil
}

func (s *Simulator) adminRemoveFault(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !s.removeFault(id) {
		return nil, fmt.Errorf("fault %q: %w", r.PathValue("id"), ErrNotFound)
	}
	return nil, nil
}
