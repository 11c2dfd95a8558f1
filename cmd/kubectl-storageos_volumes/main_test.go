package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

// How a command has ended is told by the exit code, and in words that a person understands.
func TestEnded(t *testing.T) {
	t.Parallel()
	running := context.Background()
	interrupted, interrupt := context.WithCancel(running)
	interrupt()
	canceled := fmt.Errorf("listing records: %w", context.Canceled)
	for name, tc := range map[string]struct {
		ctx  context.Context
		err  error
		code int
		says string
	}{
		"well":                    {running, nil, exitOK, ""},
		"it is said":              {running, said(exitNot), exitNot, ""},
		"not there":               {running, notFoundError("no"), exitNot, "error: no\n"},
		"failed":                  {running, errors.New("why"), exitError, "error: why\n"},
		"canceled by others":      {running, canceled, exitError, "error: listing records: context canceled\n"},
		"interrupted":             {interrupted, canceled, exitError, "error: interrupted\n"},
		"failed, and interrupted": {interrupted, errors.New("why"), exitError, "error: why\n"},
		"well, and interrupted":   {interrupted, nil, exitOK, ""},
	} {
		var stderr bytes.Buffer
		if code := ended(tc.ctx, tc.err, &stderr); code != tc.code || stderr.String() != tc.says {
			t.Errorf("%s: exit code %d, %q", name, code, &stderr)
		}
	}
}
