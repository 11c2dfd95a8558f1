// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// AdminHandler answers /sim/..., the calls of this package over HTTP, for
// whoever runs the simulator as a program; the folder's README.md lists them.
// It asks for no password: it belongs on a loopback address.
func (s *Simulator) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, call adminCall) { mux.Handle(pattern, call) }

	handle("GET /sim/state", s.adminState)
	handle("GET /sim/stats", func(*http.Request) (any, error) { return s.Stats(), nil })
	handle("DELETE /sim/stats", func(*http.Request) (any, error) { s.ResetStats(); return nil, nil })
	handle("GET /sim/log", func(*http.Request) (any, error) { return s.Log(), nil })
	handle("PUT /sim/cluster", s.adminCluster)
	handle("PUT /sim/credentials", s.adminCredentials)
	handle("POST /sim/tokens/expire", func(*http.Request) (any, error) { s.ExpireTokens(); return nil, nil })
	handle("POST /sim/connections/close", s.adminCloseConnections)
	handle("PUT /sim/shuffle", s.adminShuffle)
	handle("POST /sim/fill", s.adminFill)
	handle("POST /sim/change", s.adminChange)

	handle("POST /sim/nodes", s.adminAddNode)
	handle("PATCH /sim/nodes/{id}", s.adminPatchNode)
	handle("DELETE /sim/nodes/{id}", func(r *http.Request) (any, error) { return nil, s.RemoveNode(r.PathValue("id")) })
	handle("POST /sim/namespaces", s.adminAddNamespace)
	handle("DELETE /sim/namespaces/{ns}", func(r *http.Request) (any, error) {
		return nil, s.RemoveNamespace(r.PathValue("ns"))
	})
	handle("GET /sim/namespaces/{ns}/volumes", s.adminListVolumes)
	handle("POST /sim/namespaces/{ns}/volumes", s.adminAddVolume)
	handle("PATCH /sim/namespaces/{ns}/volumes/{id}", s.adminPatchVolume)
	handle("POST /sim/namespaces/{ns}/volumes/{id}/raw", s.adminRawVolume)
	handle("DELETE /sim/namespaces/{ns}/volumes/{id}", func(r *http.Request) (any, error) {
		return nil, s.RemoveVolume(r.PathValue("ns"), r.PathValue("id"))
	})

	handle("GET /sim/faults", s.adminListFaults)
	handle("POST /sim/faults", s.adminAddFault)
	handle("DELETE /sim/faults", func(*http.Request) (any, error) { s.ClearFaults(); return nil, nil })
	handle("DELETE /sim/faults/{id}", s.adminRemoveFault)

	handle("/", func(r *http.Request) (any, error) {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ErrNotFound)
	})
	return mux
}

// adminCall answers with a value in JSON (nil: 204 without a body) or an error.
type adminCall func(*http.Request) (any, error)

func (call adminCall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	value, err := call(r)
	switch {
	case errors.Is(err, ErrNotFound):
		writeError(w, http.StatusNotFound, err.Error())
	case err != nil:
		writeError(w, http.StatusBadRequest, err.Error())
	case value == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, value)
	}
}

// read decodes the body of a request, which must be one JSON object without
// fields that value lacks.
func read(r *http.Request, value any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, 16<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	if decoder.More() {
		return errors.New("request body: more than one JSON value")
	}
	return nil
}

type idOnly struct {
	ID string `json:"id"`
}

type nameOnly struct {
	Name string `json:"name"`
}

// readName decodes {"name": "..."}.
func readName(r *http.Request) (string, error) {
	var body nameOnly
	if err := read(r, &body); err != nil {
		return "", err
	}
	if body.Name == "" {
		return "", errors.New("name: missing")
	}
	return body.Name, nil
}
