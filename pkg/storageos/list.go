package storageos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read, whatever the API sends.
const (
	maxEntry      = 4 << 20  // bytes of one entry of a list
	maxBetween    = 64 << 10 // bytes between two entries, and read ahead
	maxVolumes    = 2_000_000
	maxNamespaces = 100_000
	maxNodes      = 100_000
	maxObject     = 8 << 20 // bytes of a body that is no list
)

// errEntryTooLarge is the error of a list with an entry beyond maxEntry.
var errEntryTooLarge = fmt.Errorf("an entry has more than %d bytes", maxEntry)

// readList reads a JSON array, one entry at a time, and hands each over as it
// was sent; the bytes are valid only during the call. A body that is not one
// whole array is an error, whatever was handed over before: an empty body,
// null, an object, an array that does not end, anything after it.
func readList(body io.Reader, most int, each func(n int, raw []byte) error) error {
	limited := &entryReader{r: body, left: maxEntry + maxBetween}
	dec := json.NewDecoder(limited)
	first, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the body is empty, not a list")
	case err != nil:
		return fmt.Errorf("the body is not a list: %w", err)
	case first != json.Delim('['):
		return fmt.Errorf("the body is not a list: it begins with %s", tokenName(first))
	}
	var raw json.RawMessage
	n := 0
	for dec.More() {
		if n == most {
			return fmt.Errorf("the list has more than %d entries", most)
		}
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("entry %d of the list: %w", n, whole(err))
		}
		if len(raw) > maxEntry { // the decoder had read ahead
			return fmt.Errorf("entry %d of the list: %w", n, errEntryTooLarge)
		}
		if err := each(n, raw); err != nil {
			return err
		}
		n++
		limited.left = maxEntry + maxBetween
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("the list does not end after its %d entries: %w", n, whole(err))
	}
	var syntax *json.SyntaxError
	switch _, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil || errors.As(err, &syntax):
		return errors.New("something follows the list")
	default:
		return fmt.Errorf("after the list: %w", err)
	}
}

// whole calls an end that came too early by its name.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func tokenName(t json.Token) string {
	switch t.(type) {
	case nil:
		return "null"
	case json.Delim:
		return "an object"
	default:
		return fmt.Sprintf("a %T", t)
	}
}

// entryReader bounds how much is read for one entry.
type entryReader struct {
	r    io.Reader
	left int
}

func (e *entryReader) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errEntryTooLarge
	}
	if len(p) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= n
	return n, err
}

// entryID reads the ID of an entry.
func entryID(n int, raw []byte) (string, error) {
	var e struct {
		ID *string `json:"id"`
	}
	if err := json.Unmarshal(raw, &e); err != nil || e.ID == nil || *e.ID == "" {
		return "", fmt.Errorf("entry %d of the list has no readable ID", n)
	}
	return *e.ID, nil
}
