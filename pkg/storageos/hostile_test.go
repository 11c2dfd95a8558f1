package storageos

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// forever is a body that begins like a list and never ends; it counts what is
// read of it.
type forever struct {
	begin, again string
	rest         string
	begun        bool
	read         int
}

func (e *forever) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun, e.rest = true, e.begin
	}
	if e.rest == "" {
		e.rest = e.again
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.read += n
	return n, nil
}

// Whatever a broken or hostile API sends, it is read only so far.
func TestHostile(t *testing.T) {
	t.Parallel()
	block := strings.Repeat("x", 1<<16)
	entries := strings.Repeat(`{"id":"a"},`, 1<<12)
	for name, tc := range map[string]struct {
		begin, again string
		most         int
		err          string
		read         int // bytes at most
	}{
		"white space without an end":    {`[`, strings.Repeat(" ", 1<<16), maxVolumes, "more than 65536 bytes of white space", 3 * maxBetween},
		"no list, but any length":       {`"`, block, maxVolumes, "the body is not a list", maxEntry + 2*maxBetween},
		"a million namespaces":          {`[`, entries, maxNamespaces, "the list has more than 100000 entries", (maxNamespaces + 1) * len(`{"id":"a"},`) * 2},
		"volumes without an end":        {`[`, strings.Repeat(`{},`, 1<<15), maxVolumes, "the list has more than 2000000 entries", maxVolumes*3 + 2*maxBetween},
		"something long after the list": {`[]`, strings.Repeat(" ", 1<<16), maxVolumes, "after the list", 3 * maxBetween},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &forever{begin: tc.begin, again: tc.again}
			err := readList(body, tc.most, func(int, []byte) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if body.read > tc.read {
				t.Errorf("%d bytes were read, at most %d should be", body.read, tc.read)
			}
		})
	}
}

// What is kept of a list is short, whatever is in it.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxName+1)
	for name, tc := range map[string]struct{ entry, err string }{
		"an ID of any length":  {fmt.Sprintf(`{"id":%q}`, long), "entry 0 of the list has an ID of more than 1024 bytes"},
		"a name of any length": {fmt.Sprintf(`{"id":"a","name":%q}`, long), "entry 0 of the list has a name of more than 1024 bytes"},
		"no name":              {`{"id":"a"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("Authorization", "Bearer token")
					_, _ = io.WriteString(w, "["+tc.entry+"]")
				}), nil)
				_, err := c.Namespaces(t.Context())
				checkError(t, "namespaces", err, tc.err)
				_, err = c.Nodes(t.Context())
				checkError(t, "nodes", err, tc.err)
			})
		})
	}
}
