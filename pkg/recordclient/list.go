package recordclient

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// readRecords reads a list of records, one after the other, as they come: there is no second
// copy of a long list in memory, and its bytes are looked through twice, not six times.
func readRecords(r io.Reader) (*v1.VolumeList, error) {
	d := json.NewDecoderCaseSensitivePreserveInts(r)
	list := &v1.VolumeList{}
	if err := delimiter(d, '{'); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch key {
		case "apiVersion":
			err = d.Decode(&list.APIVersion)
		case "kind":
			err = d.Decode(&list.Kind)
		case "metadata":
			err = d.Decode(&list.ListMeta)
		case "items":
			list.Items, err = readItems(d)
		default:
			err = d.Decode(&skipped{})
		}
		if err != nil {
			return nil, err
		}
	}
	if err := delimiter(d, '}'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list of records")
	}
	if list.GroupVersionKind() != listKind {
		return nil, fmt.Errorf("a %s, not a list of records", list.GroupVersionKind())
	}
	return list, nil
}

// readItems reads the records of a list, which may be null.
func readItems(d json.Decoder) (items []v1.Volume, _ error) {
	switch begin, err := d.Token(); {
	case err != nil || begin == nil:
		return nil, err
	case begin != stdjson.Delim('['):
		return nil, fmt.Errorf("%v, not records", begin)
	}
	for d.More() {
		var w wireRecord
		v, err := w.volume(d.Decode(&w))
		if err != nil {
			return nil, err
		}
		items = append(items, *v)
	}
	return items, delimiter(d, ']')
}

// delimiter reads one that must follow.
func delimiter(d json.Decoder, want stdjson.Delim) error {
	if got, err := d.Token(); err != nil || got != want {
		return fmt.Errorf("%v, not %v: %w", got, want, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}
