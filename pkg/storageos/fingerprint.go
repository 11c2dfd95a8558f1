package storageos

import (
	"errors"
	"hash/maphash"
	"io"
	"sync"
)

// maxHeld is up to which size a list of volumes is held whole, so that it need
// not be split if its fingerprint is known. A larger one is split as it streams.
const maxHeld = 8 << 20

// Fingerprint tells whether a list of volumes is byte for byte one that was read
// before by this process. The zero value is that of none. That of a list too large to
// be held is equal to no other: it tells what its entries were.
type Fingerprint struct {
	hash    uint64
	size    int // bytes
	entries *[]mark
}

// mark is what an entry of a list was.
type mark struct {
	hash uint64
	size int // bytes
}

// FingerprintOf is the fingerprint of the body of a list.
func FingerprintOf(body []byte) Fingerprint {
	return Fingerprint{hash: hash(body), size: len(body)}
}

// hash tells bytes apart. It is never 0. That a changed text has the hash of the one
// before, 1 in 2^64, is accepted: no one can bring it about (see seed), and it ends with the
// next change or the next leader.
func hash(b []byte) uint64 { return max(maphash.Bytes(seed, b), 1) }

// seed makes fingerprints unpredictable.
var seed = maphash.MakeSeed()

// listing reads lists of volumes. It keeps the buffers for them from poll to poll,
// until the garbage collector wants them.
type listing struct {
	buffers sync.Pool
	most    int // bytes of an entry that is held; 0: maxEntry
}

// read reads a list and hands it over unless it is the known one. One that was too large
// to be held is not held again while it is.
func (l *listing) read(body io.Reader, known Fingerprint, each func(Entry) error) (Fingerprint, error) {
	b, ok := l.buffers.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	s := splitter{r: body, buf: (*b)[:0], most: l.most}
	defer func() {
		*b = s.buf
		l.buffers.Put(b)
	}()
	if known.entries == nil && s.hold(known.size) {
		is := FingerprintOf(s.buf)
		if is == known {
			return is, nil
		}
		return is.unless(s.list(maxVolumes, func(n int, raw []byte) error {
			return each(Entry{Raw: raw, Err: s.tooLarge(), n: n, hash: s.large.hash})
		}))
	}
	if known.entries != nil {
		s.known = *known.entries
	}
	entries := make([]mark, 0, len(s.known))
	err := s.list(maxVolumes, func(n int, raw []byte) error {
		m := s.met
		if m.size == 0 {
			m = s.large
		}
		if m.size == 0 {
			m = mark{hash(raw), len(raw)}
		}
		entries = append(entries, m)
		return each(Entry{Raw: raw, Err: s.tooLarge(), n: n, hash: m.hash})
	})
	if s.read < maxHeld {
		return Fingerprint{}, err // it has become shorter: the next time it is held
	}
	return Fingerprint{entries: &entries}.unless(err)
}

// unless is the fingerprint of a list that was read without an error.
func (f Fingerprint) unless(err error) (Fingerprint, error) {
	if err != nil {
		return Fingerprint{}, err
	}
	return f, nil
}

// hold reads less than maxHeld bytes, if the body has no more. It reports whether
// it has not. What size the body probably has saves growing the buffer step by
// step.
func (s *splitter) hold(probably int) bool {
	size := max(minBuffer, probably+1, cap(s.buf)) // one more, to see its end
	for len(s.buf) < maxHeld {
		if size = min(size, maxHeld); size != cap(s.buf) {
			s.buf = append(make([]byte, 0, size), s.buf...)
		}
		for len(s.buf) < size {
			if err := s.fill(); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
		size *= 2
	}
	return false
}
