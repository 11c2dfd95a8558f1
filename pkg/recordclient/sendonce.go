package recordclient

import "net/http"

// sendOnce keeps client-go from sending a write again by itself, as it does where an error
// has a Retry-After. What failed may have been stored, and the answer to the second, a
// conflict or "not found", would say that it was not. The queue tries again, knowing that.
// Where Kubernetes took none of it, for it is busy (429), client-go may wait, but with a deletion: it
// may not be sent long after it was looked whether the volume has gone.
type sendOnce struct{ http.RoundTripper }

func (o sendOnce) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(req)
	busy := err == nil && resp.StatusCode == http.StatusTooManyRequests && req.Method != http.MethodDelete
	if err == nil && req.Method != http.MethodGet && !busy {
		resp.Header.Del("Retry-After")
	}
	return resp, err
}

// WrappedRoundTripper is how client-go finds what is below.
func (o sendOnce) WrappedRoundTripper() http.RoundTripper { return o.RoundTripper }
