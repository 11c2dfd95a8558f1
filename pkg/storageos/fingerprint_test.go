package storageos

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// bodies serves one body as every list.
func bodies(t *testing.T, body *string) *Client {
	t.Helper()
	return newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"session":{"token":"x"}}`)
			return
		}
		_, _ = io.WriteString(w, *body)
	}), nil)
}

// A list that is byte for byte the known one is not handed over.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	long := "[" + strings.Repeat(`{"id":"`+strings.Repeat("x", 1<<20)+`"},`, 9) + "{}]"
	for name, tc := range map[string]struct {
		first, second string
		handed        int // entries of the second
		fails         bool
	}{
		"the same":            {`[{"id":"a"},{"id":"b"}]`, `[{"id":"a"},{"id":"b"}]`, 0, false},
		"nothing, as before":  {`[]`, `[]`, 0, false},
		"another":             {`[{"id":"a"},{"id":"b"}]`, `[{"id":"a"},{"id":"c"}]`, 2, false},
		"the same, and more":  {`[{"id":"a"}]`, `[{"id":"a"}] `, 1, false},
		"cut":                 {`[{"id":"a"},{"id":"b"}]`, `[{"id":"a"},{"id":"b"}`, 2, true},
		"the first was cut":   {`[{"id":"a"},{"id":"b"}`, `[{"id":"a"},{"id":"b"}`, 2, true},
		"empty, as before":    {``, ``, 0, true},
		"too long to be held": {long, long, 10, false},
		"too long and cut":    {long, long[:len(long)-1], 10, true},
		"no longer too long":  {long, `[{}]`, 1, false},
		"too long now":        {`[{}]`, long, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body := tc.first
				c := bodies(t, &body)
				is, _ := c.ListVolumes(t.Context(), "ns", Fingerprint{}, func(Entry) error { return nil }) // it may fail
				body = tc.second
				n := 0
				again, err := c.ListVolumes(t.Context(), "ns", is, func(Entry) error { n++; return nil })
				if n != tc.handed || (err != nil) != tc.fails {
					t.Errorf("%d entries, error %v; want %d, %v", n, err, tc.handed, tc.fails)
				}
				if known := tc.first == tc.second && tc.handed == 0; !tc.fails && (again == is) != known {
					t.Errorf("fingerprints %v, %v", is, again)
				}
				if tc.fails && again != (Fingerprint{}) {
					t.Errorf("a list that is not whole has the fingerprint %v", again)
				}
			})
		})
	}
}

// Where an entry of a list was known before, its end is not looked for.
func TestKnownEntries(t *testing.T) {
	t.Parallel()
	const before = `[{"a":1},{"b":[2]} , {"c":"}"},{"d":4}]`
	for name, tc := range map[string]struct {
		list string
		met  []bool
	}{
		"the same":            {before, []bool{true, true, true, true}},
		"other white space":   {`[ {"a":1},{"b":[2]},{"c":"}"},{"d":4} ]`, []bool{true, true, true, true}},
		"one is another":      {`[{"a":1},{"b":[3]},{"c":"}"},{"d":4}]`, []bool{true, false, true, true}},
		"one is longer":       {`[{"a":1},{"b":[2,3,4]},{"c":"}"},{"d":4}]`, []bool{true, false, true, true}},
		"one begins the same": {`[{"a":1},{"b":[2]},{"c":"}"},{"d":4,"e":5}]`, []bool{true, true, true, false}},
		"one is shorter":      {`[{"a":1},{"b":[2]},{"c":"}"},{}]`, []bool{true, true, true, false}},
		"one more":            {`[{"a":1},{"b":[2]},{"c":"}"},{"d":4},{"e":5}]`, []bool{true, true, true, true, false}},
		"one less":            {`[{"a":1},{"c":"}"},{"d":4}]`, []bool{true, false, false}},
		"none":                {`[]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var known []mark
			read := func(body io.Reader, known []mark) (entries []string, marks []mark, met []bool) {
				s := splitter{r: body, known: known}
				if err := s.list(10, func(_ int, raw []byte) error {
					entries, marks = append(entries, string(raw)), append(marks, mark{hash(raw), len(raw)})
					met = append(met, s.met != mark{})
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return entries, marks, met
			}
			_, known, _ = read(strings.NewReader(before), nil)
			want, _, _ := read(strings.NewReader(tc.list), nil)
			for _, body := range []io.Reader{strings.NewReader(tc.list), iotest.OneByteReader(strings.NewReader(tc.list))} {
				got, _, met := read(body, known)
				if !slices.Equal(got, want) || !slices.Equal(met, tc.met) {
					t.Errorf("entries %q, want %q; known %v, want %v", got, want, met, tc.met)
				}
			}
		})
	}
}

// A list that is too long to be held is known by its entries the next time.
func TestLongList(t *testing.T) {
	t.Parallel()
	one := `{"id":"` + strings.Repeat("x", 1<<20) + `"}`
	body := "[" + strings.Repeat(one+",", 9) + "{}]"
	var l listing
	known := Fingerprint{}
	for n, another := range []string{body, body, strings.Replace(body, "{}", `{"id":"a"}`, 1), "[" + one + "]"} {
		is, err := l.read(strings.NewReader(another), known, func(e Entry) error {
			if e.Hash() != hash(e.Raw) {
				t.Errorf("listing %d: the hash is of something else", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if long := len(another) >= maxHeld; (is.entries != nil) != long || long && len(*is.entries) != 10 {
			t.Errorf("listing %d: %+v", n, is)
		}
		known = is
	}
	begin := mark{hash([]byte(body[1:11])), 10}
	if _, err := l.read(strings.NewReader(body), Fingerprint{entries: &[]mark{begin}}, func(e Entry) error {
		if len(e.Raw) != begin.size {
			t.Errorf("an entry of %d bytes, not what was known of it", len(e.Raw))
		}
		return nil
	}); err == nil {
		t.Error("what follows a known entry was not looked at")
	}
}

// Whether a list is too long to be held its bytes say, whatever is between its entries.
func TestHowLongAListIs(t *testing.T) {
	t.Parallel()
	one := `{"id":"` + strings.Repeat("x", 1<<20) + `"}`
	entries := strings.Repeat(one+",", 7)
	fill := func(size int) string { // one entry more, so that all have that many bytes
		const rest = `[{"id":""}]`
		return "[" + entries + `{"id":"` + strings.Repeat("y", size-len(entries)-len(rest)) + `"}]`
	}
	for name, tc := range map[string]struct {
		body string
		long bool
	}{
		"one byte less":               {fill(maxHeld - 1), false},
		"as long as is held":          {fill(maxHeld), true},
		"white space makes it longer": {"[" + strings.ReplaceAll(entries, ",", ","+strings.Repeat(" ", 60<<10)) + one + strings.Repeat(" ", 60<<10) + "]" + strings.Repeat("\n", 60<<10), true},
		"a line end makes it longer":  {fill(maxHeld-1) + "\n", true},
		"the space before the list":   {strings.Repeat(" ", 100) + fill(maxHeld-100), true},
		"white space, but not enough": {fill(maxHeld-100) + strings.Repeat(" ", 99), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if long := len(tc.body) >= maxHeld; long != tc.long {
				t.Fatalf("%d bytes", len(tc.body))
			}
			var l listing
			known := Fingerprint{}
			for n := range 4 {
				is, err := l.read(strings.NewReader(tc.body), known, func(Entry) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				if (is.entries != nil) != tc.long || !tc.long && is != FingerprintOf([]byte(tc.body)) {
					t.Errorf("listing %d: %+v", n, is)
				}
				known = is
			}
		})
	}
}
