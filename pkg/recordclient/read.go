package recordclient

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// readRecord reads a record without its managed fields. A value that no field of a record
// can hold counts as missing, so that the controller writes it again.
func readRecord(data []byte) (*v1.Volume, error) {
	var w struct {
		Metadata struct {
			metav1.ObjectMeta
			ManagedFields skipped `json:"managedFields"`
		} `json:"metadata"`
		Spec   v1.VolumeSpec `json:"spec"`
		Status struct {
			v1.VolumeStatus
			Capacity   capacity           `json:"capacity"`
			Conditions []lenientCondition `json:"conditions"`
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

// unfit tells whether an error is only of a value in the spec or the status that does not
// fit its field: the rest has been read.
func unfit(err error) bool {
	t, ok := errors.AsType[*stdjson.UnmarshalTypeError](err)
	return ok && (strings.HasPrefix(t.Field, "spec") || strings.HasPrefix(t.Field, "status"))
}

// readRecords reads a list of records, one after the other.
func readRecords(data []byte) (*v1.VolumeList, error) {
	var w struct {
		metav1.TypeMeta
		Metadata metav1.ListMeta `json:"metadata"`
		Items    records         `json:"items"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, err
	}
	if w.GroupVersionKind() != listKind {
		return nil, fmt.Errorf("a %s, not a list of records", w.GroupVersionKind())
	}
	return &v1.VolumeList{TypeMeta: w.TypeMeta, ListMeta: w.Metadata, Items: w.Items}, nil
}

// records are decoded one after the other, so that of a long list there is no second copy
// in memory.
type records []v1.Volume

func (r *records) UnmarshalJSON(data []byte) error {
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

// lenientCondition is a condition whose time need not be one that can be read.
type lenientCondition struct {
	metav1.Condition
	LastTransitionTime lenientTime `json:"lastTransitionTime"`
}

type lenientTime struct {
	metav1.Time
	unreadable bool
}

func (t *lenientTime) UnmarshalJSON(data []byte) error {
	t.unreadable = t.Time.UnmarshalJSON(data) != nil
	return nil
}

// readable are the conditions as the controller sees them. Where the time of one cannot be
// read, one of the controller's own counts as missing, so that it is written again; one of
// somebody else's is kept, with a time long ago.
func readable(all []lenientCondition) []metav1.Condition {
	var conditions []metav1.Condition
	for _, w := range all {
		c := w.Condition
		c.LastTransitionTime = w.LastTransitionTime.Time
		if w.LastTransitionTime.unreadable {
			switch c.Type {
			case v1.ConditionPresent, v1.ConditionBound, v1.ConditionHealthy:
				continue
			}
			c.LastTransitionTime = metav1.Unix(0, 0)
		}
		conditions = append(conditions, c)
	}
	return conditions
}
