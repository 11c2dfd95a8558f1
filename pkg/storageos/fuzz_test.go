package storageos

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"
)

// A body is a list if and only if it is one whole JSON array of objects; the
// entries are the array's, byte for byte. What is no JSON inside an entry is for
// whoever decodes it.
func FuzzReadList(f *testing.F) {
	for _, s := range []string{
		``, ` `, `null`, `{}`, `[]`, ` [ ] `, `[{"id":"a"},{"id":"b"}]`, `[{"a":"}\\\""} , {"b":[{}]} ]`, `[1 , [2] ,"3"]`, `[{"id":"a"}`, `[{"id":"a"},`, `[{}]]`,
		`[{"id":"a","x":[1.5e-3,true,null,{"id":"b"}]},{"ID":"\u0061\n","name":"n"},{"id":"a","id":null}]`, `[{"id":"a" "b":1}]`, `[{"id":"\x"}]`, `[{"i\u0064":"a","id":7}]`,
		`[1 2]`, `[,1]`, `[1,]`, `[1}`, `[][]`, `[]x`, "[\"\xff\"]", `["\ud800"]`, "\ufeff[]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, known := range [][]mark{nil, marksOf(body, 0), marksOf(body, 1)} {
			checkList(t, body, known)
		}
		for _, most := range []int{1, 2, 20} {
			checkLarge(t, body, most, nil)
			checkLarge(t, body, most, marksOf(body, 0))
		}
	})
}

// marksOf are what the entries of a list are, but for some at its begin.
func marksOf(body []byte, without int) (known []mark) {
	_ = readList(bytes.NewReader(body), len(body), func(n int, raw []byte) error {
		if n >= without {
			known = append(known, mark{hash(raw), len(raw)})
		}
		return nil
	})
	return known
}

// checkList reads what may be a list, of which something is known.
func checkList(t *testing.T, body []byte, known []mark) {
	t.Helper()
	var got [][]byte
	err := (&splitter{r: bytes.NewReader(body), known: known}).list(len(body), func(n int, raw []byte) error {
		if n != len(got) {
			t.Errorf("entry %d, the %d., is %q", n, len(got), raw)
		}
		got = append(got, bytes.Clone(raw))
		return json.Unmarshal(raw, new(any))
	})
	var want []json.RawMessage
	isList := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) && json.Unmarshal(body, &want) == nil
	for _, raw := range want {
		isList = isList && raw[0] == '{'
	}
	if (err == nil) != isList {
		t.Fatalf("%q: error %v, a list: %v", body, err, isList)
	}
	if isList && len(got) != len(want) {
		t.Fatalf("%q: %d entries, want %d", body, len(got), len(want))
	}
	for i := range want {
		if isList && !bytes.Equal(got[i], want[i]) {
			t.Errorf("%q: entry %d is %q, want %q", body, i, got[i], want[i])
		}
	}
}

// An endpoint that is taken is a URL that says the same, of a host that holds nothing but
// letters, digits, hyphens and dots, or is an IPv6 address.
func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"storageos", "https://a.b:443/", "[fe80::1%25eth0]:1", "http://u:p@h", "$(X)", "a:080", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseEndpoint(s)
		if err != nil {
			return // no error is made of what was given
		}
		again, err := ParseEndpoint(u.String())
		if err != nil || *again != *u {
			t.Errorf("%q is %v, which is %v, %v", s, u, again, err)
		}
		host := u.Hostname()
		_, notIP := netip.ParseAddr(host)
		if notIP != nil && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Errorf("%q: host %q", s, host)
		}
	})
}

// checkLarge reads a list of which entries of more than so many bytes are not held: it
// is a list all the same, an ID and a name are read out of an entry that is JSON exactly if
// encoding/json can read them there, and an entry has the hash that it would have if it
// were held.
func checkLarge(t *testing.T, body []byte, most int, known []mark) {
	t.Helper()
	var held [][]byte
	heldErr := readList(bytes.NewReader(body), len(body), func(_ int, raw []byte) error {
		held = append(held, bytes.Clone(raw))
		return nil
	})
	n := 0
	s := &splitter{r: iotest.HalfReader(bytes.NewReader(body)), known: known, most: most}
	err := s.list(len(body), func(_ int, raw []byte) error {
		whole := held[n]
		n++
		if large := len(whole) > most; large != (s.tooLarge() != nil) || large && s.large != (mark{hash(whole), len(whole)}) {
			t.Fatalf("%q: an entry of %d bytes is %+v", body, len(whole), s.large)
		}
		id, idErr := entryID(0, raw)
		name, nameErr := entryName(0, raw)
		wantID, wantIDErr := entryID(0, whole)
		wantName, wantNameErr := entryName(0, whole)
		if !json.Valid(whole) || len(whole) > mostSkimmed {
			return nil
		}
		if id != wantID || (idErr == nil) != (wantIDErr == nil) {
			t.Fatalf("%q: ID %q, %v; want %q, %v", whole, id, idErr, wantID, wantIDErr)
		}
		if name != wantName || (nameErr == nil) != (wantNameErr == nil) {
			t.Fatalf("%q: name %q, %v; want %q, %v", whole, name, nameErr, wantName, wantNameErr)
		}
		return nil
	})
	if (err == nil) != (heldErr == nil) || n != len(held) {
		t.Fatalf("%q: %d entries, %v; want %d, %v", body, n, err, len(held), heldErr)
	}
}

