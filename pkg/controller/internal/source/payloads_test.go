package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPayloads(t *testing.T) {
	t.Parallel()
	c := NewPayloads(10, func(string) bool { return true })
	raw := []byte("12345")
	c.Put("a", Payload{JSON: raw})
	raw[0] = 'x' // it was copied
	c.Put("b", Payload{JSON: []byte("67890")})
	c.Put("c", Payload{JSON: []byte("!")})
	for _, want := range []struct{ id, raw string }{{"c", ""}, {"a", "12345"}, {"a", ""}} {
		if got := string(c.Take(want.id).JSON); got != want.raw {
			t.Errorf("volume %s: %q, want %q", want.id, got, want.raw)
		}
	}
	c.Put("c", Payload{JSON: []byte("!")})
	if got := string(c.Take("c").JSON); got != "!" {
		t.Errorf("there was room again, but %q was kept", got)
	}
	// What does not fit must not leave older content behind.
	c.Put("b", Payload{JSON: []byte("much too long for it")})
	if got := c.Take("b").JSON; got != nil {
		t.Errorf("out of date: %q", got)
	}
}

// What is kept is counted, and what was taken is kept again only while it is the newest that
// is known of a volume and there is room.
func TestPayloadsPutBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		history func(*Payloads)
		want    map[string]string
		bytes   int
	}{
		"kept":         {func(c *Payloads) { c.Put("a", Payload{JSON: []byte("12345")}) }, map[string]string{"a": "12345"}, 5},
		"to the limit": {func(c *Payloads) { c.Put("a", Payload{JSON: []byte("1234567890")}) }, map[string]string{"a": "1234567890"}, 10},
		"one too many": {func(c *Payloads) { c.Put("a", Payload{JSON: []byte("12345678901")}) }, map[string]string{}, 0},
		"newer, and as long": {func(c *Payloads) {
			c.Put("a", Payload{JSON: []byte("1234567890")})
			c.Put("a", Payload{JSON: []byte("0987654321")})
		}, map[string]string{"a": "0987654321"}, 10},
		"newer, and too long": {func(c *Payloads) {
			c.Put("a", Payload{JSON: []byte("1")})
			c.Put("a", Payload{JSON: []byte("12345678901")})
		}, map[string]string{}, 0},
		"taken":              {func(c *Payloads) { c.Put("a", Payload{JSON: []byte("1")}); c.Take("a") }, map[string]string{}, 0},
		"back":               {func(c *Payloads) { c.PutBack("a", Payload{JSON: []byte("12345")}) }, map[string]string{"a": "12345"}, 5},
		"back, to the limit": {func(c *Payloads) { c.PutBack("a", Payload{JSON: []byte("1234567890")}) }, map[string]string{"a": "1234567890"}, 10},
		"back, one too many": {func(c *Payloads) { c.PutBack("a", Payload{JSON: []byte("12345678901")}) }, map[string]string{}, 0},
		"back, no room": {func(c *Payloads) {
			c.Put("b", Payload{JSON: []byte("123456")})
			c.PutBack("a", Payload{JSON: []byte("12345")})
		}, map[string]string{"b": "123456"}, 6},
		"back, and it is full": {func(c *Payloads) {
			c.PutBack("a", Payload{JSON: []byte("12345")})
			c.Put("b", Payload{JSON: []byte("123456")})
		}, map[string]string{"a": "12345"}, 5},
		"back, out of date": {func(c *Payloads) { c.Put("a", Payload{JSON: []byte("2")}); c.PutBack("a", Payload{JSON: []byte("1")}) }, map[string]string{"a": "2"}, 1},
		"asked for earlier": {func(c *Payloads) {
			c.Put("a", Payload{[]byte("2"), time.Unix(2, 0)})
			c.Put("a", Payload{[]byte("1"), time.Unix(1, 0)})
		}, map[string]string{"a": "2"}, 1},
		"asked for later": {func(c *Payloads) {
			c.Put("a", Payload{[]byte("1"), time.Unix(1, 0)})
			c.Put("a", Payload{[]byte("2"), time.Unix(2, 0)})
		}, map[string]string{"a": "2"}, 1},
		"back, it was nothing": {func(c *Payloads) { c.PutBack("a", Payload{}) }, map[string]string{}, 0},
		"back, it has gone":    {func(c *Payloads) { c.PutBack("gone", Payload{JSON: []byte("1")}) }, map[string]string{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := NewPayloads(10, func(id string) bool { return id != "gone" })
			tc.history(c)
			if n := c.Bytes(); n != tc.bytes {
				t.Errorf("%d bytes are counted, want %d", n, tc.bytes)
			}
			got := map[string]string{}
			for id, raw := range c.kept {
				got[id] = string(raw.JSON)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}
