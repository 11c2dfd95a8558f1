// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// servers are the listeners of a simulator.
type servers struct {
	mu          sync.Mutex
	list        []*server
	connections map[net.Conn]struct{}
	certificate *tls.Certificate
}

type server struct {
	http   *http.Server
	cancel context.CancelFunc
	done   chan struct{} // closed once Serve has returned
}

func (s *servers) init() { s.connections = map[net.Conn]struct{}{} }

// Start listens on addr, such as 127.0.0.1:0, and returns the URL to reach it
// at, http://host:port, without /v2. It may be called several times (a cluster
// with several nodes behind one Service), and again after Close.
func (s *Simulator) Start(addr string) (string, error) {
	return s.StartHandler(addr, s)
}

// StartHandler is Start for a handler that stands before the simulator, or
// beside it.
func (s *Simulator) StartHandler(addr string, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen on %q: %w", addr, err)
	}
	s.serve(listener, handler)
	return "http://" + listener.Addr().String(), nil
}

// StartTLS is Start with https. The certificate is shared by all listeners of
// the simulator; SetCertificate swaps it.
func (s *Simulator) StartTLS(addr string, certificate tls.Certificate) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen on %q: %w", addr, err)
	}
	s.SetCertificate(certificate)
	s.serve(tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			s.servers.mu.Lock()
			defer s.servers.mu.Unlock()
			return s.servers.certificate, nil
		},
	}), s)
	return "https://" + listener.Addr().String(), nil
}

// SetCertificate has every TLS handshake from now on use another certificate.
// Connections that are open go on; CloseConnections ends them.
func (s *Simulator) SetCertificate(certificate tls.Certificate) {
	s.servers.mu.Lock()
	defer s.servers.mu.Unlock()
	s.servers.certificate = &certificate
}

// CloseConnections closes every open connection, in use or not; the listeners
// stay.
func (s *Simulator) CloseConnections() { s.servers.closeAllBut(nil) }

func (s *servers) closeAllBut(kept net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for connection := range s.connections {
		if connection != kept {
			_ = connection.Close()
		}
	}
}

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

// Close stops every listener, cuts every connection and returns when no request
// is being handled any more. The state stays, and Start works again.
func (s *Simulator) Close() {
	s.servers.mu.Lock()
	list := s.servers.list
	s.servers.list = nil
	s.servers.mu.Unlock()
	for _, server := range list {
		server.cancel()
		_ = server.http.Close()
		<-server.done
	}
	// Only a custom effect that ignores its context takes longer than a moment.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.Wait(ctx, func(stats Stats) bool { return stats.InFlight == 0 })
}

// serve answers on a listener until Close.
func (s *Simulator) serve(listener net.Listener, handler http.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	started := &server{cancel: cancel, done: make(chan struct{})}
	started.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.servers.track,
		ConnContext: func(ctx context.Context, connection net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connection)
		},
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that a test lets fail
	}
	s.servers.mu.Lock()
	s.servers.list = append(s.servers.list, started)
	s.servers.mu.Unlock()
	go func() {
		defer close(started.done)
		if err := started.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cancel() // the listener is gone: so are its requests
		}
	}()
}

// track keeps the set of open connections.
func (s *servers) track(connection net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.connections[connection] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(s.connections, connection)
	}
}
