package storageos

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A list that was too long to be held is not held again, which would take 8 MiB for
// each, until it has become shorter.
func TestLongListBecomesShorter(t *testing.T) { // not parallel: bytes are counted for the whole process
	list := func(entries int) []byte {
		var b bytes.Buffer
		for i := range entries {
			fmt.Fprintf(&b, `,{"id":"%d","name":"%s"}`, i, strings.Repeat("n", 1000))
		}
		return append(append([]byte("["), b.Bytes()[1:]...), ']')
	}
	long, short := list(10_000), list(100)
	read := func(body []byte, known Fingerprint) (is Fingerprint, handed int, allocated uint64) {
		t.Helper()
		l := &listing{} // its buffers are new
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		is, err := l.read(bytes.NewReader(body), known, func(Entry) error { handed++; return nil })
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		return is, handed, after.TotalAlloc - before.TotalAlloc
	}
	is, handed, allocated := read(long, Fingerprint{})
	if is.entries == nil || handed != 10_000 || allocated < maxHeld {
		t.Fatalf("at first: %d of 10,000 handed over, %d bytes allocated", handed, allocated)
	}
	if is, handed, allocated = read(long, is); is.entries == nil || handed != 10_000 || allocated > 1<<20 {
		t.Errorf("again: %d of 10,000 handed over, %d bytes allocated, want less than 1 MiB", handed, allocated)
	}
	if is, handed, _ = read(short, is); is != (Fingerprint{}) || handed != 100 {
		t.Errorf("become shorter: %d of 100 handed over, %+v", handed, is)
	}
	if is, handed, _ = read(short, is); is != FingerprintOf(short) || handed != 100 {
		t.Errorf("held again: %d of 100 handed over, %+v", handed, is)
	}
	if _, handed, _ = read(short, is); handed != 0 {
		t.Errorf("known: %d handed over", handed)
	}
}
