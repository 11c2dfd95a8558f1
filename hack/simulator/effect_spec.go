// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// EffectSpec describes an Effect in JSON, for the admin interface. Type names
// the function of this package that makes it; the other fields are its
// arguments.
type EffectSpec struct {
	Type        string            `json:"type"`
	Status      int               `json:"status,omitempty"`
	Text        string            `json:"text,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Body        string            `json:"body,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Duration    string            `json:"duration,omitempty"` // as 1.5s
	Bytes       int               `json:"bytes,omitempty"`
	Effects     []EffectSpec      `json:"effects,omitempty"` // of the type chain
}

// effectTypes are the values of EffectSpec.Type.
var effectTypes = map[string]func(EffectSpec) (Effect, error){
	"status":             withStatus(func(e EffectSpec) Effect { return Status(e.Status, e.Text) }),
	"html":               withStatus(func(e EffectSpec) Effect { return HTML(e.Status) }),
	"plain":              withStatus(func(e EffectSpec) Effect { return Plain(e.Status, e.Text) }),
	"page":               withStatus(func(e EffectSpec) Effect { return Page(e.Status, e.ContentType, e.Body) }),
	"json":               plainly(func(e EffectSpec) Effect { return JSON(e.Body) }),
	"delay":              withDuration(func(_ EffectSpec, d time.Duration) Effect { return Delay(d) }),
	"trickle":            withDuration(func(e EffectSpec, d time.Duration) Effect { return Trickle(d, e.Bytes) }),
	"silence":            plainly(func(EffectSpec) Effect { return Silence() }),
	"stall":              plainly(func(EffectSpec) Effect { return Stall() }),
	"disconnect":         plainly(func(EffectSpec) Effect { return Disconnect() }),
	"cut":                withBytes(func(e EffectSpec) Effect { return CutAfter(e.Bytes) }),
	"cut-chunked":        withBytes(func(e EffectSpec) Effect { return CutChunked(e.Bytes) }),
	"no-closing-bracket": plainly(func(EffectSpec) Effect { return NoClosingBracket() }),
	"header":             plainly(func(e EffectSpec) Effect { return Header(e.Header) }),
	"content-type":       plainly(func(e EffectSpec) Effect { return ContentType(e.ContentType) }),
	"no-authorization":   plainly(func(EffectSpec) Effect { return NoAuthorization() }),
	"bare-authorization": plainly(func(EffectSpec) Effect { return BareAuthorization() }),
}

// Effect returns the effect that e describes, or an error that names the field
// which makes no sense.
func (e EffectSpec) Effect() (Effect, error) {
	if e.Type == "chain" {
		effects := make([]Effect, 0, len(e.Effects))
		for _, spec := range e.Effects {
			effect, err := spec.Effect()
			if err != nil {
				return nil, err
			}
			effects = append(effects, effect)
		}
		return Chain(effects...), nil
	}
	build, ok := effectTypes[e.Type]
	if !ok {
		return nil, fmt.Errorf("type %q: no such effect", e.Type)
	}
	return build(e)
}

func plainly(build func(EffectSpec) Effect) func(EffectSpec) (Effect, error) {
	return func(e EffectSpec) (Effect, error) { return build(e), nil }
}

func withStatus(build func(EffectSpec) Effect) func(EffectSpec) (Effect, error) {
	return func(e EffectSpec) (Effect, error) {
		// 1xx would not be the answer; net/http panics outside 100 to 999.
		if e.Status < http.StatusOK || e.Status > 599 {
			return nil, fmt.Errorf("status %d: not between 200 and 599", e.Status)
		}
		return build(e), nil
	}
}

func withDuration(build func(EffectSpec, time.Duration) Effect) func(EffectSpec) (Effect, error) {
	return func(e EffectSpec) (Effect, error) {
		d, err := time.ParseDuration(e.Duration)
		if err != nil {
			return nil, fmt.Errorf("duration: %w", err)
		}
		if d < 0 {
			return nil, fmt.Errorf("duration %s: negative", d)
		}
		return build(e, d), nil
	}
}

func withBytes(build func(EffectSpec) Effect) func(EffectSpec) (Effect, error) {
	return func(e EffectSpec) (Effect, error) {
		if e.Bytes < 0 {
			return nil, errors.New("bytes: negative")
		}
		return build(e), nil
	}
}
