package source

import "testing"

func TestPayloads(t *testing.T) {
	t.Parallel()
	c := NewPayloads(10, func(string) bool { return true })
	raw := []byte("12345")
	c.Put("a", raw)
	raw[0] = 'x' // it was copied
	c.Put("b", []byte("67890"))
	c.Put("c", []byte("!"))
	for _, want := range []struct{ id, raw string }{{"c", ""}, {"a", "12345"}, {"a", ""}} {
		if got := string(c.Take(want.id)); got != want.raw {
			t.Errorf("volume %s: %q, want %q", want.id, got, want.raw)
		}
	}
	c.Put("c", []byte("!"))
	if got := string(c.Take("c")); got != "!" {
		t.Errorf("there was room again, but %q was kept", got)
	}
	// What does not fit must not leave older content behind.
	c.Put("b", []byte("much too long for it"))
	if got := c.Take("b"); got != nil {
		t.Errorf("out of date: %q", got)
	}
}
