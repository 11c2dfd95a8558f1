//go:build !race

package storageos

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
)

// To read a long list that is as it was allocates nothing for each of its entries, only
// a buffer that may have been thrown away in between, in steps.
func TestCountLongList(t *testing.T) { // not parallel: allocations are counted for the whole process
	const entries, most = 40_000, 20
	body := listOf(entries)
	if len(body) <= maxHeld {
		t.Fatalf("a list of %d bytes is held", len(body))
	}
	read := rereading(t, body)
	if n := testing.AllocsPerRun(5, read); n > most {
		t.Errorf("%.0f allocations for %d entries", n, entries)
	}
}

// To read a list that is held and is as it was takes as many allocations for many volumes
// as for few, and the buffer that the one before had.
func TestCountHeldList(t *testing.T) { // not parallel: allocations are counted for the whole process
	const runs, most = 40, 5
	for _, entries := range []int{100, 1_000, 7_000} {
		body := listOf(entries)
		if len(body) >= maxHeld {
			t.Fatalf("a list of %d bytes is not held", len(body))
		}
		read := rereading(t, body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := testing.AllocsPerRun(runs, read)
		runtime.ReadMemStats(&after)
		if n > most {
			t.Errorf("%.0f allocations for %d entries", n, entries)
		}
		if bytes := int(after.TotalAlloc - before.TotalAlloc); bytes > 2*len(body) { // a collection may take the buffer away
			t.Errorf("%d bytes were allocated for %d lists of %d bytes", bytes, runs, len(body))
		}
	}
}

// rereading reads a list once, and then again, as often as it is called.
func rereading(t *testing.T, body []byte) func() {
	t.Helper()
	var l listing
	known := Fingerprint{}
	read := func() {
		var err error
		if known, err = l.read(bytes.NewReader(body), known, func(Entry) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	read()
	return read
}

// However large an entry is, and whatever it consists of, next to nothing of it is held.
func TestCountLargeEntry(t *testing.T) { // not parallel: bytes are counted for the whole process
	const size = 64 << 20
	for name, tc := range map[string]struct{ begin, again, end string }{
		"one value":   {`[{"id":"a","x":"`, strings.Repeat("x", 1<<16), `"},{"id":"b"}]`},
		"one key":     {`[{"id":"a","`, strings.Repeat("x", 1<<16), `":1},{"id":"b"}]`},
		"the ID":      {`[{"id":"`, strings.Repeat("x", 1<<16), `"},{"id":"b"}]`},
		"backslashes": {`[{"id":"a","x":"`, strings.Repeat(`\`, 1<<16), `"},{"id":"b"}]`},
		"fields":      {`[{"id":"a"`, strings.Repeat(`,"id":"a"`, 1<<12), `},{"id":"b"}]`},
		"white space": {`[{"id":"a"`, strings.Repeat(" ", 1<<16), `},{"id":"b"}]`},
		"brackets":    {`[{"id":"a","x":`, strings.Repeat("[", 1<<16), `}`},
		"a number":    {`[{"id":"a","x":1`, strings.Repeat("0", 1<<16), `},{"id":"b"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			body := io.MultiReader(io.LimitReader(&forever{begin: tc.begin, again: tc.again}, int64(len(tc.begin)+size/len(tc.again)*len(tc.again))), strings.NewReader(tc.end))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var l listing
			n := 0
			_, err := l.read(body, Fingerprint{}, func(Entry) error { n++; return nil })
			runtime.ReadMemStats(&after)
			if name == "brackets" {
				checkError(t, "reading", err, "unexpected EOF")
			} else if n != 2 || err != nil {
				t.Errorf("%d entries, %v", n, err)
			}
			if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 4*maxHeld {
				t.Errorf("%d bytes were allocated for %d", bytes, size)
			}
		})
	}
}
