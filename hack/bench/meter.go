package main

import (
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// call is what StorageOS is asked for.
type call string

// The calls that are told apart: those of a listing, a volume by its ID, and what has to do
// with neither, such as a login.
const (
	callCluster    call = "cluster"
	callNodes      call = "nodes"
	callNamespaces call = "namespaces"
	callVolumes    call = "volumes"
	callVolume     call = "volume"
	callOther      call = "other"
)

// callOf tells what a path asks for.
func callOf(of string) call {
	for pattern, is := range map[string]call{
		"/v2/cluster":                callCluster,
		"/v2/nodes":                  callNodes,
		"/v2/namespaces":             callNamespaces,
		"/v2/namespaces/*/volumes":   callVolumes,
		"/v2/namespaces/*/volumes/*": callVolume,
	} {
		if ok, _ := path.Match(pattern, strings.TrimSuffix(of, "/")); ok { // the patterns are good
			return is
		}
	}
	return callOther
}

// traffic is a number of requests, and of the bytes of their answers' bodies.
type traffic struct{ requests, bytes int }

func (t traffic) plus(o traffic) traffic  { return traffic{t.requests + o.requests, t.bytes + o.bytes} }
func (t traffic) minus(o traffic) traffic { return traffic{t.requests - o.requests, t.bytes - o.bytes} }

// of is a part of the traffic, if each of its requests has the same answer.
func (t traffic) of(requests int) traffic {
	return traffic{requests, t.bytes * requests / max(t.requests, 1)}
}

// usage is the traffic of each call.
type usage map[call]traffic

// since is what was added to an earlier one.
func (u usage) since(before usage) usage {
	added := usage{}
	for is, t := range u {
		added[is] = t.minus(before[is])
	}
	return added
}

// listings are how many the usage has: each asks for the namespaces once.
func (u usage) listings() int { return u[callNamespaces].requests }

// split tells what the listings asked for, and what so many early reads did: that many
// volumes, whose answers are taken for as large as those of the others, and each answer of the
// cluster but the first and last of a listing: these are of one size. A record that could not
// be written at once asks for a volume too.
func (u usage) split(reads int) (listings, early traffic) {
	of := u[callCluster].of(2 * u.listings())
	listings = u[callNodes].plus(u[callNamespaces]).plus(u[callVolumes]).plus(of)
	return listings, u[callVolume].of(reads).plus(u[callCluster].minus(of))
}

// meter stands before StorageOS and counts.
type meter struct {
	next http.Handler

	mu    sync.Mutex
	used  usage
	reads []time.Time // when volumes were asked for by their IDs
}

func newMeter(next http.Handler) *meter { return &meter{next: next, used: usage{}} }

func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := callOf(r.URL.Path)
	if is == callVolume {
		m.mu.Lock()
		m.reads = append(m.reads, time.Now())
		m.mu.Unlock()
	}
	counting := &countingWriter{ResponseWriter: w}
	m.next.ServeHTTP(counting, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used[is] = m.used[is].plus(traffic{1, counting.bytes})
}

// usage is what was answered until now.
func (m *meter) usage() usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.used)
}

// readsSince are the times of the reads of single volumes since then.
func (m *meter) readsSince(begun time.Time) (since []time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.reads {
		if !at.Before(begun) {
			since = append(since, at)
		}
	}
	return since
}

// countingWriter counts the bytes of a body.
type countingWriter struct {
	http.ResponseWriter
	bytes int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController find Flush and Hijack.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// mostWithin is the largest number of times, which are in order, within a period that is
// shorter than this one.
func mostWithin(times []time.Time, period time.Duration) (most int) {
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= period {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
