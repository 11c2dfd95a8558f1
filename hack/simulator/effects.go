// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// Effect is what happens to a request that meets a fault. It answers the
// request, perhaps with the help of next, which gives the regular answer. An
// effect that waits must end with the request's context, by
// panic(http.ErrAbortHandler): whoever only returns has answered 200 with an
// empty body.
type Effect func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Handler answers with handler, in the place of the regular answer. Given
// another Simulator, it lets that one answer: a second cluster behind the same
// address.
func Handler(handler http.Handler) Effect {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { handler.ServeHTTP(w, r) }
}

// Chain has every effect work on what the next one of the list answers, and the
// last one on the regular answer: Chain(Delay(time.Second), Status(503, "")).
func Chain(effects ...Effect) Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		for i := len(effects) - 1; i >= 0; i-- {
			effect, inner := effects[i], next
			next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { effect(w, r, inner) })
		}
		next.ServeHTTP(w, r)
	}
}

// Status answers with that status and the API's error body, {"error": text}.
func Status(status int, text string) Effect {
	if text == "" {
		text = http.StatusText(status)
	}
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		drain(r)
		writeError(w, status, text)
	}
}

// Page answers with any status, content type and body: a proxy's HTML page, a
// plain text, a 200 that is none.
func Page(status int, contentType, body string) Effect {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		drain(r)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// HTML answers with that status and a page such as a load balancer sends.
func HTML(status int) Effect {
	text := http.StatusText(status)
	return Page(status, "text/html; charset=utf-8",
		"<html><head><title>"+text+"</title></head><body><h1>"+text+"</h1></body></html>\n")
}

// Plain answers with that status and a plain text.
func Plain(status int, text string) Effect {
	return Page(status, "text/plain; charset=utf-8", text)
}

// JSON answers 200 with body as it is, declared as JSON: "" for the empty
// answer, "null", "{}" where a list is due.
func JSON(body string) Effect {
	return Page(http.StatusOK, "application/json", body)
}

// Delay waits before the header of the regular answer.
func Delay(d time.Duration) Effect {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		hold(r)
		pause(r, d)
		next.ServeHTTP(w, r)
	}
}

// hold reads the request's body ahead of who will want it: the server notices
// that a client has gone only once nothing of its request is left to read.
func hold(r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
}

// pause waits, and cuts the connection off if the request ends before.
func pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// Disconnect closes the connection without an answer.
func Disconnect() Effect {
	return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
}

// Silence sends nothing at all, until the client goes or the simulator closes.
func Silence() Effect {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		drain(r)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Header changes headers of the regular answer: each value replaces the
// header's, the empty one removes it.
func Header(values map[string]string) Effect {
	return rewrite(func(a *answer) {
		for name, value := range values {
			if value == "" {
				a.header.Del(name)
			} else {
				a.header.Set(name, value)
			}
		}
	})
}

// ContentType gives the regular answer another content type.
func ContentType(contentType string) Effect {
	return Header(map[string]string{"Content-Type": contentType})
}

// NoAuthorization takes the token out of the header of a login or refresh; the
// body still has it.
func NoAuthorization() Effect {
	return Header(map[string]string{"Authorization": ""})
}

// BareAuthorization makes the Authorization header of a login or refresh a
// single word: the token without the scheme and the space.
func BareAuthorization() Effect {
	return rewrite(func(a *answer) {
		const scheme = "Bearer "
		if value := a.header.Get("Authorization"); len(value) > len(scheme) {
			a.header.Set("Authorization", value[len(scheme):])
		}
	})
}
