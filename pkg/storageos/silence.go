package storageos

import (
	"context"
	"io"
	"net/http"
	"time"
)

// silence is a transport that ends a request which stays silent for too long:
// before its headers, or anywhere in its body. A body that goes on arriving is cut
// by the bound of its call.
type silence struct {
	next  http.RoundTripper
	after time.Duration
}

func (s *silence) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(s.after, func() { cancel(&silentError{s.after}) })
	resp, err := s.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		err = s.cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	timer.Stop()
	resp.Body = &watchedBody{ReadCloser: resp.Body, silence: s, ctx: ctx, cancel: cancel, timer: timer}
	return resp, nil
}

// cause says that it was the silence which ended a request, or the bound of its call,
// if it was.
func (s *silence) cause(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx).(type) { //nolint:errorlint // set by us, never wrapped
	case *silentError, *lateError:
		return cause
	}
	return withoutSource(err)
}

type watchedBody struct {
	io.ReadCloser
	silence *silence
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if isLate(b.ctx) { // what has arrived already comes too late as well
		return 0, b.silence.cause(b.ctx, b.ctx.Err())
	}
	// The timer runs while a byte is waited for, not while the reader is busy
	// with those that came: that silence is not the API's.
	b.timer.Reset(b.silence.after)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF { //nolint:errorlint // Read returns io.EOF itself
		err = b.silence.cause(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.timer.Stop()
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}
