package storageos

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"strings"
)

// maxNesting is how deep encoding/json lets the brackets of a value be.
const maxNesting = 10_000

// skimmer reads an entry that is too large to be held, piece by piece. It finds its end
// as scan does, hashes it, checks that it is JSON, and keeps its ID and its name: what
// encoding/json would find for them, wherever they stand at its top level.
//
// Invariant: what it holds is bounded by maxNesting and maxName, whatever it reads.
type skimmer struct {
	size int // bytes passed
	hash maphash.Hash

	depth   int  // of the brackets
	text    bool // in a string
	escaped bool // behind a backslash in one
	hex     int  // digits that are missing behind a \u

	broken bool   // it is no JSON: only its end is looked for
	want   want   // what may come next
	open   []byte // the brackets around it
	word   string // what is missing of true, false or null
	number digits // where in a number it is

	token   []byte // the string that is kept, as it was sent
	most    int    // bytes of it; 0: it is not kept
	id      field
	name    field
	reading *field // whose value comes next
}

// want is what JSON lets come next, outside strings, numbers and words.
type want byte

const (
	wantValue      want = iota
	wantValueOrEnd      // behind [
	wantKeyOrEnd        // behind {
	wantKey             // behind the comma of an object
	wantColon
	wantNext // a comma or a closing bracket
)

// field is what an entry says of one of its fields: the last value, as JSON, and whether
// any was no string.
type field struct {
	value []byte
	wrong bool
}

const (
	longestKey   = len(`"name"`) * len(`\u0000`) // bytes of one that may be meant
	longestValue = maxName*len(`\u0000`) + len(`""`)
)

// tooLong stands for a string that is longer than any that is kept.
var tooLong = []byte(`"` + strings.Repeat("x", maxName+1) + `"`)

func newSkimmer() *skimmer {
	k := &skimmer{}
	k.hash.SetSeed(seed)
	return k
}

// pass reads on, and returns how many bytes of b belong to the entry and whether it ends
// there.
func (k *skimmer) pass(b []byte) (n int, ended bool) {
	for n < len(b) && !ended {
		if k.text {
			n += k.inString(b[n:])
		} else {
			ended = k.outside(b[n])
			n++
		}
	}
	_, _ = k.hash.Write(b[:n]) // it never fails
	k.size += n
	return n, ended
}

// mark is what the entry was.
func (k *skimmer) mark() mark { return mark{max(k.hash.Sum64(), 1), k.size} }

// rest is an object with the ID and the name of the entry only: what can be read of both
// is the same.
func (k *skimmer) rest() []byte {
	if k.broken {
		return []byte("{}")
	}
	return []byte(`{"id":` + k.id.json() + `,"name":` + k.name.json() + `}`)
}

func (f field) json() string {
	switch {
	case f.wrong:
		return "0"
	case len(f.value) == 0:
		return "null"
	}
	return string(f.value)
}

// plain tells what a string may have that means only itself.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return is
}()

