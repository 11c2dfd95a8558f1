package controller

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
)

// lineFramer takes a watch apart where its lines end: the API server writes every event
// as one line, and to find the end of a line is many times as fast as to parse what is
// in it. Once a line does not begin as an event does, the rest is left to the usual
// framer.
type lineFramer struct{ runtime.Framer }

func (f lineFramer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return &eventLines{Closer: r, usual: f.Framer, from: bufio.NewReaderSize(r, lineBuffer)}
}

// lineBuffer holds most events whole.
const lineBuffer = 8 << 10

// eventLines reads one event at a time, without its end of line.
type eventLines struct {
	io.Closer
	usual  runtime.Framer
	from   *bufio.Reader
	rest   []byte    // what is read of an event and not handed out yet
	inside bool      // more of that event is to be read
	other  io.Reader // by the usual framer; nil while events come as lines
}

// Read reads an event, or as much of it as there is room for and io.ErrShortBuffer: who
// reads makes twice the room each time, up to a limit.
func (l *eventLines) Read(p []byte) (int, error) {
	if l.other == nil && len(l.rest) == 0 {
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
	if l.other != nil {
		return l.other.Read(p)
	}
	n := l.take(p)
	for n < len(p) && l.inside {
		if err := l.fill(); err != nil {
			return 0, err
		}
		n += l.take(p[n:])
	}
	if len(l.rest) > 0 || l.inside {
		return n, io.ErrShortBuffer
	}
	return n, nil
}

// take hands out what is read already.
func (l *eventLines) take(p []byte) int {
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n
}

// fill reads a line, or some of it.
func (l *eventLines) fill() error {
	line, err := l.from.ReadSlice('\n')
	ended, full := errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull)
	switch {
	case err != nil && !ended && !full:
		return err
	case ended && l.inside:
		return io.ErrUnexpectedEOF
	case ended || !l.inside && !bytes.HasPrefix(line, eventStart):
		before := bytes.NewReader(bytes.Clone(line))
		l.other = l.usual.NewFrameReader(struct {
			io.Reader
			io.Closer
		}{io.MultiReader(before, l.from), l.Closer})
	default:
		l.rest, l.inside = bytes.TrimSuffix(line, []byte("\n")), full
	}
	return nil
}
