// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"fmt"
	"slices"
)

// ClusterID returns the cluster's ID.
func (s *Simulator) ClusterID() string {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	return s.state.cluster.ID
}

// SetClusterID makes the API answer as another cluster, with the same content.
func (s *Simulator) SetClusterID(id string) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.cluster.ID = id
	s.state.cluster.UpdatedAt = s.now()
	s.state.cluster.Version = s.state.ids.version()
}

// AddNode adds a healthy node with that host name and returns its ID.
func (s *Simulator) AddNode(name string) string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.addNode(name).ID
}

func (s *Simulator) addNode(name string) *Node {
	now := s.now()
	// TEST-NET-1: addresses that can belong to nobody.
	address := fmt.Sprintf("192.0.2.%d", len(s.state.nodes)%254+1)
	node := &Node{
		ID:                 s.state.ids.uuid(),
		Name:               name,
		Health:             HealthOnline,
		Capacity:           Capacity{Total: 1 << 40, Free: 1 << 39, Available: 1 << 39},
		IOEndpoint:         address + ":5703",
		SupervisorEndpoint: address + ":5704",
		GossipEndpoint:     address + ":5711",
		ClusteringEndpoint: address + ":5710",
		Labels:             map[string]string{},
		CreatedAt:          now,
		UpdatedAt:          now,
		Version:            s.state.ids.version(),
	}
	s.state.nodes = append(s.state.nodes, node)
	return node
}

// Nodes returns a copy of the nodes, in the order in which they were added.
func (s *Simulator) Nodes() []Node {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	nodes := make([]Node, 0, len(s.state.nodes))
	for _, node := range s.state.nodes {
		nodes = append(nodes, *node)
	}
	return nodes
}

// RenameNode gives a node another host name. On a newer server the volumes on
// it change too. The error wraps ErrNotFound if there is no such node.
func (s *Simulator) RenameNode(id, name string) error {
	return s.changeNode(id, func(node *Node) { node.Name = name })
}

// SetNodeHealth sets a node's health, and nothing about the volumes on it. The
// error wraps ErrNotFound if there is no such node.
func (s *Simulator) SetNodeHealth(id, health string) error {
	return s.changeNode(id, func(node *Node) { node.Health = health })
}

func (s *Simulator) changeNode(id string, change func(*Node)) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	i := slices.IndexFunc(s.state.nodes, func(n *Node) bool { return n.ID == id })
	if i < 0 {
		return fmt.Errorf("node %q: %w", id, ErrNotFound)
	}
	// A copy: a request may be rendering the old one.
	node := *s.state.nodes[i]
	renamed := node.Name
	change(&node)
	node.UpdatedAt = s.now()
	node.Version = s.state.ids.version()
	s.state.nodes[i] = &node
	if s.options.NewerServer && renamed != node.Name {
		s.renderAll()
	}
	return nil
}

// RemoveNode takes a node out of the list and changes no volume that refers to
// it. The error wraps ErrNotFound if there is no such node.
func (s *Simulator) RemoveNode(id string) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	i := slices.IndexFunc(s.state.nodes, func(n *Node) bool { return n.ID == id })
	if i < 0 {
		return fmt.Errorf("node %q: %w", id, ErrNotFound)
	}
	s.state.nodes = append(slices.Clone(s.state.nodes[:i]), s.state.nodes[i+1:]...)
	if s.options.NewerServer {
		s.renderAll()
	}
	return nil
}

// AddNamespace adds an empty namespace and returns its ID. Names are not
// compared: it is for the caller to keep them unique, as the product does.
func (s *Simulator) AddNamespace(name string) string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.addNamespace(name).ID
}

func (s *Simulator) addNamespace(name string) *namespace {
	now := s.now()
	ns := &namespace{
		Namespace: Namespace{
			ID: s.state.ids.uuid(), Name: name, Labels: map[string]string{},
			CreatedAt: now, UpdatedAt: now, Version: s.state.ids.version(),
		},
		byID: map[string]*volume{},
	}
	s.state.namespaces = append(s.state.namespaces, ns)
	s.state.byID[ns.ID] = ns
	return ns
}

// Namespaces returns a copy of the namespaces, in the order in which they were
// added.
func (s *Simulator) Namespaces() []Namespace {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	list := make([]Namespace, 0, len(s.state.namespaces))
	for _, ns := range s.state.namespaces {
		list = append(list, ns.Namespace)
	}
	return list
}

// RemoveNamespace removes a namespace and every volume in it. The error wraps
// ErrNotFound if there is no such namespace.
func (s *Simulator) RemoveNamespace(id string) error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if _, err := s.namespace(id); err != nil {
		return err
	}
	delete(s.state.byID, id)
	// Not in place: a request may be reading the old list.
	s.state.namespaces = slices.DeleteFunc(slices.Clone(s.state.namespaces),
		func(ns *namespace) bool { return ns.ID == id })
	return nil
}

// namespace wants the state locked.
func (s *Simulator) namespace(id string) (*namespace, error) {
	ns, ok := s.state.byID[id]
	if !ok {
		return nil, fmt.Errorf("namespace %q: %w", id, ErrNotFound)
	}
	return ns, nil
}
