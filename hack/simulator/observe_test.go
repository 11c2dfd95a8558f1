// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestStatsAndLog(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	sim, c := start(t, Options{Now: clock.Now})
	ns := sim.AddNamespace("a")
	id := mustAdd(t, sim, ns, VolumeSpec{})
	c.login()
	c.get("/v2/cluster")
	c.get(volumesPath(ns))
	c.get(volumePath(ns, id))
	c.get(volumePath(ns, "gone"))
	sim.AddFault(Fault{Effect: Disconnect()})
	_ = c.see(t.Context(), "POST", "/v2/auth/refresh", "")
	waitFor(t, sim, func(s Stats) bool { return s.InFlight == 0 })

	want := Stats{
		Requests: map[Call]int{CallLogin: 1, CallCluster: 1, CallVolumes: 1, CallVolume: 2, CallRefresh: 1},
		Statuses: map[int]int{200: 4, 404: 1, 0: 1},
		Answers: map[Call]map[int]int{
			CallLogin: {200: 1}, CallCluster: {200: 1}, CallVolumes: {200: 1}, CallVolume: {200: 1, 404: 1}, CallRefresh: {0: 1},
		},
		MaxConcurrentLogins: 1,
	}
	got := sim.Stats()
	if !reflect.DeepEqual(got, want) || got.Total() != 6 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	log := sim.Log()
	if len(log) != 6 {
		t.Fatalf("log %+v", log)
	}
	if want := (Request{
		Time: clock.Now(), Call: CallVolume, Method: "GET", Path: volumePath(ns, "gone"),
		NamespaceID: ns, VolumeID: "gone", Status: 404, Done: true,
	}); log[4] != want {
		t.Errorf("got  %+v\nwant %+v", log[4], want)
	}
	if text := fmt.Sprintf("%+v", log); strings.Contains(text, c.token) {
		t.Error("the log holds a token")
	}

	sim.ResetStats()
	if got := sim.Stats(); got.Total() != 0 || len(sim.Log()) != 0 {
		t.Errorf("after a reset: %+v", got)
	}
}

func TestLogLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ limit, want int }{{3, 3}, {-1, 0}, {0, 10}} {
		sim, c := start(t, Options{LogLimit: test.limit})
		for i := range 10 {
			c.get(fmt.Sprintf("/%d", i))
		}
		log := sim.Log()
		if len(log) != test.want {
			t.Errorf("limit %d: %d requests", test.limit, len(log))
		}
		if len(log) > 0 && log[len(log)-1].Path != "/9" {
			t.Errorf("limit %d: the newest is %+v", test.limit, log[len(log)-1])
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sim.Wait(ctx, func(Stats) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait in vain: %v", err)
	}
	done := make(chan error)
	go func() {
		done <- sim.Wait(t.Context(), func(s Stats) bool { return s.Statuses[404] == 2 })
	}()
	c.get("/a")
	c.get("/b")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Logins that are held back all at once are counted as such.
func TestMaxConcurrentLogins(t *testing.T) {
	t.Parallel()
	sim, c := start(t, Options{})
	release := make(chan struct{})
	sim.AddFault(Fault{Match: Match{Call: CallLogin}, Count: Always,
		Effect: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			<-release
			next.ServeHTTP(w, r)
		}})
	const n = 7
	var logins sync.WaitGroup
	for range n {
		logins.Go(func() { _ = c.see(t.Context(), "POST", "/v2/auth/login", goodLogin) })
	}
	waitFor(t, sim, func(s Stats) bool { return s.InFlight == n })
	close(release)
	logins.Wait()
	c.login()
	if got := sim.Stats().MaxConcurrentLogins; got != n {
		t.Errorf("%d, want %d", got, n)
	}
}
