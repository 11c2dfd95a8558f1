package storageos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read, whatever the API sends.
const (
	maxEntry      = 4 << 20  // bytes of one entry of a list that is held; of a larger one the ID and the name
	maxBetween    = 64 << 10 // bytes of white space at one place of a list
	maxVolumes    = 2_000_000
	maxNamespaces = 100_000
	maxNodes      = 100_000
	maxObject     = 8 << 20 // bytes of a body that is no list
	maxName       = 1 << 10 // bytes of an ID or a name: those of StorageOS have up to 253
)

// readList reads a JSON array, one entry at a time, and hands each over as it
// was sent; the bytes are valid only during the call. A body that is not one
// whole array of objects is an error, whatever was handed over before: an empty
// body, null, an object, an array that does not end, anything after it. What is
// inside an entry is not looked at: whoever decodes it finds what is wrong there. An
// entry that is too large to be held is handed over as its ID and its name.
func readList(body io.Reader, most int, each func(n int, raw []byte) error) error {
	return (&splitter{r: body}).list(most, each)
}

// list reads the whole list.
func (s *splitter) list(most int, each func(n int, raw []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := s.more(n)
		if err != nil {
			return err
		}
		if !more {
			return s.end()
		}
		if n == most {
			return fmt.Errorf("the list has more than %d entries", most)
		}
		raw, err := s.entry(n)
		if err != nil {
			return fmt.Errorf("entry %d of the list: %w", n, err)
		}
		if err := each(n, raw); err != nil {
			return err
		}
	}
}

// begin passes the opening bracket.
func (s *splitter) begin() error {
	switch c, err := s.next(); {
	case errors.Is(err, io.EOF):
		return errors.New("the body is empty, not a list")
	case err != nil:
		return fmt.Errorf("the body is not a list: %w", err)
	case c == '{':
		return errors.New("the body is not a list: it begins with an object")
	case c == 'n':
		return errors.New("the body is not a list: it begins with null")
	case c != '[':
		return fmt.Errorf("the body is not a list: it begins with %q", c)
	}
	s.at++
	return nil
}

// more tells whether there is an entry n, and passes the comma before it or the
// closing bracket.
func (s *splitter) more(n int) (bool, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return false, fmt.Errorf("the list does not end after its %d entries: %w", n, whole(err))
	case c == ']':
		s.at++
		return false, nil
	case n == 0:
		return true, nil
	case c != ',':
		return false, fmt.Errorf("after entry %d the list goes on with %q", n-1, c)
	}
	s.at++
	return true, nil
}

// end makes sure that nothing follows the list.
func (s *splitter) end() error {
	switch _, err := s.next(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
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

// entryID reads the ID of an entry.
func entryID(n int, raw []byte) (string, error) {
	var e struct {
		ID *string `json:"id"`
	}
	if err := json.Unmarshal(raw, &e); err != nil || e.ID == nil || *e.ID == "" {
		return "", fmt.Errorf("entry %d of the list has no readable ID", n)
	}
	if len(*e.ID) > maxName {
		return "", fmt.Errorf("entry %d of the list has an ID of more than %d bytes", n, maxName)
	}
	return *e.ID, nil
}

// entryName reads the name of an entry.
func entryName(n int, raw []byte) (string, error) {
	var e struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", fmt.Errorf("entry %d of the list: %w", n, err)
	}
	if len(e.Name) > maxName {
		return "", fmt.Errorf("entry %d of the list has a name of more than %d bytes", n, maxName)
	}
	return e.Name, nil
}
