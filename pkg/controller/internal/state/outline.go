package state

import (
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// times are those of a record's conditions, in Unix seconds, 0 if there is none:
// Healthy, Present and Bound.
type times [3]uint32

func timesOf(r *v1.Volume) times {
	var t times
	for i, kind := range conditionTypes {
		if c := meta.FindStatusCondition(r.Status.Conditions, kind); c != nil && fits(c.LastTransitionTime.Unix()) {
			t[i] = uint32(c.LastTransitionTime.Unix())
		}
	}
	return t
}

// Became is when a condition of the record became what it is, zero if the record does not say.
func (r *Record) Became(condition string) time.Time {
	if t := r.times[slices.Index(conditionTypes, condition)]; t != 0 {
		return time.Unix(int64(t), 0)
	}
	return time.Time{}
}

// conditionTypes are in the order of times.
var conditionTypes = []string{v1.ConditionHealthy, v1.ConditionPresent, v1.ConditionBound}

// Outline is a record as far as the cache knows it: our label and annotations, its
// PersistentVolume and our conditions.
func (r *Record) Outline() *v1.Volume {
	v := &v1.Volume{}
	if r.LabelID != "" {
		metav1.SetMetaDataLabel(&v.ObjectMeta, v1.LabelVolumeID, r.LabelID)
	}
	for key, value := range map[string]string{
		v1.AnnotationNamespaceID: r.NamespaceID.Value(),
		v1.AnnotationClusterID:   r.ClusterID.Value(),
		v1.AnnotationAbsentSince: string(r.Summary.Mark),
	} {
		if value != "" {
			metav1.SetMetaDataAnnotation(&v.ObjectMeta, key, value)
		}
	}
	v.Status.PersistentVolume = r.Summary.PV.Status()
	health := r.Summary.Health.Value()
	v.Status.Health, v.Status.Ready = health.Health, health.Ready
	for i, c := range []record.Condition{health.Condition, r.Summary.Present.Value(), r.Summary.Bound.Value()} {
		c.Apply(v, conditionTypes[i], time.Unix(int64(r.times[i]), 0))
	}
	return v
}

// plain tells whether a record is as this program writes it, but for what the volume
// decides and the labels and annotations of others: whether its outline tells the rest.
// An annotation that stays keeps those of others: a patch that takes away the last one
// that is known would take theirs too.
func plain(v *v1.Volume) bool {
	if v.Annotations[v1.AnnotationNamespaceID] == "" || v.Spec.Strategy != 0 || v.Status.ConsumerCount != 0 {
		return false
	}
	if pv := v.Status.PersistentVolume; pv != nil && (pv.Name == "" || pv.Claim != nil && pv.Claim.Name == "") {
		return false
	}
	left := slices.Clone(conditionTypes)
	for _, c := range v.Status.Conditions {
		i := slices.Index(left, c.Type)
		if i < 0 || c.Status == "" || c.ObservedGeneration != 0 || !fits(c.LastTransitionTime.Unix()) {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// fits tells whether times can hold a time.
func fits(seconds int64) bool { return seconds > 0 && seconds <= math.MaxUint32 }
