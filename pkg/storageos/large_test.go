package storageos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A large entry costs only itself: it is known by its ID, and what stands behind it is
// read.
func TestLargeEntry(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("x", maxEntry)
	large := func(before, after string) string {
		return `{` + before + `"labels":{"l":"` + label + `"}` + after + `}`
	}
	b := large(`"id":"b",`, ``)
	for name, tc := range map[string]struct {
		list string
		ids  []string // + is large
		err  string
	}{
		"between":                 {`[{"id":"a"},` + b + `,{"id":"c"}]`, []string{"a", "b+", "c"}, ""},
		"first":                   {`[` + b + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"last":                    {`[{"id":"a"},` + b + `]`, []string{"a", "b+"}, ""},
		"alone":                   {`[` + b + `]`, []string{"b+"}, ""},
		"two":                     {`[` + b + `,` + large(`"id":"d",`, ``) + `,{"id":"c"}]`, []string{"b+", "d+", "c"}, ""},
		"the ID comes last":       {`[` + large(``, `,"id":"b"`) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"a large description":     {`[{"description":"` + label + `\"","id":"b"},{"id":"c"}]`, []string{"b+", "c"}, ""},
		"large lists":             {`[{"x":[` + strings.Repeat(`[{"id":"no"},[1,2.5e3,null]],`, maxEntry/16) + `0],"id":"b"},{"id":"c"}]`, []string{"b+", "c"}, ""},
		"a long key":              {`[{"` + label + `":"id","id":"b"},{"id":"c"}]`, []string{"b+", "c"}, ""},
		"in a text":               {`[` + large(`"x":"\"id\":\"no\"","id":"b",`, ``) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"with escapes":            {`[` + large("\"\\u0069d\" \n:\t\"\\u0062\\\"\" ,", ``) + `,{"id":"c"}]`, []string{`b"+`, "c"}, ""},
		"twice, the last counts":  {`[` + large(`"id":"no",`, `,"id":"b"`) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"large and small":         {`[{"id":"b"},` + b + `,{"id":"c"}]`, []string{"b", "b+", "c"}, ""},
		"backslashes at its ends": {`[{"id":"b","x":"` + strings.Repeat(`\\`, maxEntry) + `"},{"id":"c"}]`, []string{"b+", "c"}, ""},
		"no ID":                   {`[` + large(``, ``) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"a nested ID only":        {`[` + large(`"x":{"id":"no"},`, ``) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"a number":                {`[` + large(`"id":"no",`, `,"id":7`) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"null":                    {`[` + large(`"id":"no",`, `,"id":null`) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"too long":                {`[` + large(`"id":"`+strings.Repeat("x", maxName+1)+`",`, ``) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"the label is the ID":     {`[{"id":"` + label + `"},{"id":"c"}]`, []string{"?+", "c"}, ""},
		"no JSON":                 {`[` + large(`"id":"b" "x",`, ``) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"no JSON inside":          {`[` + large(`"id":"b","x":[1 2],`, ``) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"a number of megabytes":   {`[{"id":"b","sizeBytes":` + strings.Repeat("1", maxEntry) + `},{"id":"c"}]`, []string{"b+", "c"}, ""},
		"many fields":             {`[` + large(`"id":"b",`+strings.Repeat(`"x":1,`, 100_000), ``) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"many texts":              {`[` + large(`"id":"b",`+strings.Repeat(`"x":"`+strings.Repeat("y", 6000)+`",`, 100), ``) + `,{"id":"c"}]`, []string{"b+", "c"}, ""},
		"too many fields":         {`[` + large(`"id":"b",`+strings.Repeat(`"x":1,`, mostSkimmed/6), ``) + `,{"id":"c"}]`, []string{"?+", "c"}, ""},
		"cut in it":               {`[{"id":"a"},` + b[:len(b)-3], []string{"a"}, "of the list: unexpected EOF"},
		"cut behind it":           {`[{"id":"a"},` + b, []string{"a", "b+"}, "the list does not end"},
		"broken behind it":        {`[{"id":"a"},` + b + `}`, []string{"a", "b+"}, "the list goes on with '}'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Of more than maxHeld bytes, it is read as it streams.
			filler := `{"id":"f","x":"` + strings.Repeat("f", 3<<20) + `"},`
			for way, list := range map[string]string{"held": tc.list, "streamed": "[" + strings.Repeat(filler, 3) + tc.list[1:]} {
				var l listing
				var hashes []uint64
				ids := func(known Fingerprint) (ids []string, is Fingerprint, err error) {
					hashes = nil
					is, err = l.read(strings.NewReader(list), known, func(e Entry) error {
						id, err := e.ID()
						if err != nil {
							id = "?"
						}
						if e.Err != nil {
							id += "+"
							checkError(t, "the entry", e.Err, "it has more than 4194304 bytes")
							if len(e.Raw) > mostSkimmed {
								t.Errorf("%d bytes of it are kept", len(e.Raw))
							}
						}
						if id != "f" {
							ids, hashes = append(ids, id), append(hashes, e.Hash())
						}
						return nil
					})
					return ids, is, err
				}
				got, is, err := ids(Fingerprint{})
				checkError(t, way, err, tc.err)
				if !slices.Equal(got, tc.ids) {
					t.Errorf("%s: IDs %q, want %q", way, got, tc.ids)
				}
				before := hashes
				if got, _, err = ids(is); err == nil && len(got) > 0 && !slices.Equal(hashes, before) {
					t.Errorf("%s: unchanged, it has hashes %v, and had %v", way, hashes, before)
				} else if err == nil && way == "held" && len(list) < maxHeld && len(got) > 0 {
					t.Errorf("%s: %q are handed over again", way, got)
				}
			}
		})
	}
}

// A namespace or a node with a large label is listed like any other.
func TestLargeNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := `[{"id":"a","name":"one"},{"labels":{"l":"` + strings.Repeat("x", maxEntry) + `"},"id":"b","name":"t\u0077o"},{"id":"c"}]`
		c := bodies(t, &body)
		namespaces, err := c.Namespaces(t.Context())
		if want := []Namespace{{Id: "a", Name: "one"}, {Id: "b", Name: "two"}, {Id: "c"}}; err != nil || fmt.Sprint(namespaces) != fmt.Sprint(want) {
			t.Errorf("namespaces %v, %v", namespaces, err)
		}
		nodes, err := c.Nodes(t.Context())
		if want := map[string]string{"a": "one", "b": "two", "c": ""}; err != nil || fmt.Sprint(nodes) != fmt.Sprint(want) {
			t.Errorf("nodes %v, %v", nodes, err)
		}
		body = `[{"labels":{"l":"` + strings.Repeat("x", maxEntry) + `"},"id":7}]`
		_, err = c.Namespaces(t.Context())
		checkError(t, "namespaces", err, "entry 0 of the list has no readable ID")
		_, err = c.Nodes(t.Context())
		checkError(t, "nodes", err, "entry 0 of the list has no readable ID")
	})
}

// A volume that is asked for by its ID is read whole or not at all.
func TestLargeVolume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := `{"id":"a","description":"` + strings.Repeat("x", maxObject) + `"}`
		c := bodies(t, &body)
		_, _, err := c.Volume(t.Context(), "ns", "a")
		checkError(t, "volume", err, "the body has more than 8388608 bytes")
		if IsNotFound(err) || errors.As(err, new(*APIError)) {
			t.Errorf("it counts as an answer: %v", err)
		}
	})
}
