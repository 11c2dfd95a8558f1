// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// answer is a regular answer, held back.
type answer struct {
	header http.Header
	status int
	body   []byte
}

// Header, Write and WriteHeader make answer an http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// capture returns the answer that next gives. Content-Length is left out: it is
// for the effect to say what it declares.
func capture(next http.Handler, r *http.Request) *answer {
	a := &answer{header: http.Header{}}
	next.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	a.header.Del("Content-Length")
	return a
}

// start sends the header, declaring length bytes; -1 declares nothing, which
// makes the body chunked.
func (a *answer) start(w http.ResponseWriter, length int) {
	maps.Copy(w.Header(), a.header)
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(a.status)
}

// send writes a part of the body and sees that it leaves.
func send(w http.ResponseWriter, part []byte) bool {
	if _, err := w.Write(part); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// rewrite changes the regular answer.
func rewrite(change func(*answer)) Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := capture(next, r)
		change(a)
		a.start(w, len(a.body))
		_, _ = w.Write(a.body)
	}
}

// Body replaces the body of the regular answer and leaves the rest as it is.
func Body(change func(body []byte) []byte) Effect {
	return rewrite(func(a *answer) { a.body = change(a.body) })
}

// NoClosingBracket leaves out the last byte of the body, and declares the length
// that remains: a list of whole objects that does not end.
func NoClosingBracket() Effect {
	return Body(func(body []byte) []byte { return bytes.TrimSpace(body)[:max(0, len(bytes.TrimSpace(body))-1)] })
}

// CutAfter declares the whole length of the regular body, sends the first n
// bytes and closes the connection.
func CutAfter(n int) Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := capture(next, r)
		a.start(w, len(a.body))
		send(w, a.body[:min(n, len(a.body))])
		panic(http.ErrAbortHandler)
	}
}

// CutChunked is CutAfter without a declared length: only the missing end of the
// chunked body shows that something is missing.
func CutChunked(n int) Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := capture(next, r)
		a.start(w, -1)
		send(w, a.body[:min(n, len(a.body))])
		panic(http.ErrAbortHandler)
	}
}

// Stall sends the header and the first half of the regular body, and then
// nothing, until the client goes or the simulator closes.
func Stall() Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := capture(next, r)
		a.start(w, len(a.body))
		send(w, a.body[:len(a.body)/2])
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Trickle sends the regular body in pieces of size bytes (at least 1), one every
// d: slow, but never silent for longer.
func Trickle(d time.Duration, size int) Effect {
	size = max(size, 1)
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a := capture(next, r)
		a.start(w, len(a.body))
		for body := a.body; len(body) > 0; {
			n := min(size, len(body))
			if !send(w, body[:n]) {
				return
			}
			if body = body[n:]; len(body) > 0 {
				pause(r, d)
			}
		}
	}
}
