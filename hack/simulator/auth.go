// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// auth holds the credentials and the tokens that were handed out.
type auth struct {
	mu       sync.Mutex
	username string
	password string
	user     userSession
	tokens   map[string]time.Time // when each expires
}

func (a *auth) init(o Options, userID string, now time.Time) {
	a.username, a.password = o.Username, o.Password
	a.tokens = map[string]time.Time{}
	a.user = userSession{ID: userID, IsAdmin: true, Groups: []string{}, CreatedAt: now, UpdatedAt: now, Version: "MQ"}
}

// SetCredentials makes another pair the only one that logs in. Tokens that were
// handed out stay good until they expire, as signed tokens do; ExpireTokens
// ends them too.
func (s *Simulator) SetCredentials(username, password string) {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.username, s.auth.password = username, password
}

// ExpireTokens ends every token at once: the next request that carries one is
// answered 401, and so is a refresh.
func (s *Simulator) ExpireTokens() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	clear(s.auth.tokens)
}

// login returns a session, or false if the credentials are wrong.
func (s *Simulator) login(username, password string) (userSession, bool) {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	if username != s.auth.username || password != s.auth.password {
		return userSession{}, false
	}
	return s.newSession(), true
}

// renew returns a session for whoever holds a good token. The old token stays
// good until it expires.
func (s *Simulator) renew() userSession {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	return s.newSession()
}

// newSession wants auth locked.
func (s *Simulator) newSession() userSession {
	now := s.options.Now()
	for token, expires := range s.auth.tokens {
		if !now.Before(expires) {
			delete(s.auth.tokens, token)
		}
	}
	token := newToken()
	s.auth.tokens[token] = now.Add(s.options.TokenExpiry)
	user := s.auth.user
	user.Username = s.auth.username
	user.Session = session{ExpiresInSeconds: uint64(s.options.TokenExpiry / time.Second), Token: token}
	return user
}

// newToken returns something in the shape of a JSON web token. Only this
// process has to recognise it, so what stands for claims and signature is
// random.
func newToken() string {
	part := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	random := make([]byte, 64)
	_, _ = rand.Read(random) // never fails
	return part([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + part(random[:32]) + "." + part(random[32:])
}

// authorised wraps the calls that need a token.
func (s *Simulator) authorised(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		s.auth.mu.Lock()
		expires, known := s.auth.tokens[token]
		s.auth.mu.Unlock()
		if !strings.EqualFold(scheme, "bearer") || !known || !s.options.Now().Before(expires) {
			writeError(w, http.StatusUnauthorized, "authentication required")
			return
		}
		next(w, r)
	}
}

// writeSession answers a login or a refresh.
func writeSession(w http.ResponseWriter, session userSession, expiryHeader string) {
	w.Header().Set("Authorization", fmt.Sprintf("Bearer %s", session.Session.Token))
	w.Header().Set(expiryHeader, strconv.FormatUint(session.Session.ExpiresInSeconds, 10))
	writeJSON(w, http.StatusOK, session)
}
