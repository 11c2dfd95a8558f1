package record

import (
	"strings"
	"testing"
)

func TestParseHandle(t *testing.T) {
	t.Parallel()
	for handle, want := range map[string][2]string{
		"ns/vol": {"ns", "vol"}, "": {}, "vol": {}, "/vol": {}, "ns/": {}, "a/b/c": {},
	} {
		ns, vol, ok := ParseHandle(handle)
		if got := [2]string{ns, vol}; got != want || ok != (want != [2]string{}) {
			t.Errorf("parseHandle(%q) = %q, %v; want %q", handle, got, ok, want)
		}
	}
}

// A handle is two IDs, or none of ours.
func FuzzParseHandle(f *testing.F) {
	for _, handle := range []string{"", "/", "a/b", "a/b/c", "a", "/b", "a/"} {
		f.Add(handle)
	}
	f.Fuzz(func(t *testing.T, handle string) {
		ns, id, ok := ParseHandle(handle)
		if ok && (ns+"/"+id != handle || strings.Contains(id, "/") || ns == "" || id == "") || !ok && ns+id != "" {
			t.Errorf("%q: %q, %q, %v", handle, ns, id, ok)
		}
	})
}
