package storageos

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// minBuffer is by how much the buffer of a splitter grows at least.
const minBuffer = 64 << 10

var (
	errEntryTooLarge = fmt.Errorf("it has more than %d bytes", maxEntry)
	errTooMuchSpace  = fmt.Errorf("more than %d bytes of white space", maxBetween)
)

// splitter finds where the objects of a JSON array begin and end while the array
// is read. It knows of JSON only brackets and strings, which is several times
// as fast as a decoder: most of what is listed is known already and is never
// decoded.
type splitter struct {
	r    io.Reader
	read int    // bytes
	buf  []byte // buf[at:] was read and is not passed yet
	at   int
	err  error // with which r has ended, io.EOF too

	known []mark // what the entries were when the list was read before
	met   mark   // what the entry passed last was before; zero if that is not known

	most  int  // bytes of an entry that is held; 0: maxEntry
	large mark // what the entry passed last is, if it has more than that; else zero
}

// fill reads more. What was not passed yet may move to the front of the buffer.
func (s *splitter) fill() error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf) == cap(s.buf) {
		if s.at > 0 {
			s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
			s.at = 0
		} else {
			s.buf = slices.Grow(s.buf, max(minBuffer, len(s.buf)))
		}
	}
	for range 100 { // empty reads
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.read += n
		s.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.err = io.ErrNoProgress
	return s.err
}

// next passes white space and returns the byte behind it, which is not passed.
func (s *splitter) next() (byte, error) {
	for passed := 0; ; {
		for ; s.at < len(s.buf); s.at++ {
			switch c := s.buf[s.at]; c {
			case ' ', '\t', '\r', '\n':
				if passed++; passed > maxBetween {
					return 0, errTooMuchSpace
				}
			default:
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// entry passes entry n, an object, and returns its bytes, which are valid until the
// next call. Of one that is too large to be held they are its ID and its name only.
func (s *splitter) entry(n int) ([]byte, error) {
	switch c, err := s.next(); {
	case err != nil:
		return nil, whole(err)
	case c != '{':
		return nil, fmt.Errorf("it is no object: it begins with %q", c)
	}
	s.met, s.large = mark{}, mark{}
	most := cmp.Or(s.most, maxEntry)
	if n < len(s.known) && s.known[n].size <= most && s.meets(s.known[n]) {
		s.met = s.known[n]
		s.at += s.met.size
		return s.buf[s.at-s.met.size : s.at], nil
	}
	depth, text := 0, false // in text, what is read is part of a string
	for i := s.at; ; {
		i, depth, text = scan(s.buf, i, depth, text)
		size := i - s.at
		if size > most {
			return s.skim()
		}
		if depth == 0 {
			raw := s.buf[s.at:i]
			s.at = i
			return raw, nil
		}
		err := s.fill()
		i = s.at + size
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
	}
}

// skim passes an entry that is too large to be held. It keeps none of it but its ID and
// its name.
func (s *splitter) skim() ([]byte, error) {
	k := newSkimmer()
	for {
		n, ended := k.pass(s.buf[s.at:])
		s.at += n
		if ended {
			s.large = k.mark()
			return k.rest(), nil
		}
		if err := s.fill(); err != nil {
			return nil, whole(err)
		}
	}
}

// tooLarge is why the entry passed last cannot be recorded, nil if it was held.
func (s *splitter) tooLarge() error {
	if s.large == (mark{}) {
		return nil
	}
	return errEntryTooLarge
}

// meets tells whether what comes next is the entry that it was before: to hash it is
// several times as fast as to look for its end.
func (s *splitter) meets(m mark) bool {
	for len(s.buf)-s.at < m.size {
		if s.fill() != nil {
			return false
		}
	}
	return hash(s.buf[s.at:s.at+m.size]) == m.hash
}

// scan reads on in an object from b[i], until it ends or b does. It returns where
// it has stopped, the depth of the brackets there, 0 at the end of the object, and
// whether that is in a string.
func scan(b []byte, i, depth int, text bool) (int, int, bool) {
	for {
		if text {
			end := closingQuote(b, i)
			if end < 0 {
				return len(b), depth, true
			}
			i = end + 1
		}
		for ; ; i++ {
			if i >= len(b) {
				return i, depth, false
			}
			c := b[i]
			if kinds[c] == 0 {
				continue
			}
			if c == '"' {
				break
			}
			if depth += int(kinds[c]); depth == 0 {
				return i + 1, 0, false
			}
		}
		i, text = i+1, true
	}
}

// kinds are what a byte outside strings does to the depth. A quote does nothing
// to it, but is looked at.
var kinds = [256]int8{'{': 1, '[': 1, '}': -1, ']': -1, '"': 2}

// closingQuote finds the first quote in b[i:] that no backslash escapes; -1 if
// there is none. What is before i may be looked at too.
func closingQuote(b []byte, i int) int {
	for {
		if i = nextQuote(b, i); i < 0 {
			return -1
		}
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
		i++
	}
}

// nextQuote finds the first quote in b[i:], -1 if there is none. Most strings of a
// list are short: eight bytes at a time in a register beat a call that looks at
// more of them.
func nextQuote(b []byte, i int) int {
	const (
		ones   = 0x0101010101010101
		highs  = 0x80 * ones
		quotes = '"' * ones
	)
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ quotes // a quote is 0 now
		if zero := (x - ones) &^ x & highs; zero != 0 { // its first byte is right
			return i + bits.TrailingZeros64(zero)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' {
			return i
		}
	}
	return -1
}
