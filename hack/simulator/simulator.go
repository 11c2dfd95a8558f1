// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ErrNotFound is wrapped by the errors of calls that name a node, namespace or
// volume that is not there.
var ErrNotFound = errors.New("not found")

// Simulator is one simulated StorageOS cluster. It implements http.Handler, for
// paths that begin with /v2.
type Simulator struct {
	options Options
	mux     *http.ServeMux

	state    state
	auth     auth
	faults   faults
	recorder recorder
	servers  servers
}

// state is everything that the API tells of the cluster.
type state struct {
	mu         sync.RWMutex
	ids        *ids
	cluster    cluster
	nodes      []*Node
	namespaces []*namespace
	byID       map[string]*namespace
	shuffle    bool
	placed     int // how many masters were placed: spreads them over the nodes
}

// namespace is a Namespace and its volumes, see listing.go.
type namespace struct {
	Namespace
	volumes []*volume
	byID    map[string]*volume
	body    []byte // the rendered listing; nil: to be rendered
}

// New returns a cluster without nodes, namespaces and volumes.
func New(options Options) *Simulator {
	s := &Simulator{options: options.withDefaults()}
	s.state.ids = newIDs(options.Seed)
	s.state.byID = map[string]*namespace{}
	s.state.shuffle = options.Shuffle

	now := s.now()
	id := options.ClusterID
	generated := s.state.ids.uuid() // drawn in any case: the IDs that follow must not depend on the option
	if id == "" {
		id = generated
	}
	s.state.cluster = cluster{
		ID: id, LogLevel: "info", LogFormat: "default",
		CreatedAt: now, UpdatedAt: now, Version: s.state.ids.version(),
	}
	s.auth.init(s.options, s.state.ids.uuid(), now)
	s.recorder.init(s.options.LogLimit)
	s.servers.init()
	s.mux = s.routes()
	return s
}

// ServeHTTP answers a request of the API.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mux.ServeHTTP(w, r)
}

// now is the time as the API tells it: in UTC, without the monotonic reading
// that would be lost in JSON.
func (s *Simulator) now() time.Time {
	return s.options.Now().UTC().Truncate(time.Microsecond)
}

// SetShuffle says whether every answer to a list comes in another random order
// (the API documents none), or in the order in which objects were added.
func (s *Simulator) SetShuffle(on bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.shuffle = on
}

// shuffled returns list itself, or a copy of it in random order.
func shuffled[T any](list []T, shuffle bool) []T {
	if !shuffle {
		return list
	}
	list = slices.Clone(list) // of an empty list not nil, which would be null in JSON
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
