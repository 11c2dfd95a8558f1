//go:build !race

package source

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// A poll in which nothing has changed allocates as often for many volumes as for
// few, and seldom.
func TestCountSteadyPoll(t *testing.T) { // not parallel: allocations are counted for the whole process
	for _, streams := range []bool{false, true} {
		allocations := map[int]float64{}
		for _, volumes := range []int{1_000, 10_000, 100_000} {
			l := newLists(1, volumes)
			l.streams = streams
			p, kept := steady(t, l)
			ctx := t.Context()
			allocations[volumes] = testing.AllocsPerRun(5, func() {
				if err := p.Poll(ctx); err != nil {
					t.Fatal(err)
				}
			})
			if *kept != 0 {
				t.Errorf("%d volumes were decoded", *kept)
			}
		}
		const most = 35 // with nothing of HTTP: about 25 for a poll, the rest for its one list
		if few := allocations[1_000]; few > most || allocations[10_000] != few || allocations[100_000] != few {
			t.Errorf("allocations by number of volumes: %v, at most %d and all the same", allocations, most)
		}
	}
}

// The same with everything that HTTP takes, the server included, and what is asked for.
func TestCountSteadyPollHTTP(t *testing.T) { // not parallel: allocations are counted for the whole process
	const namespaces = 50
	allocations := map[int]float64{}
	for _, volumes := range []int{1_000, 10_000} {
		sim := simulator.New(simulator.Options{LogLimit: -1})
		sim.Fill(simulator.FillOptions{Namespaces: namespaces, Nodes: 5, Volumes: volumes, CSI: -1})
		server := httptest.NewServer(sim)
		t.Cleanup(server.Close)
		endpoint, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		p, ctx := newPolled(storageOSClient(t, endpoint)), unlogged(t)
		poll := func() {
			if err := p.Poll(ctx); err != nil {
				t.Fatal(err)
			}
		}
		poll() // and logs in
		if n := len(p.View.IDs()); n != volumes {
			t.Fatalf("%d volumes", n)
		}
		sim.ResetStats()
		const runs = 10
		allocations[volumes] = testing.AllocsPerRun(runs, poll)
		const others = 4 // the cluster twice, the nodes, the namespaces
		if n := sim.Stats().Total(); n != (runs+1)*(namespaces+others) {
			t.Errorf("%d requests in %d polls of %d namespaces", n, runs+1, namespaces)
		}
	}
	// By far the most of it is net/http's, on both sides, and differs a little.
	const most = 200 * namespaces
	if few, many := allocations[1_000], allocations[10_000]; few > most || many > few*1.05 {
		t.Errorf("allocations by number of volumes: %v, at most %d and about the same", allocations, most)
	}
}
