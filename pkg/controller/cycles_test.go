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
		"one key may end two listings": {func(c *cycles) {
			one := c.begin(at(0))
			c.queued(one, "a")
			c.end(one, true, at(1))
			two := c.begin(at(5))
			c.queued(two, "a")
			c.end(two, true, at(6))
			c.take("a")(at(8))
		}, []time.Duration{8 * time.Second, 3 * time.Second}},
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
			tc.do(&cycles{observe: func(d time.Duration) { got = append(got, d) }})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("measured (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	c := newContents(10)
	raw := []byte("12345")
	c.put("a", raw)
	raw[0] = 'x' // it was copied
	c.put("b", []byte("67890"))
	c.put("c", []byte("!"))
	for _, want := range []struct{ id, raw string }{{"c", ""}, {"a", "12345"}, {"a", ""}} {
		if got := string(c.take(want.id)); got != want.raw {
			t.Errorf("volume %s: %q, want %q", want.id, got, want.raw)
		}
	}
	c.put("c", []byte("!"))
	if got := string(c.take("c")); got != "!" {
		t.Errorf("there was room again, but %q was kept", got)
	}
	// What does not fit must not leave older content behind.
	c.put("b", []byte("much too long for it"))
	if got := c.take("b"); got != nil {
		t.Errorf("out of date: %q", got)
	}
}
