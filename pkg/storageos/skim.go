package storageos

import (
	"bytes"
	"hash/maphash"
)

const (
	mostSkimmed = 1 << 20                   // bytes of an entry that are kept
	mostText    = maxName*len(`\u0000`) + 1 // bytes of one of its strings that are
)

// tooLong is in the place of a string that is longer than any ID or name.
var tooLong = bytes.Repeat([]byte{'x'}, maxName+1)

// skimmer reads an entry that is too large to be held, piece by piece. It finds its end as
// scan does, hashes it, and keeps what it says itself: lists and objects in it are emptied,
// what is longer than any ID or name is cut, and white space is one blank. What
// encoding/json reads of its ID and its name there, it would read in the whole entry.
//
//	read   {"id": "a",   "labels": {"l": "xxx…"}, "description": "xxx…"}
//	kept   {"id": "a", "labels": {}, "description": "xxx"}
//
// Invariant: what it holds is bounded by mostSkimmed, whatever it reads.
type skimmer struct {
	size int // bytes passed
	hash maphash.Hash

	depth   int  // of the brackets
	text    bool // in a string
	escaped bool // behind a backslash in one
	begun   int  // where in kept the string or the number begins
	long    bool // the string is longer than any ID or name

	kept []byte
	over bool // there was more to be kept
}

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
			k.inString(b[n])
		} else {
			ended = k.outside(b[n])
		}
		n++
	}
	_, _ = k.hash.Write(b[:n]) // it never fails
	k.size += n
	return n, ended
}

func (k *skimmer) inString(c byte) {
	switch {
	case k.escaped:
		k.escaped = false
	case c == '\\':
		k.escaped = true
	case c == '"':
		k.text = false
	}
	if k.depth > 1 {
		return
	}
	if !k.long && len(k.kept)-k.begun == mostText {
		k.long, k.kept = true, append(k.kept[:k.begun], tooLong...) // a part of it might end in an escape
	}
	if !k.long || !k.text {
		k.keep(c)
	}
}

// outside reads a byte outside strings and tells whether the entry ends with it.
func (k *skimmer) outside(c byte) bool {
	around := k.depth
	switch c {
	case '{', '[':
		k.depth++
	case '}', ']':
		k.depth--
		around = k.depth
	case ' ', '\t', '\r', '\n':
		if c = ' '; k.kept[len(k.kept)-1] == c {
			return false
		}
	case ',', ':', '"':
	default: // a part of a number or a word
		if around == 1 && len(k.kept)-k.begun < mostText {
			k.keep(c)
		}
		return false
	}
	if around <= 1 {
		k.keep(c)
	}
	k.text, k.long, k.begun = c == '"', false, len(k.kept)
	return k.depth == 0
}

func (k *skimmer) keep(c byte) {
	if k.over = k.over || len(k.kept) == mostSkimmed; !k.over {
		k.kept = append(k.kept, c)
	}
}

// mark is what the entry was.
func (k *skimmer) mark() mark { return mark{max(k.hash.Sum64(), 1), k.size} }

// rest is what was kept; if that is not all that the entry says itself, nothing can be read.
func (k *skimmer) rest() []byte {
	if k.over {
		return []byte("{}")
	}
	return k.kept
}
