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
// before by this process. The zero value is that of none.
type Fingerprint struct {
	hash uint64
	size int // bytes
}

// FingerprintOf is the fingerprint of the body of a list.
func FingerprintOf(body []byte) Fingerprint {
	return Fingerprint{maphash.Bytes(seed, body), len(body)}
}

// seed makes fingerprints unpredictable.
var seed = maphash.MakeSeed()

// listing reads lists of volumes. It keeps the buffers for them from poll to poll,
// until the garbage collector wants them.
type listing struct{ buffers sync.Pool }

// read reads a list and hands it over unless it is the known one.
func (l *listing) read(body io.Reader, known Fingerprint, each func(Entry) error) (Fingerprint, error) {
	b, ok := l.buffers.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	s := splitter{r: body, buf: (*b)[:0]}
	defer func() {
		*b = s.buf
		l.buffers.Put(b)
	}()
	var is Fingerprint
	if s.hold(known.size) {
		if is = FingerprintOf(s.buf); is == known && known != (Fingerprint{}) {
			return is, nil
		}
	}
	err := s.list(maxVolumes, func(n int, raw []byte) error { return each(Entry{Raw: raw, n: n}) })
	if err != nil {
		return Fingerprint{}, err
	}
	return is, nil
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
