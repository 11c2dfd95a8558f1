package storageos

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// endless is the body of a list of volumes that is made while it is read.
type endless struct {
	entries int
	made    int // entries
	bytes   int // handed out
	rest    []byte
}

// streamedEntry is the JSON of an entry; they differ in length.
func streamedEntry(n int) string {
	return fmt.Sprintf(`{"id":"%d","labels":{"x":%q}}`, n, strings.Repeat("x", n%512))
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		switch {
		case e.made > e.entries:
			return 0, io.EOF
		case e.made == e.entries:
			e.rest = []byte("]")
		case e.made == 0:
			e.rest = []byte("[" + streamedEntry(e.made))
		default:
			e.rest = []byte("," + streamedEntry(e.made))
		}
		e.made++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.bytes += n
	return n, nil
}

// A list of any length is handed over while it arrives: what was read and is
// not handed over yet never grows beyond a few entries.
func TestStream(t *testing.T) {
	t.Parallel()
	const entries, bound = 20_000, minBuffer
	body := &endless{entries: entries}
	n, handedOver, most := 0, 0, 0
	err := readList(body, entries, func(_ int, raw []byte) error {
		if string(raw) != streamedEntry(n) {
			t.Fatalf("entry %d is %s", n, raw)
		}
		n++
		handedOver += len(raw) + 1
		most = max(most, body.bytes-handedOver)
		return nil
	})
	if n != entries || err != nil || most > bound {
		t.Errorf("%d entries, error %v; up to %d bytes of %d were held", n, err, most, body.bytes)
	}
}

// The same, with everything between the network and the caller: what is held is
// bounded, however long the list is.
func TestStreamOverTheNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const entries, bound = 50_000, maxHeld + maxHeld/4
		body := &endless{entries: entries}
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodPost {
				_, _ = io.WriteString(w, `{"session":{"token":"x"}}`)
				return
			}
			_, _ = io.Copy(w, body)
		}), nil)
		n, handedOver, most := 0, 0, 0
		_, err := c.ListVolumes(t.Context(), "ns", Fingerprint{}, func(e Entry) error {
			n++
			handedOver += len(e.Raw) + 1
			if n%1000 == 0 {
				synctest.Wait() // the server sends as much as anybody takes
				most = max(most, body.bytes-handedOver)
			}
			return nil
		})
		if n != entries || err != nil || most > bound {
			t.Errorf("%d entries, error %v; up to %d bytes of %d were on their way", n, err, most, body.bytes)
		}
	})
}

// An entry that has exactly maxEntry bytes is held, a larger one is passed, wherever it
// stands.
func TestEntryBound(t *testing.T) {
	t.Parallel()
	entry := func(size int) string {
		const frame = len(`{"id":""}`)
		return `{"id":"` + strings.Repeat("x", size-frame) + `"}`
	}
	for name, tc := range map[string]struct {
		body    string
		entries int
		large   int
		err     string
	}{
		"the first":             {`[` + entry(maxEntry) + `,{}]`, 2, 0, ""},
		"between":               {`[{},` + entry(maxEntry) + `,{}]`, 3, 0, ""},
		"two":                   {`[` + entry(maxEntry) + ` , ` + entry(maxEntry) + `]`, 2, 0, ""},
		"the last":              {`[{},` + entry(maxEntry) + ` ]`, 2, 0, ""},
		"the first is larger":   {`[` + entry(maxEntry+1) + `]`, 1, 1, ""},
		"a later is larger":     {`[{},` + entry(maxEntry+1) + `]`, 2, 1, ""},
		"two are larger":        {`[` + entry(maxEntry+1) + `,` + entry(3*maxEntry) + ` , {}]`, 3, 2, ""},
		"nothing, for too long": {`[{}` + strings.Repeat(" ", 2*(maxEntry+maxBetween)) + `]`, 1, 0, "more than 65536 bytes of white space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, large := 0, 0
			s := &splitter{r: strings.NewReader(tc.body)}
			err := s.list(10, func(int, []byte) error {
				n++
				if s.tooLarge() != nil {
					large++
				}
				return nil
			})
			checkError(t, "reading", err, tc.err)
			if n != tc.entries || large != tc.large {
				t.Errorf("%d entries, %d of them large; want %d, %d", n, large, tc.entries, tc.large)
			}
		})
	}
}
