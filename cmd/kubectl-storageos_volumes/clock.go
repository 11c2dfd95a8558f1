package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock tells the time, by which it is said how old records are. Where the API server's is later
// than this machine's, that counts: by a clock that is behind, what is old would be new.
type clock struct {
	ahead atomic.Int64 // by how many nanoseconds the API server's was ahead at most
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// note takes note of the date of an answer, which is in whole seconds.
func (c *clock) note(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := int64(time.Until(at))
	for was := c.ahead.Load(); ahead > was && !c.ahead.CompareAndSwap(was, ahead); was = c.ahead.Load() {
		continue // another answer was noted
	}
}

// transport has each answer noted.
func (c *clock) transport(next http.RoundTripper) http.RoundTripper { return dated{next, c} }

type dated struct {
	http.RoundTripper
	clock *clock
}

func (d dated) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(req)
	if err == nil {
		d.clock.note(resp.Header.Get("Date"))
	}
	return resp, err
}

// WrappedRoundTripper is how client-go finds what is below.
func (d dated) WrappedRoundTripper() http.RoundTripper { return d.RoundTripper }
