// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

type adminNamespace struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Volumes int    `json:"volumes"`
}

func (s *Simulator) adminState(*http.Request) (any, error) {
	nodes := s.Nodes()
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	namespaces := make([]adminNamespace, 0, len(s.state.namespaces))
	for _, ns := range s.state.namespaces {
		namespaces = append(namespaces, adminNamespace{ID: ns.ID, Name: ns.Name, Volumes: len(ns.volumes)})
	}
	return map[string]any{"clusterID": s.state.cluster.ID, "nodes": nodes, "namespaces": namespaces}, nil
}

func (s *Simulator) adminCluster(r *http.Request) (any, error) {
	var body idOnly
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.ID == "" {
		return nil, errors.New("id: missing")
	}
	s.SetClusterID(body.ID)
	return nil, nil
}

func (s *Simulator) adminCredentials(r *http.Request) (any, error) {
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	s.SetCredentials(body.Username, body.Password)
	return nil, nil
}

// adminCloseConnections leaves the one on which it has to answer.
func (s *Simulator) adminCloseConnections(r *http.Request) (any, error) {
	own, _ := r.Context().Value(connectionKey{}).(net.Conn)
	s.servers.closeAllBut(own)
	return nil, nil
}

func (s *Simulator) adminShuffle(r *http.Request) (any, error) {
	var on bool
	if err := read(r, &on); err != nil {
		return nil, err
	}
	s.SetShuffle(on)
	return nil, nil
}

func (s *Simulator) adminFill(r *http.Request) (any, error) {
	options := FillOptions{CSI: -1}
	if err := read(r, &options); err != nil {
		return nil, err
	}
	for name, value := range map[string]int{
		"namespaces": options.Namespaces, "nodes": options.Nodes, "volumes": options.Volumes,
	} {
		if value < 0 || value > 1_000_000 {
			return nil, fmt.Errorf("%s: %d is not between 0 and 1000000", name, value)
		}
	}
	return s.Fill(options), nil
}

func (s *Simulator) adminChange(r *http.Request) (any, error) {
	var body struct {
		Volumes int `json:"volumes"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	return map[string]int{"changed": s.Change(body.Volumes)}, nil
}

func (s *Simulator) adminAddNode(r *http.Request) (any, error) {
	name, err := readName(r)
	if err != nil {
		return nil, err
	}
	return idOnly{s.AddNode(name)}, nil
}

func (s *Simulator) adminPatchNode(r *http.Request) (any, error) {
	var body struct {
		Name   *string `json:"name"`
		Health *string `json:"health"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Name == nil && body.Health == nil {
		return nil, errors.New("name or health: missing")
	}
	if body.Name != nil {
		if err := s.RenameNode(r.PathValue("id"), *body.Name); err != nil {
			return nil, err
		}
	}
	if body.Health != nil {
		return nil, s.SetNodeHealth(r.PathValue("id"), *body.Health)
	}
	return nil, nil
}

func (s *Simulator) adminAddNamespace(r *http.Request) (any, error) {
	name, err := readName(r)
	if err != nil {
		return nil, err
	}
	return idOnly{s.AddNamespace(name)}, nil
}

func (s *Simulator) adminListVolumes(r *http.Request) (any, error) {
	body, ok := s.listing(r.PathValue("ns"))
	if !ok {
		return nil, fmt.Errorf("namespace %q: %w", r.PathValue("ns"), ErrNotFound)
	}
	return json.RawMessage(body), nil
}

func (s *Simulator) adminAddVolume(r *http.Request) (any, error) {
	var spec VolumeSpec
	if err := read(r, &spec); err != nil {
		return nil, err
	}
	id, err := s.AddVolume(r.PathValue("ns"), spec)
	if err != nil {
		return nil, err
	}
	return idOnly{id}, nil
}

// adminPatchVolume puts each field of the body in the place of the volume's.
func (s *Simulator) adminPatchVolume(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("request body: %w", err)
	}
	var failed error
	err = s.UpdateVolume(r.PathValue("ns"), r.PathValue("id"), func(v *Volume) {
		var patched Volume
		if patched, failed = patch(*v, body); failed == nil {
			*v = patched
		}
	})
	if err == nil {
		err = failed
	}
	return nil, err
}

func (s *Simulator) adminRawVolume(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("request body: %w", err)
	}
	return nil, s.AddRawVolume(r.PathValue("ns"), r.PathValue("id"), body)
}

// patch returns v with the fields that body has; a field is replaced whole.
func patch(v Volume, body []byte) (Volume, error) {
	var fields, changes map[string]json.RawMessage
	rendered, err := json.Marshal(v)
	if err != nil {
		return Volume{}, fmt.Errorf("render volume: %w", err)
	}
	if err := json.Unmarshal(rendered, &fields); err != nil {
		return Volume{}, fmt.Errorf("decode volume: %w", err)
	}
	if err := json.Unmarshal(body, &changes); err != nil {
		return Volume{}, fmt.Errorf("request body: %w", err)
	}
	for name, value := range changes {
		fields[name] = value
	}
	if rendered, err = json.Marshal(fields); err != nil {
		return Volume{}, fmt.Errorf("render volume: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(rendered))
	decoder.DisallowUnknownFields()
	var patched Volume
	if err := decoder.Decode(&patched); err != nil {
		return Volume{}, fmt.Errorf("request body: %w", err)
	}
	return patched, nil
}
