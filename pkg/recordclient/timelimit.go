package recordclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Patience is how long Kubernetes may take for an answer: twice what an API server gives
// itself for a request (kube-apiserver, --request-timeout). Only what is between the two
// can take longer, and it may hold a connection open for ever.
const Patience = 2 * time.Minute

// TimeLimit ends a request whose answer is not there after Patience: all of it, or, of a
// watch, the head. Whether a write that ended so was stored is not known.
func TimeLimit(next http.RoundTripper) http.RoundTripper { return timeLimit{next} }

type timeLimit struct{ http.RoundTripper }

func (l timeLimit) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(Patience, func() { cancel(errNoAnswer) })
	resp, err := l.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		err = cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	if isWatch(req) {
		timer.Stop()
	}
	resp.Body = &limitedBody{resp.Body, ctx, func() { timer.Stop(); cancel(nil) }}
	return resp, nil
}

// WrappedRoundTripper is how client-go finds what is below.
func (l timeLimit) WrappedRoundTripper() http.RoundTripper { return l.RoundTripper }

func isWatch(req *http.Request) bool {
	watch := req.URL.Query().Get("watch")
	return watch == "true" || watch == "1"
}

// limitedBody is the body of an answer. Its end is that of the request's context.
type limitedBody struct {
	io.ReadCloser
	ctx context.Context
	end func()
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // Read returns io.EOF itself
		err = cause(b.ctx, err)
	}
	return n, err
}

func (b *limitedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// errNoAnswer is not context.Canceled: it is not the caller who has ended the request.
var errNoAnswer = fmt.Errorf("no answer from Kubernetes for %v", Patience)

func cause(ctx context.Context, err error) error {
	if context.Cause(ctx) == errNoAnswer { //nolint:errorlint // set by us, never wrapped
		return errNoAnswer
	}
	return err
}
