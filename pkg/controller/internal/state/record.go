package state

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Record is what the cache keeps of a record: who it is and, as hashes, what it
// says, in few bytes.
type Record struct {
	Name            string
	UID             UID
	ResourceVersion string
	Created         int64 // Unix seconds
	Terminating     bool
	Plain           bool // its outline tells what a write has to know

	LabelID      string           // from the label, its identity
	StatusID     string           // from status.volumeId: all that the replaced program wrote
	NamespaceID  Interned[string] // of StorageOS
	ClusterID    Interned[string] // of StorageOS
	Summary      Summary
	Progress     uint64 // hash of the sync progress
	CopiesHealth Health // how the volume is by its copies in the record, whatever that says

	// What a write has to know, so that it need not read the record.
	SpecHash uint64
	times    times // of the conditions
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (r *Record) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: r.Name, ResourceVersion: r.ResourceVersion}
}

// Key is its key in the cache.
func (r *Record) Key() string { return r.Name }

// NamesVolume tells whether it names a volume, in its label or in its status.
func (r *Record) NamesVolume() bool { return r.LabelID != "" || r.StatusID != "" }

// Same tells whether two states of one record are the same to a reconcile.
func (r *Record) Same(q *Record) bool {
	a, b := *r, *q
	a.ResourceVersion, b.ResourceVersion = "", ""
	return a == b
}

// OlderThan compares two states of one record by their resource versions, which Kubernetes
// counts upwards. Of others nothing is known.
func (r *Record) OlderThan(q *Record) bool {
	order, err := resourceversion.CompareResourceVersion(r.ResourceVersion, q.ResourceVersion)
	return err == nil && order < 0
}

// Whole tells whether the health in a record is that of its copies. Between the two halves of
// a write it is not, nor before the record has its status, nor while its volume is absent.
// An older CRD keeps no health: there a half passes for a whole.
func (r *Record) Whole() bool {
	return r.CopiesHealth != Health{} && (r.Summary.Health == r.CopiesHealth || r.Summary.Health == Health{})
}

// Ref names the record in an event.
func (r *Record) Ref() *corev1.ObjectReference {
	return RecordRef(r.Name, r.UID.Text())
}

// RecordRef names a record in an event.
func RecordRef(name string, uid types.UID) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1.SchemeGroupVersion.String(), Kind: "Volume", Name: name, UID: uid,
	}
}

// IDs are the volume IDs under which a record may be looked up.
func (r *Record) IDs() []string {
	switch {
	case r.LabelID == "" && r.StatusID == "":
		return nil // not ours
	case r.LabelID == "" || r.LabelID == r.StatusID:
		return []string{r.StatusID}
	case r.StatusID == "":
		return []string{r.LabelID}
	default:
		return []string{r.LabelID, r.StatusID}
	}
}

// HasID tells whether that is one of its IDs.
func (r *Record) HasID(id string) bool { return id != "" && (id == r.LabelID || id == r.StatusID) }

// Identity is the ID of the volume that the record describes. Where label and
// status differ (somebody edited one of them) the label wins if StorageOS has
// that volume, otherwise the status.
func (r *Record) Identity(lists func(id string) bool) string {
	switch {
	case r.StatusID == "" || r.LabelID == r.StatusID:
		return r.LabelID
	case r.LabelID != "" && lists(r.LabelID):
		return r.LabelID
	default:
		return r.StatusID
	}
}

// SaysUnclaimed tells whether a record, nil if there is none, says that nobody claims its
// volume. Where it did so before this process saw that, there has been an event.
func (r *Record) SaysUnclaimed() bool {
	return r != nil && r.Summary.Bound.Value().Reason == record.ReasonUnclaimed
}

// NewRecord takes down what the cache keeps of a record.
func NewRecord(obj *v1.Volume) *Record {
	c := record.FromRecord(obj)
	d, spec := DigestContent(c)
	return &Record{
		Name:            obj.Name,
		UID:             UIDOf(obj.UID),
		ResourceVersion: obj.ResourceVersion,
		Created:         obj.CreationTimestamp.Unix(),
		Terminating:     obj.DeletionTimestamp != nil,
		LabelID:         obj.Labels[v1.LabelVolumeID],
		StatusID:        obj.Status.VolumeID,
		NamespaceID:     Intern(obj.Annotations[v1.AnnotationNamespaceID]),
		ClusterID:       Intern(obj.Annotations[v1.AnnotationClusterID]),
		Summary:         SummaryOf(obj, d.Content),
		Progress:        d.Progress,
		CopiesHealth:    d.Health,
		SpecHash:        spec,
		times:           timesOf(obj),
		Plain:           plain(obj),
	}
}

// ChooseRecord picks, out of all records with one ID, the one that counts. The others are
// copies that somebody made.
func ChooseRecord(all []*Record) (counts *Record, copies []*Record) {
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *Record) int { return a.rank().Compare(b.rank()) })
	return all[0], all[1:]
}

func (r *Record) rank() record.Rank { return record.Rank{Created: r.Created, Name: r.Name} }
