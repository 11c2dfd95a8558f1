package storageos

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	api "github.com/storageos/go-api/v2"
)

// Object is what every object of the API has.
type Object interface {
	// GetID returns the ID of the object.
	GetID() string
	// GetName returns the name of the object, unique inside its namespace only.
	GetName() string
	// GetNamespace returns the ID of the object's namespace, "" for one that
	// has none.
	GetNamespace() string
	// GetLabels returns the labels of the object.
	GetLabels() map[string]string
}

// Volume is a StorageOS volume. What it has beyond the generated model is sent
// by newer servers (API 2.6 and later) only.
type Volume struct {
	api.Volume
	AttachedOnHost string    `json:"attachedOnHost"`
	Master         Master    `json:"master"`
	Replicas       []Replica `json:"replicas"`
}

// Master is the copy of a volume that serves it.
type Master struct {
	api.MasterDeploymentInfo
	Hostname string `json:"hostname"`
}

// Replica is another copy of a volume.
type Replica struct {
	api.ReplicaDeploymentInfo
	Hostname string `json:"hostname"`
}

// Namespace is a StorageOS namespace.
type Namespace = api.Namespace

var (
	_ Object = &Volume{}
	_ Object = &Namespace{}
)

// DecodeVolume decodes the JSON of a volume. Fields that it does not know are
// left out. The error names the field that cannot be decoded.
func DecodeVolume(raw []byte) (*Volume, error) {
	v := &Volume{}
	err := json.Unmarshal(raw, v)
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typed):
		return nil, badType(typed)
	case err != nil:
		return nil, badTime(raw, err)
	case v.Id == "":
		return nil, errors.New("it has no ID")
	}
	return v, nil
}

// badType names the field that is of another type than it should be.
func badType(err *json.UnmarshalTypeError) error {
	if err.Field == "" {
		return fmt.Errorf("it is no object but a JSON %s", printable(err.Value))
	}
	return fmt.Errorf("field %s cannot be a %s", printable(fieldName(err.Field)), printable(err.Value))
}

// badTime names the field whose time cannot be decoded: the error of a time
// does not, and quotes it at any length.
func badTime(raw []byte, err error) error {
	var times struct {
		CreatedAt, UpdatedAt json.RawMessage
	}
	_ = json.Unmarshal(raw, &times) // what is no JSON has no such fields
	isBad := func(value json.RawMessage) bool { return value != nil && json.Unmarshal(value, &time.Time{}) != nil }
	switch {
	case isBad(times.CreatedAt):
		return errors.New("field createdAt is not a time")
	case isBad(times.UpdatedAt):
		return errors.New("field updatedAt is not a time")
	}
	return fmt.Errorf("decoding a volume: %s", printable(err.Error()))
}

// fieldName takes the names of Go's embedded structs out of a path: the API's
// own begin with a small letter.
func fieldName(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool {
		return p != "" && p[0] >= 'A' && p[0] <= 'Z'
	}), ".")
}
