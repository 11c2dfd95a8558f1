// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"fmt"
	"reflect"
	"slices"
)

// VolumeSpec is what there is to say about a new volume. The zero value makes a
// detached volume of 5 GiB with a healthy master and no replicas.
type VolumeSpec struct {
	ID             string            `json:"id,omitempty"`   // default: generated
	Name           string            `json:"name,omitempty"` // default: pvc-<uuid>
	Description    string            `json:"description,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	FSType         string            `json:"fsType,omitempty"`         // default: ext4
	SizeBytes      uint64            `json:"sizeBytes,omitempty"`      // default: 5 GiB
	MasterNodeID   string            `json:"masterNodeID,omitempty"`   // default: the nodes in turn
	Replicas       int               `json:"replicas,omitempty"`       // ready ones, on the nodes after the master's
	AttachedOn     string            `json:"attachedOn,omitempty"`     // a node's ID
	AttachmentType string            `json:"attachmentType,omitempty"` // default: host if attached, else detached
	NFS            *NFSConfig        `json:"nfs,omitempty"`
}

const defaultSize = 5 << 30

// AddVolume adds a volume to a namespace and returns its ID. The error wraps
// ErrNotFound if there is no such namespace.
func (s *Simulator) AddVolume(namespaceID string, spec VolumeSpec) (string, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return "", err
	}
	v := s.newVolume(namespaceID, spec)
	if _, taken := ns.byID[v.ID]; taken {
		return "", fmt.Errorf("volume %q: already exists", v.ID)
	}
	s.put(ns, v)
	return v.ID, nil
}

// newVolume makes a Volume of a spec. It wants the state locked.
func (s *Simulator) newVolume(namespaceID string, spec VolumeSpec) Volume {
	now := s.now()
	v := Volume{
		ID:             spec.ID,
		Name:           spec.Name,
		Description:    spec.Description,
		NamespaceID:    namespaceID,
		Labels:         spec.Labels,
		FSType:         spec.FSType,
		SizeBytes:      spec.SizeBytes,
		AttachedOn:     spec.AttachedOn,
		AttachmentType: spec.AttachmentType,
		NFS:            spec.NFS,
		CreatedAt:      now,
		UpdatedAt:      now,
		Version:        s.state.ids.version(),
	}
	if v.ID == "" {
		v.ID = s.state.ids.uuid()
	}
	if v.Name == "" {
		v.Name = "pvc-" + s.state.ids.uuid()
	}
	if v.FSType == "" {
		v.FSType = "ext4"
	}
	if v.SizeBytes == 0 {
		v.SizeBytes = defaultSize
	}
	if v.NFS == nil {
		v.NFS = &NFSConfig{}
	}
	if v.AttachmentType == "" {
		v.AttachmentType = AttachmentDetached
		if v.AttachedOn != "" {
			v.AttachmentType = AttachmentHost
		}
	}
	s.place(&v, spec)
	return v
}

// place puts the master on the node that the spec names or whose turn it is,
// and the replicas on those that follow.
func (s *Simulator) place(v *Volume, spec VolumeSpec) {
	nodes := s.state.nodes
	first := slices.IndexFunc(nodes, func(n *Node) bool { return n.ID == spec.MasterNodeID })
	if first < 0 {
		first = s.state.placed
		s.state.placed++
	}
	nodeID := func(i int) string {
		if len(nodes) == 0 {
			return s.state.ids.uuid() // a volume without a node is none, and no node is listed
		}
		return nodes[(first+i)%len(nodes)].ID
	}
	v.Master = Master{ID: s.state.ids.uuid(), NodeID: spec.MasterNodeID, Promotable: true, Health: HealthOnline}
	if v.Master.NodeID == "" {
		v.Master.NodeID = nodeID(0)
	}
	v.Replicas = []Replica{}
	for i := range spec.Replicas {
		v.Replicas = append(v.Replicas, Replica{
			ID: s.state.ids.uuid(), NodeID: nodeID(i + 1), Promotable: true, Health: HealthReady,
		})
	}
}

// SetVolume stores a volume exactly as it is given, in the namespace that it
// names, in the place of the one with the same ID if there is one. The error
// wraps ErrNotFound if there is no such namespace.
func (s *Simulator) SetVolume(v Volume) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, err := s.namespace(v.NamespaceID)
	if err != nil {
		return err
	}
	s.put(ns, v)
	return nil
}

// UpdateVolume lets change edit a volume, and gives it a new version and time
// of update unless change did, or changed nothing. ID and namespace cannot be changed. The error
// wraps ErrNotFound if there is no such volume; a volume that was added raw and
// cannot be decoded cannot be updated.
//
// The simulator is locked while change runs: it may not call the simulator.
func (s *Simulator) UpdateVolume(namespaceID, id string, change func(*Volume)) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return err
	}
	entry, ok := ns.byID[id]
	if !ok {
		return fmt.Errorf("volume %q in namespace %q: %w", id, namespaceID, ErrNotFound)
	}
	v, err := entry.decode()
	if err != nil {
		return err
	}
	before, err := entry.decode() // apart from v, whose maps and slices change may edit in place
	if err != nil {
		return err
	}
	change(&v)
	v.ID, v.NamespaceID = id, namespaceID
	if reflect.DeepEqual(v, before) {
		return nil
	}
	if v.Version == before.Version {
		v.Version = s.state.ids.version()
	}
	if v.UpdatedAt.Equal(before.UpdatedAt) {
		v.UpdatedAt = s.now()
	}
	s.put(ns, v)
	return nil
}

// AddRawVolume appends raw to the listing of a namespace, whatever it is: an
// object that no client can decode, a size beyond 64 bits, a second object with
// the ID of another. Get and RemoveVolume know it by id, of several the first;
// the ID that it shows in its JSON is its own affair. What is not JSON at all
// makes the whole listing undecodable. The error wraps ErrNotFound if there is
// no such namespace.
func (s *Simulator) AddRawVolume(namespaceID, id string, raw []byte) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return err
	}
	ns.add(&volume{id: id, json: slices.Clone(raw), raw: true})
	return nil
}

// RemoveVolume removes volumes of a namespace, and every raw one with such an ID. All go
// at once: a list shows each of them or none. The error wraps ErrNotFound if the namespace or
// one of them is not there; then none goes.
func (s *Simulator) RemoveVolume(namespaceID string, ids ...string) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, ok := ns.byID[id]; !ok {
			return fmt.Errorf("volume %q in namespace %q: %w", id, namespaceID, ErrNotFound)
		}
	}
	for _, id := range ids {
		ns.remove(id)
	}
	return nil
}

// Volume returns a copy of one volume. The error wraps ErrNotFound if it is not
// there.
func (s *Simulator) Volume(namespaceID, id string) (Volume, error) {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return Volume{}, err
	}
	entry, ok := ns.byID[id]
	if !ok {
		return Volume{}, fmt.Errorf("volume %q in namespace %q: %w", id, namespaceID, ErrNotFound)
	}
	return entry.decode()
}

// Volumes returns a copy of the volumes of a namespace that can be decoded, in
// the order in which they were added; none if there is no such namespace.
func (s *Simulator) Volumes(namespaceID string) []Volume {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	ns, err := s.namespace(namespaceID)
	if err != nil {
		return nil
	}
	list := make([]Volume, 0, len(ns.volumes))
	for _, entry := range ns.volumes {
		if v, err := entry.decode(); err == nil {
			list = append(list, v)
		}
	}
	return list
}
