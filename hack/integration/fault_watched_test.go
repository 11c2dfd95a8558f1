package integration

import (
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// outage is a time in which nobody sees what StorageOS has.
type outage struct {
	name  string
	flags []string
	begin func(e *env, c *controller) (end func())
	ends  bool // the process, so that another one has to be started
}

var outages = []outage{
	{name: "StorageOS answers with errors", begin: func(e *env, _ *controller) func() {
		return e.sim.AddFault(simulator.Fault{Effect: simulator.Status(503, "no store"), Count: simulator.Always})
	}},
	{name: "another cluster answers", begin: func(e *env, _ *controller) func() {
		other := simulator.New(simulator.Options{Seed: 7, Password: password})
		return e.sim.AddFault(simulator.Fault{Effect: simulator.Handler(other), Count: simulator.Always})
	}},
	{name: "the process is frozen", begin: func(e *env, c *controller) func() {
		e.must(c.cmd.Process.Signal(syscall.SIGSTOP))
		return func() { e.must(c.cmd.Process.Signal(syscall.SIGCONT)) }
	}},
	{name: "nobody leads", ends: true, begin: func(_ *env, c *controller) func() {
		c.stop()
		return func() {}
	}},
	{name: "the leader was killed", ends: true, flags: electing, begin: func(e *env, c *controller) func() {
		e.must(c.cmd.Process.Signal(syscall.SIGKILL))
		<-c.ended
		return func() {}
	}},
}

// A store that is empty for 3 s, then is not seen for 20 s, and is empty for 3 s more
// has been seen empty for 6 s: neither a grace of 15 s nor a hold of 12 s is over,
// whatever the marks in the records say.
func TestFaultUnwatched(t *testing.T) {
	t.Parallel()
	var cases sync.WaitGroup // at the same time: they do little but wait
	for name, tc := range map[string]struct {
		lost  int // of 40
		grace string
	}{
		"all are gone":                         {40, "2s"},
		"fewer are gone than the breaker sees": {5, "15s"},
	} {
		cases.Go(func() {
			t.Run(name, func(t *testing.T) {
				e := newEnv(t)
				filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 40, CSI: -1})
				joined := slices.Concat(filled[:3], filled[20:30])
				e.bind(joined...)
				for _, o := range outages {
					t.Run(o.name, func(t *testing.T) {
						e := e.within(t)
						start := func() *controller {
							return e.controller(append([]string{"-api-poll-interval", "1s", "-api-retry-interval", "1s",
								"-orphan-grace-period", tc.grace, "-mass-orphan-hold", "12s"}, o.flags...)...)
						}
						e.unwatched(o, start, filled, joined, tc.lost)
					})
				}
			})
		})
	}
	cases.Wait()
}

// unwatched lets an outage pass between two looks at a store that lacks volumes.
func (e *env) unwatched(o outage, start func() *controller, filled, joined []simulator.Filled, lost int) {
	e.t.Helper()
	c := start()
	e.eventually("every record is right", 20*time.Second, func() error { return e.well(filled, joined) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	uids := e.uids()
	stay := func(lasts time.Duration) {
		e.t.Helper()
		throughout(e.t, "the records stay", lasts, func() error { return e.same(uids) })
	}
	const seen, unseen = 3 * time.Second, 20 * time.Second

	back := e.lose(filled[:lost]...)
	defer back()
	stay(seen)
	end := o.begin(e, c)
	defer end() // both may be called twice
	stay(unseen)
	end()
	if o.ends {
		c = start()
	}
	c.polls(1)
	stay(seen)
	back()
	begun := time.Now()
	e.eventually("every record is right again", 15*time.Second, func() error { return e.well(filled, joined) })
	if err := e.same(uids); err != nil {
		e.t.Error(err)
	}
	healed(e.t, "StorageOS: volumes are not listed, "+o.name+" for 20 s, and they are not listed still",
		"nothing is deleted: time in which nobody looked does not count", begun)
}