// inString reads on in a string and returns how many bytes it has passed, at least one.
func (k *skimmer) inString(b []byte) int {
	c := b[0]
	switch {
	case k.escaped:
		k.escaped = false
		k.broken = k.broken || strings.IndexByte(`"\/bfnrtu`, c) < 0
		if c == 'u' {
			k.hex = 4
		}
	case k.hex > 0 && isHex(c):
		k.hex--
	case k.hex > 0:
		k.hex, k.broken = 0, true
		return k.inString(b)
	case c == '"':
		k.text = false
		k.keep(b[:1])
		k.closeString()
		return 1
	case c == '\\':
		k.escaped = true
	case c < ' ':
		k.broken = true
	default:
		n := 1
		for n < len(b) && plain[b[n]] {
			n++
		}
		k.keep(b[:n])
		return n
	}
	k.keep(b[:1])
	return 1
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// keep takes what was read of a string that may matter, until it is too long.
func (k *skimmer) keep(b []byte) {
	if k.most > 0 && len(k.token) <= k.most {
		k.token = append(k.token, b[:min(len(b), k.most+1-len(k.token))]...)
	}
}

// closeString takes a string that has ended: a key if a colon is wanted now.
func (k *skimmer) closeString() {
	if k.broken || k.most == 0 {
		return
	}
	long := len(k.token) > k.most
	switch {
	case k.want == wantColon && !long:
		k.reading = k.named(k.token)
	case k.want == wantNext && long:
		k.reading.value, k.reading = append(k.reading.value[:0], tooLong...), nil
	case k.want == wantNext:
		k.reading.value, k.reading = append(k.reading.value[:0], k.token...), nil
	}
	k.token, k.most = k.token[:0], 0
}

// named is the field that a key names, as encoding/json takes it; nil if that does not
// matter.
func (k *skimmer) named(key []byte) *field {
	name := key[1 : len(key)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		_ = json.Unmarshal(key, &text) // it is a string
		name = []byte(text)
	}
	switch {
	case bytes.EqualFold(name, []byte("id")):
		return &k.id
	case bytes.EqualFold(name, []byte("name")):
		return &k.name
	}
	return nil
}

// outside reads a byte outside strings and tells whether the entry ends with it.
func (k *skimmer) outside(c byte) bool {
	switch c {
	case '"':
		k.text = true
	case '{', '[':
		k.depth++
	case '}', ']':
		k.depth--
	}
	if !k.broken {
		k.broken = !k.check(c)
	}
	return k.depth == 0
}

// check tells whether JSON can go on with a byte outside strings.
func (k *skimmer) check(c byte) bool {
	if k.word != "" {
		is := c == k.word[0]
		k.word = k.word[1:]
		return is
	}
	if k.number != noDigits {
		before := k.number
		if k.number = before.then(c); k.number != noDigits {
			return true
		}
		if !before.whole() {
			return false
		}
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		return true
	case '{', '[':
		return k.enter(c)
	case '}':
		return k.leave('{', wantKeyOrEnd)
	case ']':
		return k.leave('[', wantValueOrEnd)
	case ',':
		return k.comma()
	case ':':
		is := k.want == wantColon
		k.want = wantValue
		return is
	case '"':
		return k.openString()
	}
	return k.scalar(c)
}

// value takes note that a value begins. False if none may.
func (k *skimmer) value(isString bool) bool {
	is := k.want == wantValue || k.want == wantValueOrEnd
	k.want = wantNext
	if k.reading != nil && !isString {
		k.reading.wrong = true
		k.reading = nil
	}
	return is
}

func (k *skimmer) enter(bracket byte) bool {
	if !k.value(false) || len(k.open) == maxNesting {
		return false
	}
	k.open = append(k.open, bracket)
	k.want = wantValueOrEnd
	if bracket == '{' {
		k.want = wantKeyOrEnd
	}
	return true
}

func (k *skimmer) leave(bracket byte, empty want) bool {
	last := len(k.open) - 1
	is := last >= 0 && k.open[last] == bracket && (k.want == wantNext || k.want == empty)
	k.open, k.want = k.open[:max(last, 0)], wantNext
	return is
}

func (k *skimmer) comma() bool {
	is := k.want == wantNext && len(k.open) > 0
	k.want = wantValue
	if is && k.open[len(k.open)-1] == '{' {
		k.want = wantKey
	}
	return is
}

// openString begins a key or a value, and keeps it if it is at the top level and may
// matter.
func (k *skimmer) openString() bool {
	if k.want == wantKey || k.want == wantKeyOrEnd {
		k.want, k.reading = wantColon, nil
		if len(k.open) == 1 {
			k.most = longestKey
		}
	} else {
		if !k.value(true) {
			return false
		}
		if k.reading != nil {
			k.most = longestValue
		}
	}
	k.keep([]byte{'"'})
	return true
}

// scalar begins a number or a word.
func (k *skimmer) scalar(c byte) bool {
	if c == 'n' {
		if k.reading == &k.id {
			k.id.value = k.id.value[:0] // a name stays what it was
		}
		k.reading = nil
	}
	if !k.value(false) {
		return false
	}
	switch c {
	case 't':
		k.word = "true"[1:]
	case 'f':
		k.word = "false"[1:]
	case 'n':
		k.word = "null"[1:]
	default:
		k.number = noDigits.then(c)
		return k.number != noDigits
	}
	return true
}

// digits is where in a number a reader is.
type digits byte

const (
	noDigits digits = iota // in none
	minus
	zero // a leading one
	integer
	point
	fraction
	exponent // behind the e
	sign     // of the exponent
	power
)

// then is where a number is behind one more byte; noDigits if that is none of it.
func (d digits) then(c byte) digits {
	digit := c >= '0' && c <= '9'
	switch {
	case d == noDigits && c == '-':
		return minus
	case (d == noDigits || d == minus) && c == '0':
		return zero
	case (d == noDigits || d == minus || d == integer) && digit:
		return integer
	case (d == zero || d == integer) && c == '.':
		return point
	case (d == point || d == fraction) && digit:
		return fraction
	case (d == zero || d == integer || d == fraction) && (c == 'e' || c == 'E'):
		return exponent
	case d == exponent && (c == '+' || c == '-'):
		return sign
	case (d == exponent || d == sign || d == power) && digit:
		return power
	}
	return noDigits
}

// whole tells whether a number may end there.
func (d digits) whole() bool {
	return d == zero || d == integer || d == fraction || d == power
}
