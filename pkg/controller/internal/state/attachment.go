package state

import (
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Attachment is what the cache keeps of a VolumeAttachment. One of another driver, or of no
// PersistentVolume, keeps only its name.
type Attachment struct {
	Name            string
	ResourceVersion string
	PVName          string
	Attached        bool
}

// NewAttachment takes down what the cache keeps of a VolumeAttachment.
func NewAttachment(a *storagev1.VolumeAttachment, driver string) *Attachment {
	kept := &Attachment{Name: a.Name, ResourceVersion: a.ResourceVersion}
	if pv := a.Spec.Source.PersistentVolumeName; a.Spec.Attacher == driver && pv != nil {
		kept.PVName, kept.Attached = *pv, a.Status.Attached
	}
	return kept
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key and the resource
// version.
func (a *Attachment) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: a.Name, ResourceVersion: a.ResourceVersion}
}
