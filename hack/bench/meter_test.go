package main

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestCallOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]call{
		"/v2/cluster":                    callCluster,
		"/v2/nodes":                      callNodes,
		"/v2/namespaces":                 callNamespaces,
		"/v2/namespaces/1a/volumes":      callVolumes,
		"/v2/namespaces/1a/volumes/":     callVolumes,
		"/v2/namespaces/1a/volumes/2b":   callVolume,
		"/v2/namespaces/1a/volumes/2b/x": callOther,
		"/v2/namespaces/1a":              callOther,
		"/v2/auth/login":                 callOther,
		"/":                              callOther,
	} {
		if got := callOf(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What is neither asked for by a listing nor a login is an early read.
func TestSplit(t *testing.T) {
	t.Parallel()
	poll := usage{callCluster: {2, 200}, callNodes: {1, 50}, callNamespaces: {1, 30}, callVolumes: {3, 900}, callOther: {1, 7}}
	of := func(u usage, more map[call]traffic) usage {
		sum := usage{}
		for is, t := range u {
			sum[is] = t.plus(more[is])
			delete(more, is)
		}
		maps.Copy(sum, more)
		return sum
	}
	for name, tc := range map[string]struct {
		used            usage
		reads           int
		listings, early traffic
		n               int
	}{
		"nothing":        {usage{}, 0, traffic{}, traffic{}, 0},
		"a listing":      {poll, 0, traffic{7, 1180}, traffic{}, 1},
		"two listings":   {of(poll, poll.since(nil)), 0, traffic{14, 2360}, traffic{}, 2},
		"an early read":  {of(poll, usage{callCluster: {2, 200}, callVolume: {1, 300}}), 1, traffic{7, 1180}, traffic{3, 500}, 1},
		"early reads":    {of(poll, usage{callCluster: {4, 400}, callVolume: {9, 2700}}), 9, traffic{7, 1180}, traffic{13, 3100}, 1},
		"a save":         {of(poll, usage{callVolume: {1, 300}}), 0, traffic{7, 1180}, traffic{}, 1},
		"both":           {of(poll, usage{callCluster: {2, 200}, callVolume: {3, 900}}), 2, traffic{7, 1180}, traffic{4, 800}, 1},
		"nothing listed": {usage{callCluster: {2, 200}, callVolume: {1, 300}}, 1, traffic{}, traffic{3, 500}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listings, early := tc.used.split(tc.reads)
			if listings != tc.listings || early != tc.early || tc.used.listings() != tc.n {
				t.Errorf("%d listings %+v, early reads %+v; want %d, %+v, %+v", tc.used.listings(), listings, early, tc.n, tc.listings, tc.early)
			}
		})
	}
}

func TestMostWithin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		milliseconds []int
		want         int
	}{
		"none":                  {nil, 0},
		"one":                   {[]int{7}, 1},
		"at once":               {[]int{7, 7, 7}, 3},
		"within a second":       {[]int{0, 500, 999}, 3},
		"a second later":        {[]int{0, 500, 1000}, 2},
		"the last are the most": {[]int{0, 100, 2000, 2100, 2200}, 3},
		"across a full second":  {[]int{0, 900, 950, 1100, 1200}, 4},
	} {
		var times []time.Time
		for _, ms := range tc.milliseconds {
			times = append(times, time.UnixMilli(int64(ms)))
		}
		if got := mostWithin(times, time.Second); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// A meter counts requests and bytes, by what they ask for.
func TestMeter(t *testing.T) {
	t.Parallel()
	m := newMeter(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "12345") }))
	ask := func(paths ...string) {
		for _, path := range paths {
			m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		}
	}
	ask("/v2/cluster", "/v2/namespaces/1a/volumes/2b")
	before, begun := m.usage(), time.Now()
	ask("/v2/namespaces/1a/volumes/2b", "/v2/nodes", "/v2/namespaces/1a/volumes/2b")
	want := usage{callCluster: {}, callNodes: {1, 5}, callVolume: {2, 10}}
	if got := m.usage().since(before); !maps.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n := len(m.readsSince(begun)); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}
