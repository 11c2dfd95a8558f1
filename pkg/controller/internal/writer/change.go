package writer

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Change is what the record of a volume should say.
type Change struct {
	VolumeID string
	Content  *record.Content // nil: the content is right as it is
	SpecHash uint64          // of the content
	Summary  state.Summary
	Cluster  string // "" leaves it as it is
	Unsure   bool   // the record may say already what the cache does not know of
	Now      metav1.Time

	// Of a record that is not there yet.
	PVName string                          // the name of its PersistentVolume, "" if there is none
	Waits  func(holder *state.Record) bool // whether it waits for its name, which that record has
}

// apply changes a record to what it should say.
func (c *Change) apply(r *v1.Volume) {
	if c.Content != nil {
		c.Content.Apply(r)
	}
	if c.Cluster != "" {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationClusterID, c.Cluster)
	}
	c.Summary.Apply(r, c.Now.Time)
}

// patches lead from a record to what it should say.
func (c *Change) patches(from *v1.Volume, anew map[string]any) (patches, error) {
	to := from.DeepCopy()
	c.apply(to)
	return diff(from, to, anew)
}
