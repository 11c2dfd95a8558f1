package recordclient

import (
	stdjson "encoding/json"
	"errors"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// wireRecord is a record as it is read: without its managed fields. A value that no field of a
// record can hold counts as missing, so that the controller writes it again.
type wireRecord struct {
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

// volume is the record. Err is how reading it has ended.
func (w *wireRecord) volume(err error) (*v1.Volume, error) {
	if err != nil && !unfit(err) {
		return nil, err
	}
	v := &v1.Volume{ObjectMeta: w.Metadata.ObjectMeta, Spec: w.Spec, Status: w.Status.VolumeStatus}
	v.Status.Capacity = w.Status.Capacity.Quantity
	v.Status.Conditions = readable(w.Status.Conditions)
	return v, nil
}

func readRecord(data []byte) (*v1.Volume, error) {
	var w wireRecord
	return w.volume(json.UnmarshalCaseSensitivePreserveInts(data, &w))
}

// unfit tells whether an error is only of a value in the spec or the status that does not
// fit its field: the rest has been read.
func unfit(err error) bool {
	t, ok := errors.AsType[*stdjson.UnmarshalTypeError](err)
	return ok && (strings.HasPrefix(t.Field, "spec") || strings.HasPrefix(t.Field, "status"))
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
