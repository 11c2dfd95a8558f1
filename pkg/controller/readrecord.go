package controller

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// readRecord reads a record, but for who wrote which of its fields. A value that the
// API server takes and no field of a record can hold counts as missing, so that it is
// written anew.
func readRecord(data []byte) (*v1.Volume, error) {
	var w struct {
		Metadata struct {
			metav1.ObjectMeta
			ManagedFields skipped `json:"managedFields"`
		} `json:"metadata"`
		Spec   v1.VolumeSpec `json:"spec"`
		Status struct {
			v1.VolumeStatus
			Capacity   capacity        `json:"capacity"`
			Conditions []wireCondition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &w); err != nil && !unfit(err) {
		return nil, err
	}
	v := &v1.Volume{ObjectMeta: w.Metadata.ObjectMeta, Spec: w.Spec, Status: w.Status.VolumeStatus}
	v.Status.Capacity = w.Status.Capacity.Quantity
	v.Status.Conditions = readable(w.Status.Conditions)
	return v, nil
}

// unfit tells whether all was read but a value in the spec or the status that does not
// fit its field.
func unfit(err error) bool {
	t, ok := errors.AsType[*stdjson.UnmarshalTypeError](err)
	return ok && (strings.HasPrefix(t.Field, "spec") || strings.HasPrefix(t.Field, "status"))
}

// readRecords reads a list of records, one after the other.
func readRecords(data []byte) (*v1.VolumeList, error) {
	var w struct {
		metav1.TypeMeta
		Metadata metav1.ListMeta `json:"metadata"`
		Items    wireRecords     `json:"items"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, err
	}
	if w.GroupVersionKind() != listKind {
		return nil, fmt.Errorf("a %s, not a list of records", w.GroupVersionKind())
	}
	return &v1.VolumeList{TypeMeta: w.TypeMeta, ListMeta: w.Metadata, Items: w.Items}, nil
}

// wireRecords are read one by one: a second copy of a long list would cost memory.
type wireRecords []v1.Volume

func (r *wireRecords) UnmarshalJSON(data []byte) error {
	d := stdjson.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var one stdjson.RawMessage
		if err := d.Decode(&one); err != nil {
			return err
		}
		v, err := readRecord(one)
		if err != nil {
			return err
		}
		*r = append(*r, *v)
	}
	return nil
}

// skipped is a value that is not read.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// capacity is a size in bytes, nil if there is none that can be read.
type capacity struct{ *resource.Quantity }

// capacityForm is how a size in bytes is written. The API server takes what looks like
// a quantity; one with a large exponent would keep its parser busy for ever.
var capacityForm = regexp.MustCompile(`^"?[0-9]{1,19}([KMGTPE]i)?"?$`)

func (c *capacity) UnmarshalJSON(data []byte) error {
	if !capacityForm.Match(data) {
		return nil
	}
	var q resource.Quantity
	if q.UnmarshalJSON(data) == nil && q.CmpInt64(q.Value()) == 0 {
		c.Quantity = &q
	}
	return nil
}

// wireCondition is a condition whose time may be one that cannot be read.
type wireCondition struct {
	metav1.Condition
	LastTransitionTime wireTime `json:"lastTransitionTime"`
}

type wireTime struct {
	metav1.Time
	unreadable bool
}

func (t *wireTime) UnmarshalJSON(data []byte) error {
	t.unreadable = t.Time.UnmarshalJSON(data) != nil
	return nil
}

// readable are conditions as others read them. Where the time cannot be read, one of
// ours counts as missing; one of somebody else's stays, as one of long ago.
func readable(all []wireCondition) []metav1.Condition {
	var conditions []metav1.Condition
	for _, w := range all {
		c := w.Condition
		c.LastTransitionTime = w.LastTransitionTime.Time
		if w.LastTransitionTime.unreadable {
			if slices.Contains(conditionTypes, c.Type) {
				continue
			}
			c.LastTransitionTime = metav1.Unix(0, 0)
		}
		conditions = append(conditions, c)
	}
	return conditions
}
