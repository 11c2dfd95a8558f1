package state

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/pkg/record"
)

// PV is what the cache keeps of a PersistentVolume: what a
// reconcile reads of it and nothing else, in few bytes. One of another driver
// keeps only its name.
type PV struct {
	PVSummary
	UID             UID
	ResourceVersion string
	SizeBytes       int64 // its capacity

	NamespaceID Interned[string] // of StorageOS, from the handle
	VolumeID    string           // "" if it is not ours
	Created     uint32           // Unix seconds, until 2106: it and what follows take eight bytes
	Terminating bool
	Unreadable  bool // its handle names no volume, though it is of the driver
	// ClaimUID is that of the claim it is for, kept only if claims are told of events.
	ClaimUID UID
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (p *PV) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: p.Name, ResourceVersion: p.ResourceVersion}
}

// Key is its key in the cache.
func (p *PV) Key() string { return p.Name }

// IDs are the volume IDs under which a PersistentVolume is looked up: one, or none if its
// handle names no volume.
func (p *PV) IDs() []string {
	if p.VolumeID == "" {
		return nil
	}
	return []string{p.VolumeID}
}

// HasID tells whether that is one of its IDs.
func (p *PV) HasID(id string) bool { return id != "" && id == p.VolumeID }

// Same tells whether two states of one PersistentVolume are the same to a
// reconcile.
func (p *PV) Same(q *PV) bool {
	a, b := *p, *q
	a.ResourceVersion, b.ResourceVersion = "", ""
	return a == b
}

// Deletes tells whether the volume behind the PersistentVolume is meant to go.
func (p *PV) Deletes() bool {
	return record.MeantToGo(p.Terminating, p.Phase.Value(), p.ReclaimPolicy.Value())
}

// Ref names the PersistentVolume in an event.
func (p *PV) Ref() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolume", Name: p.Name, UID: p.UID.Text()}
}

// Claim names the claim in an event, nil if none is bound: one that has let go may be gone.
func (p *PV) Claim() *corev1.ObjectReference {
	if p.ClaimUID == (UID{}) || p.Phase.Value() != corev1.VolumeBound {
		return nil
	}
	return &corev1.ObjectReference{
		APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: p.ClaimNamespace.Value(), Name: p.ClaimName, UID: p.ClaimUID.Text(),
	}
}

// NewPV takes down what the cache keeps of a PersistentVolume.
func NewPV(pv *corev1.PersistentVolume, driver string) *PV {
	p := &PV{PVSummary: PVSummary{Name: pv.Name}, UID: UIDOf(pv.UID), ResourceVersion: pv.ResourceVersion}
	if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != driver {
		return p
	}
	namespaceID, volumeID, ok := record.ParseHandle(pv.Spec.CSI.VolumeHandle)
	if !ok {
		p.Unreadable = true
		return p
	}
	p.NamespaceID, p.VolumeID = Intern(namespaceID), strings.Clone(volumeID) // not the whole handle
	p.Created = uint32(pv.CreationTimestamp.Unix())
	p.Phase = Intern(pv.Status.Phase)
	p.SizeBytes = pv.Spec.Capacity.Storage().Value()
	p.ReclaimPolicy = Intern(pv.Spec.PersistentVolumeReclaimPolicy)
	p.Terminating = pv.DeletionTimestamp != nil
	if claim := pv.Spec.ClaimRef; claim != nil {
		p.ClaimNamespace, p.ClaimName, p.ClaimUID = Intern(claim.Namespace), claim.Name, claimUID(claim.UID)
	}
	return p
}

// ChoosePV picks the one that counts out of all that have one handle. Nil if there is none.
func ChoosePV(all []*PV) *PV {
	var best *PV
	for _, p := range all {
		if best == nil || p.rank().Compare(best.rank()) < 0 {
			best = p
		}
	}
	return best
}

func (p *PV) rank() record.Rank {
	return record.Rank{Bound: p.Phase.Value() == corev1.VolumeBound, Created: int64(p.Created), Name: p.Name}
}
