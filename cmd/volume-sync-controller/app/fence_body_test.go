package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A write is over for whoever sends it at the same moment at which no other may begin.
func TestFenceOver(t *testing.T) {
	t.Parallel()
	const last = leaseDuration - fenceMargin
	for name, tc := range map[string]struct {
		history func(*fence)
		over    bool
	}{
		"it was just renewed":        {func(*fence) {}, false},
		"a moment before":            {func(*fence) { time.Sleep(last - time.Nanosecond) }, false},
		"at the moment":              {func(*fence) { time.Sleep(last) }, true},
		"it is lost":                 {(*fence).lose, true},
		"it is being given back":     {func(f *fence) { _ = f.close(context.Background()) }, false},
		"it is in doubt whose it is": {(*fence).hesitate, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fence{leaseDuration: leaseDuration}
				f.renew(time.Now())
				tc.history(f)
				if over := f.over(); over != tc.over {
					t.Errorf("over: %v, want %v", over, tc.over)
				}
				if !f.mu.TryLock() {
					t.Fatal("it holds the mutex for ever")
				}
			})
		})
	}
}

// However a transport sends a body, and whatever it makes of the refusal: of a write that was
// not sent because the fence had closed that is the error, and of others their own.
func TestFencedBody(t *testing.T) {
	t.Parallel()
	read := func(body io.Reader) (string, error) {
		text, err := io.ReadAll(body)
		return string(text), err
	}
	for name, tc := range map[string]struct {
		again bool // the body can be had a second time
		sends func(*fence, *http.Request) (string, error)
		sent  string // at last
		err   error
	}{
		"it is sent": {sends: func(_ *fence, r *http.Request) (string, error) { return read(r.Body) }, sent: "{}"},
		"the fence closes before, and the transport says nothing of that": {sends: func(f *fence, r *http.Request) (string, error) {
			f.lose()
			sent, _ := read(r.Body)
			return sent, errBroken
		}, err: errFenced},
		"the fence closes before, and the server has answered": {sends: func(f *fence, r *http.Request) (string, error) {
			f.lose()
			sent, _ := read(r.Body)
			return sent, nil
		}},
		"the fence closes amid the body": {sends: func(f *fence, r *http.Request) (string, error) {
			first := make([]byte, 1)
			if _, err := io.ReadFull(r.Body, first); err != nil {
				return "", err
			}
			f.lose()
			rest, err := read(r.Body)
			return string(first) + rest, err
		}, sent: "{}"},
		"the fence is open, and sending fails": {sends: func(_ *fence, r *http.Request) (string, error) {
			sent, _ := read(r.Body)
			return sent, errBroken
		}, sent: "{}", err: errBroken},
		"it is sent a second time": {again: true, sends: func(_ *fence, r *http.Request) (string, error) {
			if _, err := read(r.Body); err != nil {
				return "", err
			}
			body, err := r.GetBody()
			if err != nil {
				return "", err
			}
			return read(body)
		}, sent: "{}"},
		"the fence closes before the second time": {again: true, sends: func(f *fence, r *http.Request) (string, error) {
			if _, err := read(r.Body); err != nil {
				return "", err
			}
			f.lose()
			body, err := r.GetBody()
			if err != nil {
				return "", err
			}
			sent, _ := read(body)
			return sent, errBroken
		}, err: errFenced},
		"it cannot be had a second time": {sends: func(_ *fence, r *http.Request) (string, error) {
			if r.GetBody != nil {
				return "", errors.New("the transport is told that it can")
			}
			return read(r.Body)
		}, sent: "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fence{leaseDuration: leaseDuration}
			f.renew(time.Now())
			req, err := http.NewRequest(http.MethodPatch, "http://kubernetes", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if !tc.again {
				req.GetBody = nil
			}
			sent := ""
			_, err = f.transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				var err error
				sent, err = tc.sends(f, r)
				return &http.Response{}, err
			})).RoundTrip(req)
			if sent != tc.sent || !errors.Is(err, tc.err) {
				t.Errorf("%q was sent: %v; want %q, %v", sent, err, tc.sent, tc.err)
			}
		})
	}
}
