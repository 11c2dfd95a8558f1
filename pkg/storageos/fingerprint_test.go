package storageos

import (
	"io"
	"net/http"
	"strings"
	"testing"
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
				if !tc.fails && (again == is) != (tc.first == tc.second) {
					t.Errorf("fingerprints %v, %v", is, again)
				}
				if tc.fails && again != (Fingerprint{}) {
					t.Errorf("a list that is not whole has the fingerprint %v", again)
				}
			})
		})
	}
}
