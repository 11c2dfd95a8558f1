package storageos

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// What is not one whole array is an error, whatever it showed before.
func TestReadList(t *testing.T) {
	t.Parallel()
	large := `{"id":"` + strings.Repeat("x", maxEntry) + `"}`
	for name, tc := range map[string]struct {
		body    string
		entries int
		err     string
	}{
		"no entries":         {`[]`, 0, ""},
		"entries":            {` [ {"id":"a"} , {"id":"b"} ] ` + "\n", 2, ""},
		"empty":              {``, 0, "empty"},
		"white space":        {" \n", 0, "empty"},
		"null":               {`null`, 0, "begins with null"},
		"an object":          {`{"id":"a"}`, 0, "begins with an object"},
		"a string":           {`"a"`, 0, "not a list"},
		"HTML":               {`<html>`, 0, "not a list"},
		"cut in an entry":    {`[{"id":"a"},{"id":`, 1, "entry 1"},
		"cut between":        {`[{"id":"a"},`, 1, "entry 1"},
		"no end":             {`[{"id":"a"}`, 1, "does not end"},
		"something after":    {`[{"id":"a"}]]`, 1, "follows"},
		"another list":       {`[][]`, 0, "follows"},
		"broken":             {`[{"id":"a"},}]`, 1, "entry 1"},
		"an entry too large": {`[{"id":"a"},` + large + `]`, 1, "more than"},
		"too many":           {`[1,2,3,4]`, 3, "more than 3 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, body := range map[string]io.Reader{
				"whole":  strings.NewReader(tc.body),
				"halves": iotest.HalfReader(strings.NewReader(tc.body)),
			} {
				n := 0
				err := readList(body, 3, func(int, []byte) error { n++; return nil })
				if n != tc.entries {
					t.Errorf("%s: %d entries, want %d", way, n, tc.entries)
				}
				if got := fmt.Sprint(err); tc.err == "" && err != nil || !strings.Contains(got, tc.err) && tc.err != "" {
					t.Errorf("%s: error %v, want %q", way, err, tc.err)
				}
			}
		})
	}
}

func TestEntryID(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"id":"a","sizeBytes":"no number"}`: "a",
		`{"id":""}`:                          "", `{"id":7}`: "", `{"id":null}`: "", `{}`: "", `7`: "", `null`: "",
	} {
		if got, err := entryID(3, []byte(raw)); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"storageos":         "http://storageos:5705",
		"10.0.0.1:80":       "http://10.0.0.1:80",
		"https://a.b":       "https://a.b:5705",
		"https://a.b:443/":  "https://a.b:443",
		"[::1]:5705":        "http://[::1]:5705",
		"http://[::1]":      "http://[::1]:5705",
		"":                  "",
		" ":                 "",
		"ftp://a":           "",
		"http://":           "",
		"a:0":               "",
		"a:70000":           "",
		"a:b":               "",
		"a:":                "",
		"http://u:secret@a": "",
		"http://a/v2":       "",
		"http://a?b":        "",
		"http://a#b":        "",
		"u:secret@a:x y":    "",
	} {
		u, err := ParseEndpoint(s)
		if err != nil {
			if want != "" || strings.Contains(err.Error(), "secret@") {
				t.Errorf("%q: %v", s, err)
			}
			continue
		}
		if u.String() != want {
			t.Errorf("%q: %s, want %q", s, u, want)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "abc": "abc", "": "", "Bearer": "", "Bearer ": "",
	} {
		if got := bearer(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		body   uint64
		want   time.Duration
	}{
		"header":            {http.Header{"Authorization-Expires-Seconds": {"60"}}, 9, time.Minute},
		"its other name":    {http.Header{"Authorization-Expires-In": {"60"}}, 9, time.Minute},
		"body":              {nil, 90, 90 * time.Second},
		"unreadable header": {http.Header{"Authorization-Expires-Seconds": {"soon"}}, 90, 90 * time.Second},
		"nothing":           {nil, 0, defaultExpiry},
		"for ever":          {nil, 1 << 63, 365 * 24 * time.Hour},
	} {
		if got := expiry(tc.header, tc.body); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
