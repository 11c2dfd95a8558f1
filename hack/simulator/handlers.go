// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Call names a call of the API.
type Call string

// The calls that the simulator knows.
const (
	CallLogin           Call = "login"
	CallRefresh         Call = "refresh"
	CallCluster         Call = "cluster"
	CallNodes           Call = "nodes"
	CallNamespaces      Call = "namespaces"
	CallVolumes         Call = "volumes"       // the list of a namespace
	CallVolume          Call = "volume"        // one, by its ID
	CallDeleteVolume    Call = "delete-volume" // removes one
	CallCreateVolume    Call = "create-volume"
	CallResizeVolume    Call = "resize-volume"
	CallCreateNamespace Call = "create-namespace"
	CallOther           Call = "other" // any other path or method
)

func (c Call) known() bool {
	switch c {
	case CallLogin, CallRefresh, CallCluster, CallNodes, CallNamespaces,
		CallVolumes, CallVolume, CallDeleteVolume, CallCreateVolume, CallResizeVolume,
		CallCreateNamespace, CallOther:
		return true
	}
	return false
}

// routes connects the paths to their handlers. Every request is recorded and
// may meet a fault, also those that nobody handles.
func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, call Call, handler http.HandlerFunc) {
		mux.Handle(pattern, s.recorded(call, s.faulty(call, handler)))
	}
	handle("POST /v2/auth/login", CallLogin, s.serveLogin)
	handle("POST /v2/auth/refresh", CallRefresh, s.authorised(s.serveRefresh))
	handle("GET /v2/cluster", CallCluster, s.authorised(s.serveCluster))
	handle("GET /v2/nodes", CallNodes, s.authorised(s.serveNodes))
	handle("GET /v2/namespaces", CallNamespaces, s.authorised(s.serveNamespaces))
	handle("POST /v2/namespaces", CallCreateNamespace, s.authorised(s.serveCreateNamespace))
	handle("GET /v2/namespaces/{namespaceID}/volumes", CallVolumes, s.authorised(s.serveVolumes))
	handle("POST /v2/namespaces/{namespaceID}/volumes", CallCreateVolume, s.authorised(s.serveCreateVolume))
	handle("GET /v2/namespaces/{namespaceID}/volumes/{id}", CallVolume, s.authorised(s.serveVolume))
	handle("DELETE /v2/namespaces/{namespaceID}/volumes/{id}", CallDeleteVolume, s.authorised(s.serveDeleteVolume))
	handle("PUT /v2/namespaces/{namespaceID}/volumes/{id}/size", CallResizeVolume, s.authorised(s.serveResizeVolume))
	handle("/", CallOther, func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, "not found")
	})
	return mux
}

func (s *Simulator) serveLogin(w http.ResponseWriter, r *http.Request) {
	var credentials struct {
		Username *string `json:"username"`
		Password *string `json:"password"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&credentials); err != nil {
		writeError(w, http.StatusBadRequest, "malformed request body")
		return
	}
	if credentials.Username == nil || credentials.Password == nil {
		writeError(w, http.StatusBadRequest, "username and password are required")
		return
	}
	session, ok := s.login(*credentials.Username, *credentials.Password)
	if !ok {
		writeError(w, http.StatusUnauthorized, "authentication failed")
		return
	}
	writeSession(w, session, HeaderExpiresSeconds)
}

func (s *Simulator) serveRefresh(w http.ResponseWriter, _ *http.Request) {
	writeSession(w, s.renew(), s.options.RefreshExpiryHeader)
}

func (s *Simulator) serveCluster(w http.ResponseWriter, _ *http.Request) {
	s.state.mu.RLock()
	cluster := s.state.cluster
	s.state.mu.RUnlock()
	writeJSON(w, http.StatusOK, cluster)
}

func (s *Simulator) serveNodes(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, shuffled(s.Nodes(), s.shuffles()))
}

func (s *Simulator) serveNamespaces(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, shuffled(s.Namespaces(), s.shuffles()))
}

func (s *Simulator) shuffles() bool {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	return s.state.shuffle
}

func (s *Simulator) serveVolumes(w http.ResponseWriter, r *http.Request) {
	body, ok := s.listing(r.PathValue("namespaceID"))
	if !ok {
		// Not in the specification, which has no 404 on a list; a namespace may
		// go between the list of namespaces and this request nevertheless.
		writeError(w, http.StatusNotFound, "namespace not found")
		return
	}
	writeBody(w, http.StatusOK, body)
}

func (s *Simulator) serveVolume(w http.ResponseWriter, r *http.Request) {
	s.state.mu.RLock()
	entry, err := s.find(r)
	var body []byte
	if err == nil {
		body = entry.json
	}
	s.state.mu.RUnlock()
	if err != nil {
		writeError(w, http.StatusNotFound, err.Error())
		return
	}
	writeBody(w, http.StatusOK, body)
}

// find returns the volume that a request names. It wants the state locked.
func (s *Simulator) find(r *http.Request) (*volume, error) {
	ns, ok := s.state.byID[r.PathValue("namespaceID")]
	if !ok {
		return nil, errors.New("namespace not found")
	}
	entry, ok := ns.byID[r.PathValue("id")]
	if !ok {
		return nil, errors.New("volume not found")
	}
	return entry, nil
}

// found is the volume that a request names, and what it says, or the answer that
// there is none.
func (s *Simulator) found(w http.ResponseWriter, r *http.Request) (*volume, Volume, bool) {
	entry, err := s.find(r)
	if err != nil {
		writeError(w, http.StatusNotFound, err.Error())
		return nil, Volume{}, false
	}
	v, err := entry.decode()
	if err != nil {
		writeError(w, http.StatusInternalServerError, "volume cannot be read")
	}
	return entry, v, err == nil
}

// anyVersion tells whether a request is meant for a volume whatever its version, or
// answers that it does not make sense.
func anyVersion(w http.ResponseWriter, r *http.Request) (force, ok bool) {
	query := r.URL.Query()
	if !query.Has("ignore-version") {
		return false, true
	}
	force, err := strconv.ParseBool(query.Get("ignore-version"))
	if err != nil {
		writeError(w, http.StatusBadRequest, "ignore-version: not a boolean")
	}
	return force, err == nil
}

// serveDeleteVolume removes a volume as the product would: only the version
// that the client has seen, and only while nobody uses it.
func (s *Simulator) serveDeleteVolume(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	force, ok := anyVersion(w, r)
	if !ok {
		return
	}
	if !query.Has("version") {
		writeError(w, http.StatusBadRequest, "version is required")
		return
	}

	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	entry, v, ok := s.found(w, r)
	if !ok {
		return
	}
	switch {
	case v.AttachedOn != "":
		writeError(w, http.StatusConflict, "in use")
	case !force && query.Get("version") != v.Version:
		writeError(w, http.StatusPreconditionFailed, "attempting to write stale object")
	default:
		s.state.byID[r.PathValue("namespaceID")].remove(entry.id)
		w.WriteHeader(http.StatusOK)
	}
}

func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, apiError{Error: text})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "render answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client has gone
}

// drain reads what the client sent and nobody wants: a connection on which
// something unread is left is reset rather than closed, and takes the answer
// with it; and a client's going is noticed only once its request is read.
func drain(r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
}
