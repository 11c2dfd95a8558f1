package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A listing is measured from its start until the last key that it queued has
// been tried once.
func TestCycles(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for name, tc := range map[string]struct {
		do   func(c *cycles)
		want []time.Duration
	}{
		"nothing queued: it ends with the listing": {func(c *cycles) {
			cy := c.begin(at(0))
			c.end(cy, true, at(2))
		}, []time.Duration{2 * time.Second}},
		"it ends with its last key": {func(c *cycles) {
			cy := c.begin(at(0))
			c.queued(cy, "a")
			c.queued(cy, "b")
			a, b := c.take("a"), c.take("b")
			c.end(cy, true, at(2))
			b(at(3))
			a(at(7))
		}, []time.Duration{7 * time.Second}},
		"a key that is not taken yet keeps it open": {func(c *cycles) {
			cy := c.begin(at(0))
			c.queued(cy, "a")
			c.end(cy, true, at(2))
		}, nil},
		"a second try does not count": {func(c *cycles) {
			cy := c.begin(at(0))
			c.queued(cy, "a")
			c.end(cy, true, at(1))
			c.take("a")(at(2))
			c.take("a")(at(9))
		}, []time.Duration{2 * time.Second}},
		"keys of others do not count": {func(c *cycles) {
			cy := c.begin(at(0))
			c.take("b")(at(1))
			c.end(cy, true, at(2))
		}, []time.Duration{2 * time.Second}},
		"while one is open, one that begins is not measured": {func(c *cycles) {
			one := c.begin(at(0))
			c.queued(one, "a")
			c.end(one, true, at(1))
			two := c.begin(at(5))
			c.queued(two, "a")
			c.queued(two, "b")
			c.end(two, true, at(6))
			c.take("b")(at(7))
			c.take("a")(at(8))
			c.end(c.begin(at(10)), true, at(11))
		}, []time.Duration{8 * time.Second, time.Second}},
		"nor while one that is not complete is": {func(c *cycles) {
			one := c.begin(at(0))
			c.queued(one, "a")
			c.end(one, false, at(1))
			c.end(c.begin(at(5)), true, at(6))
			c.take("a")(at(7))
			c.end(c.begin(at(10)), true, at(12))
		}, []time.Duration{2 * time.Second}},
		"a key that takes long keeps it open": {func(c *cycles) {
			one := c.begin(at(0))
			c.queued(one, "a")
			tried := c.take("a")
			c.end(one, true, at(1))
			c.queued(one, "a") // once more
			c.take("a")(at(3))
			tried(at(9))
		}, []time.Duration{9 * time.Second}},
		"an incomplete listing is not measured": {func(c *cycles) {
			cy := c.begin(at(0))
			c.queued(cy, "a")
			tried := c.take("a")
			c.end(cy, false, at(2))
			tried(at(3))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			c := newCycles(func(d time.Duration) { got = append(got, d) })
			tc.do(c)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("measured (-want +got):\n%s", diff)
			}
		})
	}
}

// While nobody works, as all wait for Kubernetes, what is remembered does not grow with each
// listing.
func TestHistoryCyclesDoNotGrow(t *testing.T) {
	t.Parallel()
	const volumes = 300
	for name, change := range map[string]func(h *history){
		"most are gone": func(h *history) { h.keepVolumes(volumes / 10) },
		"writes of another health have failed": func(h *history) {
			h.records.fail = func(string) error { return errDown }
			for i, v := range h.api.Lists["one"] {
				h.api.Lists["one"][i] = v + " offline"
			}
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, volumes)
			h.sleep(time.Second)
			h.work(h.leader, volumes)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				change(h)
				for range 60 {
					h.sleep(h.settings.PollInterval)
					_ = h.leader.poller.Poll(h.ctx)
				}
				if n := len(h.leader.cycles.waiting); n > volumes {
					t.Errorf("%d IDs of %d volumes are remembered", n, volumes)
				}
				h.records.fail = nil
				h.polls(24)
				if n := len(h.leader.cycles.waiting); n > 0 || h.leader.cycles.open != nil {
					t.Errorf("%d IDs are still remembered, or listings", n)
				}
			})
		})
	}
}
