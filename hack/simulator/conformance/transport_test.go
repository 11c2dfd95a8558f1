// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/getkin/kin-openapi/openapi3filter"
)

// transport sends requests and validates them, and the answers, against the
// specification. It keeps what is wrong and what was seen.
type transport struct {
	spec specification

	mu       sync.Mutex
	problems []error
	seen     map[string]bool // operation and status, as "listVolumes 200"
}

// unchecked marks, in its context, a request that breaks the specification on
// purpose.
type unchecked struct{}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	r.Body = io.NopCloser(bytes.NewReader(sent))
	t.check(r, response, body)
	return response, nil
}

func (t *transport) check(r *http.Request, response *http.Response, body []byte) {
	route, parameters, err := t.spec.router.FindRoute(r)
	if err != nil {
		t.problem(r, response, err)
		return
	}
	t.mu.Lock()
	t.seen[fmt.Sprintf("%s %d", route.Operation.OperationID, response.StatusCode)] = true
	t.mu.Unlock()

	options := &openapi3filter.Options{
		IncludeResponseStatus:             true,
		RejectWhenRequestBodyNotSpecified: true,
		AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // the simulator's own affair
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: parameters, Route: route, Options: options,
	}
	if r.Context().Value(unchecked{}) == nil {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			t.problem(r, response, err)
		}
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header, Options: options,
	}
	answer.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
		t.problem(r, response, err)
	}
	// A header that the specification names need not be there, as far as OpenAPI
	// is concerned; clients depend on it.
	if specified := route.Operation.Responses.Status(response.StatusCode); specified != nil {
		for name := range specified.Value.Headers {
			if response.Header.Get(name) == "" {
				t.problem(r, response, fmt.Errorf("no header %s", name))
			}
		}
	}
}

func (t *transport) problem(r *http.Request, response *http.Response, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = append(t.problems, fmt.Errorf("%s %s: %d: %w", r.Method, r.URL.Path, response.StatusCode, err))
}

// take returns the problems since it was last called.
func (t *transport) take() []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	problems := t.problems
	t.problems = nil
	return problems
}

func withoutRequestCheck(ctx context.Context) context.Context {
	return context.WithValue(ctx, unchecked{}, true)
}
