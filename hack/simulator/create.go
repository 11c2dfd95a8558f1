// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// The calls that make and resize volumes: the CSI driver needs them.

// legalName is what the specification says of the names of namespaces and
// volumes.
var legalName = regexp.MustCompile(`^[a-z0-9.\-]{1,253}$`)

const (
	minSize     = 1073742000 // the specification's, for a resize
	maxReplicas = 5
)

var fsTypes = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "block"}

func (s *Simulator) serveCreateNamespace(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	}
	if !readBody(w, r, &body) {
		return
	}
	if !legalName.MatchString(body.Name) {
		writeError(w, http.StatusBadRequest, "name: not a legal name")
		return
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if slices.ContainsFunc(s.state.namespaces, func(ns *namespace) bool { return ns.Name == body.Name }) {
		writeError(w, http.StatusConflict, "already exists")
		return
	}
	made := s.addNamespace(body.Name)
	maps.Copy(made.Labels, body.Labels)
	writeJSON(w, http.StatusCreated, made.Namespace)
}

func (s *Simulator) serveCreateVolume(w http.ResponseWriter, r *http.Request) {
	var body struct {
		NamespaceID string            `json:"namespaceID"`
		Name        string            `json:"name"`
		Description string            `json:"description"`
		Labels      map[string]string `json:"labels"`
		FSType      string            `json:"fsType"`
		SizeBytes   uint64            `json:"sizeBytes"`
	}
	if !readBody(w, r, &body) {
		return
	}
	replicas := 0
	if label, ok := body.Labels[LabelReplicas]; ok {
		var err error
		if replicas, err = strconv.Atoi(label); err != nil || replicas < 0 || replicas > maxReplicas {
			writeError(w, http.StatusBadRequest, LabelReplicas+": not a number from 0 to 5")
			return
		}
	}
	switch {
	case body.NamespaceID != r.PathValue("namespaceID"):
		writeError(w, http.StatusBadRequest, "namespaceID: not the one of the path")
		return
	case !legalName.MatchString(body.Name):
		writeError(w, http.StatusBadRequest, "name: not a legal name")
		return
	case !slices.Contains(fsTypes, body.FSType):
		writeError(w, http.StatusBadRequest, "fsType: unknown")
		return
	}

	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	ns, ok := s.state.byID[body.NamespaceID]
	if !ok {
		writeError(w, http.StatusBadRequest, "namespace not found") // a 404 is not in the specification
		return
	}
	if slices.ContainsFunc(ns.volumes, func(v *volume) bool { return v.name == body.Name }) {
		writeError(w, http.StatusConflict, "already exists")
		return
	}
	made := s.newVolume(ns.ID, VolumeSpec{
		Name: body.Name, Description: body.Description, Labels: body.Labels,
		FSType: body.FSType, SizeBytes: body.SizeBytes, Replicas: replicas,
	})
	s.put(ns, made)
	writeBody(w, http.StatusCreated, ns.byID[made.ID].json)
}

func (s *Simulator) serveResizeVolume(w http.ResponseWriter, r *http.Request) {
	force, ok := anyVersion(w, r)
	if !ok {
		return
	}
	var body struct {
		SizeBytes uint64 `json:"sizeBytes"`
		Version   string `json:"version"`
	}
	if !readBody(w, r, &body) {
		return
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	entry, v, ok := s.found(w, r)
	if !ok {
		return
	}
	switch {
	case body.SizeBytes < minSize:
		writeError(w, http.StatusBadRequest, "sizeBytes: too small")
	case body.SizeBytes < v.SizeBytes:
		writeError(w, http.StatusBadRequest, "sizeBytes: a volume cannot shrink")
	case !force && body.Version != v.Version:
		writeError(w, http.StatusPreconditionFailed, "attempting to write stale object")
	default:
		v.SizeBytes, v.Version, v.UpdatedAt = body.SizeBytes, s.state.ids.version(), s.now()
		s.put(s.state.byID[v.NamespaceID], v)
		writeBody(w, http.StatusOK, entry.json)
	}
}

// readBody decodes the body of a request, or answers that it cannot.
func readBody(w http.ResponseWriter, r *http.Request, value any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(value)
	if err != nil {
		writeError(w, http.StatusBadRequest, "malformed request body")
	}
	return err == nil
}
