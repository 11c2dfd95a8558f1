package recordclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// silent is a body of which nothing comes as long as ctx lasts.
type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// What Kubernetes does not answer is not waited for as long as the connection lasts; a
// watch is as silent as it likes.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	const long = 10 * Patience
	for _, tc := range []struct {
		name         string
		head, body   bool // whether they come
		query        string
		givesUpAfter time.Duration
		lasts        time.Duration
		err          error
	}{
		{name: "no answer", lasts: Patience, err: errNoAnswer},
		{name: "a head without a body", head: true, lasts: Patience, err: errNoAnswer},
		{name: "an answer", head: true, body: true},
		{name: "no watch, says the query", query: "watch=false", head: true, lasts: Patience, err: errNoAnswer},
		{name: "a watch without an answer", query: "watch=true", lasts: Patience, err: errNoAnswer},
		{name: "a watch in which nothing happens", query: "watch=true", head: true, givesUpAfter: long, lasts: long, err: context.Canceled},
		{name: "the same, as others ask for it", query: "watch=1", head: true, givesUpAfter: long, lasts: long, err: context.Canceled},
		{name: "no answer, and the caller gives up", givesUpAfter: time.Second, lasts: time.Second, err: context.Canceled},
		{name: "no body, and the caller gives up", head: true, givesUpAfter: time.Second, lasts: time.Second, err: context.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var inner context.Context
				transport := TimeLimit(roundTripper(func(req *http.Request) (*http.Response, error) {
					inner = req.Context()
					var body io.Reader = strings.NewReader("{}")
					switch {
					case !tc.head:
						<-inner.Done()
						return nil, inner.Err()
					case !tc.body:
						body = silent{inner}
					}
					return &http.Response{Body: io.NopCloser(body)}, nil
				}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.givesUpAfter != 0 {
					time.AfterFunc(tc.givesUpAfter, cancel)
				}
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kubernetes/x?"+tc.query, nil)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				resp, err := transport.RoundTrip(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					err = errors.Join(err, resp.Body.Close())
				}
				if !errors.Is(err, tc.err) || (tc.err == nil) != (err == nil) || time.Since(begin) != tc.lasts {
					t.Errorf("it ended after %v with %v, want %v with %v", time.Since(begin), err, tc.lasts, tc.err)
				}
				if inner.Err() == nil {
					t.Error("the request's context has not ended")
				}
			})
		})
	}
}

// A client for records has the limit, for reads and writes.
func TestClientTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := New(&rest.Config{Host: "http://kubernetes", QPS: -1, Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})})
		if err != nil {
			t.Fatal(err)
		}
		volumes := client.StorageOSV1().Volumes()
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := volumes.Get(t.Context(), "x", metav1.GetOptions{}); return err },
			"watch":  func() error { _, err := volumes.Watch(t.Context(), metav1.ListOptions{}); return err },
			"delete": func() error { return volumes.Delete(t.Context(), "x", metav1.DeleteOptions{}) },
		} {
			begin := time.Now()
			if err := call(); !errors.Is(err, errNoAnswer) || time.Since(begin) != Patience {
				t.Errorf("%s ended after %v with %v", name, time.Since(begin), err)
			}
		}
	})
}
