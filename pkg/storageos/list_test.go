package storageos

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
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
		"numbers":            {`[1]`, 0, "entry 0 of the list: it is no object"},
		"lists":              {`[{},[]]`, 1, "entry 1 of the list: it is no object"},
		"no comma":           {`[{"id":"a"} {"id":"b"}]`, 1, "after entry 0 the list goes on with '{'"},
		"brackets in a text": {`[{"id":"}]\\\"{\\"},{"id":"[\"]"}]`, 2, ""},
		"HTML":               {`<html>`, 0, "not a list"},
		"cut in an entry":    {`[{"id":"a"},{"id":`, 1, "entry 1"},
		"cut between":        {`[{"id":"a"},`, 1, "entry 1 of the list: unexpected EOF"},
		"no end":             {`[{"id":"a"}`, 1, "does not end"},
		"something after":    {`[{"id":"a"}]]`, 1, "follows"},
		"another list":       {`[][]`, 0, "follows"},
		"broken":             {`[{"id":"a"},}]`, 1, "entry 1"},
		"a large entry":      {`[{"id":"a"},` + large + `,{}]`, 3, ""},
		"a large one, cut":   {`[{"id":"a"},` + large[:len(large)-1], 1, "entry 1 of the list: unexpected EOF"},
		"too many":           {`[{},{},{},{}]`, 3, "more than 3 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, body := range map[string]io.Reader{
				"whole":  strings.NewReader(tc.body),
				"halves": iotest.HalfReader(strings.NewReader(tc.body)),
				"bytes":  iotest.OneByteReader(strings.NewReader(tc.body)),
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
