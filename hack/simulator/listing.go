// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
)

// volume is a volume as it is kept: rendered. A hundred thousand of them are
// polled every few seconds but changed rarely, so the JSON is what is needed,
// and whoever wants the Volume decodes it, which makes a deep copy by itself.
type volume struct {
	id   string
	name string // "" if it is raw
	json []byte // never changed in place: an answer may be under way with it
	raw  bool   // stored as it came, not rendered by put
}

func (v *volume) decode() (Volume, error) {
	var decoded Volume
	if err := json.Unmarshal(v.json, &decoded); err != nil {
		return Volume{}, fmt.Errorf("decode volume %q: %w", v.id, err)
	}
	return decoded, nil
}

// put renders v and stores it. It wants the state locked.
func (s *Simulator) put(ns *namespace, v Volume) {
	if v.Labels == nil {
		v.Labels = map[string]string{} // the API has no null here
	}
	if s.options.NewerServer {
		s.addHostNames(&v)
	}
	rendered, err := json.Marshal(v)
	if err != nil {
		// Only a time outside the years 0 to 9999 gets here.
		panic(fmt.Sprintf("simulator: render volume %q: %v", v.ID, err))
	}
	if existing, ok := ns.byID[v.ID]; ok {
		existing.name, existing.json, existing.raw = v.Name, rendered, false
		ns.body = nil
		return
	}
	ns.add(&volume{id: v.ID, name: v.Name, json: rendered})
}

// addHostNames sets what newer servers tell of nodes. It wants the state locked.
func (s *Simulator) addHostNames(v *Volume) {
	name := func(id string) string {
		for _, node := range s.state.nodes {
			if node.ID == id {
				return node.Name
			}
		}
		return ""
	}
	v.AttachedOnHost = name(v.AttachedOn)
	v.Master.Hostname = name(v.Master.NodeID)
	for i := range v.Replicas {
		v.Replicas[i].Hostname = name(v.Replicas[i].NodeID)
	}
	if v.TopologyLabels == nil {
		v.TopologyLabels = map[string]string{"topology.kubernetes.io/zone": "zone-a"}
	}
}

// renderAll renders every volume again, because a node's name has changed. It
// wants the state locked.
func (s *Simulator) renderAll() {
	for _, ns := range s.state.namespaces {
		for _, entry := range slices.Clone(ns.volumes) {
			if entry.raw {
				continue
			}
			if v, err := entry.decode(); err == nil {
				s.put(ns, v)
			}
		}
	}
}

func (ns *namespace) add(v *volume) {
	ns.volumes = append(ns.volumes, v)
	if _, taken := ns.byID[v.id]; !taken {
		ns.byID[v.id] = v
	}
	ns.body = nil
}

func (ns *namespace) remove(id string) {
	ns.volumes = slices.DeleteFunc(ns.volumes, func(v *volume) bool { return v.id == id })
	delete(ns.byID, id)
	ns.body = nil
}

// render joins the volumes to a list. Afterwards each volume's JSON is a part
// of the list, so that a population is in memory once, not twice.
func (ns *namespace) render() {
	ns.body = join(ns.volumes)
	at := 1 // behind the bracket
	for _, v := range ns.volumes {
		end := at + len(v.json)
		v.json = ns.body[at:end:end]
		at = end + 1 // behind the comma
	}
}

// join returns the volumes as a JSON array.
func join(volumes []*volume) []byte {
	size := 2
	for _, v := range volumes {
		size += len(v.json) + 1
	}
	body := make([]byte, 0, size)
	body = append(body, '[')
	for i, v := range volumes {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, v.json...)
	}
	return append(body, ']')
}

// listing returns the rendered volumes of a namespace, which nobody may change,
// and whether there is such a namespace.
func (s *Simulator) listing(namespaceID string) ([]byte, bool) {
	s.state.mu.RLock()
	ns, ok := s.state.byID[namespaceID]
	switch {
	case !ok:
		s.state.mu.RUnlock()
		return nil, false
	case s.state.shuffle:
		defer s.state.mu.RUnlock()
		return join(shuffled(ns.volumes, true)), true
	case ns.body != nil:
		defer s.state.mu.RUnlock()
		return ns.body, true
	}
	s.state.mu.RUnlock()

	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, ok = s.state.byID[namespaceID]
	if !ok {
		return nil, false
	}
	if ns.body == nil {
		ns.render()
	}
	return ns.body, true
}
