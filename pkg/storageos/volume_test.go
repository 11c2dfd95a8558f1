package storageos

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

func TestDecodeVolume(t *testing.T) {
	t.Parallel()
	v, err := DecodeVolume([]byte(`{"id":"a","attachedOnHost":"h1","master":{"hostname":"h2","health":"online"},
		"replicas":[{"id":"r","hostname":"h3"}],"sizeBytes":18446744073709551615,"snapshots":[1],"topologyLabels":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{v.AttachedOnHost, v.Master.Hostname, string(v.Master.Health), v.Replicas[0].Hostname, v.Replicas[0].Id, fmt.Sprint(v.SizeBytes)}
	if diff := cmp.Diff([]string{"h1", "h2", "online", "h3", "r", "18446744073709551615"}, got); diff != "" {
		t.Errorf("a newer server's volume (-want +got):\n%s", diff)
	}
	for raw, want := range map[string]string{
		`{"id":"a","sizeBytes":"5Gi"}`:                                    "field sizeBytes cannot be a string",
		`{"id":"a","sizeBytes":-1}`:                                       "field sizeBytes cannot be a number -1",
		`{"id":"a","sizeBytes":1.5}`:                                      "field sizeBytes cannot be a number 1.5",
		`{"id":"a","sizeBytes":18446744073709551616}`:                     "field sizeBytes cannot be a number 18446744073709551616",
		`{"id":"a","replicas":[{"syncProgress":{"bytesRemaining":"x"}}]}`: "field replicas.syncProgress.bytesRemaining cannot be a string",
		`{"id":"a","master":[]}`:                                          "field master cannot be a array",
		`{"master":{"health":1}}`:                                         "field master.health cannot be a number",
		`{"id":"a","labels":{"x":1}}`:                                     "labels",
		`{"id":7}`:                                                        "field id cannot be a number",
		`{"id":"a","replicas":{}}`:                                        "field replicas cannot be a object",
		`{"id":"a","nfs":{"exports":1}}`:                                  "field nfs.exports cannot be a number",
		`{"id":"a","createdAt":"today"}`:                                  "field createdAt is not a time",
		`{"id":"a","updatedAt":5}`:                                        "field updatedAt is not a time",
		`{"id":"a","createdAt":null}`:                                     "",
		`{"id":`:                                                          "decoding a volume: unexpected end",
		`{}`:                                                              "it has no ID",
		`null`:                                                            "it has no ID",
		`{"id":"a","replicas":null}`:                                      "",
		`{"id":"a","nfs":null,"zzz":{}}`:                                  "",
	} {
		_, err := DecodeVolume([]byte(raw))
		checkError(t, raw, err, want)
	}
}

// An ID that is part of a path leads nowhere else.
func TestStrangeIDs(t *testing.T) {
	t.Parallel()
	for id, path := range map[string]string{ // "": nothing is asked
		"": "", ".": "", "..": "",
		"a": "a", "...": "...", "../..": "..%2F..", "a/b": "a%2Fb", "/": "%2F", "a/../b": "a%2F..%2Fb",
		"a?b=c": "a%3Fb=c", "?": "%3F", "a#b": "a%23b", "%": "%25", "a%2fb": "a%252fb", "%2e%2e": "%252e%252e",
		"a b": "a%20b", "ü": "%C3%BC", `a\b`: "a%5Cb", "a\nb": "a%0Ab", "a;b": "a%3Bb", "http://a": "http:%2F%2Fa",
	} {
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				sim.AddFault(simulator.Fault{Match: simulator.Match{Method: http.MethodGet}, Effect: simulator.Status(404, "no"), Count: simulator.Always})
				var asked []string
				c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet {
						asked = append(asked, r.RequestURI)
					}
					sim.ServeHTTP(w, r)
				}), nil)
				_, _, inVolume := c.Volume(t.Context(), "ns", id)
				_, _, inNamespace := c.Volume(t.Context(), id, "v")
				_, inList := listVolumes(t, c, id)
				want := []string{"/v2/namespaces/ns/volumes/" + path, "/v2/namespaces/" + path + "/volumes/v", "/v2/namespaces/" + path + "/volumes"}
				if path == "" {
					want = nil
				}
				if diff := cmp.Diff(want, asked); diff != "" {
					t.Errorf("paths (-want +got):\n%s", diff)
				}
				for _, err := range []error{inVolume, inNamespace, inList} {
					if err == nil || path == "" && IsNotFound(err) || strings.ContainsAny(err.Error(), "\n") {
						t.Errorf("error %q", err)
					}
				}
			})
		})
	}
}

// What is not the volume that was asked for is an error, and no proof of
// anything.
func TestVolume(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect   simulator.Effect
		err      string
		notFound bool
	}{
		"it":                {simulator.JSON(`{"id":"a","name":"b"}`), "", false},
		"another":           {simulator.JSON(`{"id":"A"}`), "GET /namespaces/ns/volumes/a: the answer is another volume: A", false},
		"without an ID":     {simulator.JSON(`{"name":"a"}`), "it has no ID", false},
		"empty":             {simulator.JSON(``), "unexpected end of JSON", false},
		"null":              {simulator.JSON(`null`), "it has no ID", false},
		"a list":            {simulator.JSON(`[{"id":"a"}]`), "it is no object but a JSON array", false},
		"two":               {simulator.JSON(`{"id":"a"}{"id":"a"}`), "after top-level value", false},
		"cut":               {simulator.Chain(simulator.CutAfter(5), simulator.JSON(`{"id":"a"}`)), "unexpected EOF", false},
		"too large":         {simulator.JSON(`{"id":"a","name":"` + strings.Repeat("b", maxObject) + `"}`), "the body has more than 8388608 bytes", false},
		"no JSON":           {simulator.Plain(200, `{"id":"a"}`), "not JSON", false},
		"gone":              {simulator.Status(404, "no such volume"), "404 Not Found: no such volume", true},
		"gone, says HTML":   {simulator.HTML(404), "404 Not Found (not", false},
		"gone, half-said":   {simulator.Chain(simulator.CutAfter(5), simulator.Status(404, "no such volume")), "404 Not Found (not", false},
		"gone, says no one": {simulator.Page(404, "application/json", ""), "404 Not Found (not", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				c := newClient(t, sim, nil)
				sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolume}, Effect: tc.effect})
				raw, v, err := c.Volume(t.Context(), "ns", "a")
				checkError(t, "asking", err, tc.err)
				if IsNotFound(err) != tc.notFound {
					t.Errorf("not found: %v", IsNotFound(err))
				}
				if err == nil && (v.Name != "b" || string(raw) != `{"id":"a","name":"b"}`) || err != nil && (v != nil || raw != nil) {
					t.Errorf("it is %s: %+v", raw, v)
				}
			})
		})
	}
}
