package storageos

import (
	"fmt"
	"strings"
	"testing"
)

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

func TestEndpointErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"http://me:s3cr3t@host", "me:s3cr3t@host:%zz", "http://me:s3cr3t@ho st"} {
		if _, err := ParseEndpoint(endpoint); err == nil || strings.Contains(fmt.Sprint(err), "s3cr3t") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
