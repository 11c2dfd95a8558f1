package controller

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// frames reads all frames of a stream, as the decoder of a watch does: its buffer grows
// whenever it is said to be short, and must have been filled until then.
func frames(r io.Reader) (all []string, err error) {
	buf, base := make([]byte, 16), 0
	for {
		n, err := r.Read(buf[base:])
		base += n
		switch {
		case errors.Is(err, io.ErrShortBuffer) && base < len(buf):
			return all, fmt.Errorf("short is a buffer of %d bytes that holds %d", len(buf), base)
		case errors.Is(err, io.ErrShortBuffer):
			buf = append(buf, make([]byte, len(buf))...)
		case err != nil:
			return all, err
		default:
			all, base = append(all, string(buf[:base])), 0
		}
	}
}

// A watch is taken apart as the usual framer does it, however it is written and however
// it arrives.
func TestLineFramer(t *testing.T) {
	t.Parallel()
	event := func(size int) string {
		const start, end = `{"type":"ADDED","object":{"a":"`, `"}}`
		return start + strings.Repeat("x", size-len(start)-len(end)) + end
	}
	broken := errors.New("connection reset")
	for name, tc := range map[string]struct {
		body  string
		lines int // events that are read as lines
		fails error
	}{
		"nothing":                           {"", 0, nil},
		"events":                            {event(50) + "\n" + event(70) + "\n", 2, nil},
		"as long as the buffer":             {event(lineBuffer) + "\n" + event(60) + "\n", 2, nil},
		"its end is the last in the buffer": {event(lineBuffer-1) + "\n" + event(60) + "\n", 2, nil},
		"longer than the buffer":            {event(60) + "\n" + event(2*lineBuffer) + "\n" + event(3*lineBuffer+5) + "\n", 3, nil},
		"no end of line":                    {event(50) + "\n" + event(70), 1, nil},
		"only the end of a line":            {event(50) + "\n\n" + event(70) + "\n", 1, nil},
		"on one line":                       {" " + event(50) + event(70) + "\n" + event(60), 0, nil},
		"over many lines":                   {event(50) + "\n{\n\"type\":\n\"ADDED\"}\n" + event(60) + "\n", 1, nil},
		"a long one over many lines":        {"{\n" + strings.Repeat(" ", 2*lineBuffer) + "\"type\":\n\"ADDED\"}\n" + event(60) + "\n", 0, nil},
		"cut":                               {event(50) + "\n" + event(70)[:60], 1, nil},
		"cut after the buffer":              {event(50) + "\n" + event(2 * lineBuffer)[:lineBuffer+99], 1, nil},
		"no JSON":                           {event(50) + "\nupstream connect error", 1, nil},
		"an error between":                  {event(50) + "\n", 1, broken},
		"an error in an event":              {event(50) + "\n" + event(70)[:60], 1, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, read := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader,
			} {
				body := func() io.ReadCloser {
					r := read(strings.NewReader(tc.body))
					if tc.fails != nil {
						r = io.MultiReader(r, iotest.ErrReader(tc.fails))
					}
					return io.NopCloser(r)
				}
				want, wantErr := frames(json.Framer.NewFrameReader(body()))
				ours := lineFramer{json.Framer}.NewFrameReader(body())
				got, err := frames(ours)
				if !slices.Equal(got, want) || err.Error() != wantErr.Error() {
					t.Errorf("%s: %d frames, %v; want %d, %v", way, len(got), err, len(want), wantErr)
				}
				lines, _ := frames(lineFramer{noFramer{}}.NewFrameReader(body()))
				if len(lines) != tc.lines {
					t.Errorf("%s: %d events were read as lines, want %d", way, len(lines), tc.lines)
				}
			}
		})
	}
}

// It is what a watch of records is read with.
func TestLineFramerIsUsed(t *testing.T) {
	t.Parallel()
	info, ok := runtime.SerializerInfoForMediaType(wire{generatedSerializer()}.SupportedMediaTypes(), runtime.ContentTypeJSON)
	if !ok || info.StreamSerializer == nil {
		t.Fatal("no serializer for a stream of JSON")
	}
	if _, ours := info.StreamSerializer.Framer.(lineFramer); !ours {
		t.Errorf("a watch is taken apart by %T", info.StreamSerializer.Framer)
	}
}

// noFramer reads nothing.
type noFramer struct{}

func (noFramer) NewFrameReader(io.ReadCloser) io.ReadCloser {
	return io.NopCloser(strings.NewReader(""))
}
func (noFramer) NewFrameWriter(w io.Writer) io.Writer { return w }

func BenchmarkFrames(b *testing.B) {
	const events = 1000
	body := strings.Repeat(`{"type":"MODIFIED","object":`+aRecord+"}\n", events)
	for name, f := range map[string]runtime.Framer{"ours": lineFramer{json.Framer}, "usual": json.Framer} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if all, _ := frames(f.NewFrameReader(io.NopCloser(strings.NewReader(body)))); len(all) != events {
					b.Fatalf("%d events", len(all))
				}
			}
		})
	}
}