// An entry that is not held has the ID and the name that encoding/json finds in it.
func FuzzLargeEntry(f *testing.F) {
	for _, s := range []string{
		`"id":"a"`, `"x":{"id":"b"},"id":"a"`, `"x":"\"id\":\"b\"","Id":"\u0061\ud83d\ude00"`, `"id":"a","id":"b","name":7`, `"id":null,"iD":"\ud800"`, `"id":["a"]`,
		`"a":-0.5E+10,"b":[true,false,null,[],{}],"id" : "a" `, `"a":01`, `"a":1.`, `"a":1e`, `"a":tru`, `"a":"\u12"`, `"a":[}`, `"a":{]`, `"a",`, `,"a":1`, `"a":1,`, "\"id\":\"\xff\"", "\"a\":\"\n\"",
		`"id":"` + strings.Repeat("x", maxName+1) + `"`, `"name":"` + strings.Repeat(`\u0041`, maxName) + `"`, `"a":` + strings.Repeat("[", 50),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, inside []byte) {
		checkLarge(t, slices.Concat([]byte("[{"), inside, []byte("},{}]")), 1, nil)
	})
}

// Whatever a login answers, a token is a part of its header, and its life is
// more than nothing and less than for ever.
func FuzzSession(f *testing.F) {
	f.Add("Bearer abc", "300", "", uint64(0))
	f.Add("bearer  abc ", "", "300", uint64(0))
	f.Add("abc", "-1", "0", uint64(300))
	f.Add("Bearer", "1e9", "99999999999999999999", uint64(1)<<63)
	f.Add("", " 5 ", "five", uint64(1))
	f.Fuzz(func(t *testing.T, header, seconds, in string, body uint64) {
		token := bearer(header)
		if !strings.Contains(header, token) || strings.TrimSpace(token) != token || strings.EqualFold(token, "bearer") && !strings.Contains(strings.TrimSpace(header), " ") {
			t.Errorf("%q: token %q", header, token)
		}
		life := expiry(http.Header{"Authorization-Expires-Seconds": {seconds}, "Authorization-Expires-In": {in}}, body)
		if life < time.Second || life > 365*24*time.Hour {
			t.Errorf("%q, %q, %d: life %v", seconds, in, body, life)
		}
	})
}

// The error of any answer is one short line, without the secret, and a proof of
// absence only if it is the API's own 404.
func FuzzAPIError(f *testing.F) {
	f.Add(404, "application/json", []byte(`{"error":"no such volume"}`))
	f.Add(404, "application/json", []byte(`{"Error":"no"}`))
	f.Add(404, "text/html", []byte(`<html>`))
	f.Add(403, "text/html", []byte(`<html>`))
	f.Add(403, "application/problem+json; charset=utf-8", []byte(`{"error":"s3cr3t\n"}`))
	f.Add(-1, ";", []byte("{\"error\":\"\xff\u202e\"}"))
	f.Fuzz(func(t *testing.T, code int, contentType string, body []byte) {
		resp := &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {contentType}}}
		err := apiError("GET /x", resp, body, "s3cr3t")
		text := err.Error()
		if n := utf8.RuneCountInString(text); n > maxErrorMessage+150 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, "s3cr3t") {
			t.Errorf("%q", text)
		}
		var fields map[string]any
		_ = json.Unmarshal(body, &fields)
		_, own := fields["error"].(string)
		if IsNotFound(err) && (code != http.StatusNotFound || !own) {
			t.Errorf("%d %q is a proof", code, body)
		}
		if IsForbidden(err) && (code != http.StatusForbidden || !own) {
			t.Errorf("%d %q is a refusal of the API", code, body)
		}
	})
}

// A volume that can be decoded has the ID that its entry in a list has; the
// error of another is one short line.
func FuzzDecodeVolume(f *testing.F) {
	for _, s := range []string{
		`{"id":"a","sizeBytes":18446744073709551615,"labels":{"a":"b"},"createdAt":"2020-01-02T03:04:05Z"}`,
		`{"id":"a","master":{"id":"m","nodeID":"n","hostname":"h","health":"online"},"replicas":[{"hostname":"h","syncProgress":{"bytesRemaining":1}}]}`,
		`{"id":"a","replicas":null,"nfs":{"exports":[{"exportID":1,"acls":[{"identity":{}}]}]},"snapshots":[{}]}`,
		`{"id":7}`, `{"ID":"a"}`, `{"id":"a","id":"b"}`, `{"id":"a","labels":{"\n":1}}`, `{"id":"a","createdAt":"\u0000"}`, `{"id":"a","fsType":7}`, `null`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := DecodeVolume(raw)
		if err != nil {
			if text := err.Error(); v != nil || utf8.RuneCountInString(text) > 2*maxErrorMessage+50 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q: %q", raw, text)
			}
			return
		}
		if id, err := entryID(0, raw); err != nil || id != v.Id {
			t.Errorf("%q: ID %q, in a list %q, %v", raw, v.Id, id, err)
		}
	})
}
