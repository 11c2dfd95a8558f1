package controller

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// recordState is what the cache keeps of a record: who it is and, as hashes, what it
// says, in few bytes.
type recordState struct {
	name            string
	uid             uid
	resourceVersion string
	created         int64 // Unix seconds
	terminating     bool
	plain           bool // its outline tells what a write has to know

	labelID     string         // from the label, its identity
	statusID    string         // from status.volumeId: all that the replaced program wrote
	namespaceID shared[string] // of StorageOS
	clusterID   shared[string] // of StorageOS
	state       state
	progress    uint64 // hash of the sync progress
	copies      well   // how the volume is by its copies in the record, whatever that says

	// What a write has to know, so that it need not read the record.
	specHash uint64
	times    times // of the conditions
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (r *recordState) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: r.name, ResourceVersion: r.resourceVersion}
}

func (r *recordState) key() string { return r.name }

// same tells whether two states of one record are the same to a reconcile.
func (r *recordState) same(q *recordState) bool {
	a, b := *r, *q
	a.resourceVersion, b.resourceVersion = "", ""
	return a == b
}

// olderThan compares two states of one record by their resource versions, which Kubernetes
// counts upwards. Of others nothing is known.
func (r *recordState) olderThan(q *recordState) bool {
	order, err := resourceversion.CompareResourceVersion(r.resourceVersion, q.resourceVersion)
	return err == nil && order < 0
}

// ref names the record in an event.
func (r *recordState) ref() *corev1.ObjectReference {
	return recordRef(r.name, r.uid.unpack())
}

func recordRef(name string, uid types.UID) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1.SchemeGroupVersion.String(), Kind: "Volume", Name: name, UID: uid,
	}
}

// ids are the volume IDs under which a record may be looked up.
func (r *recordState) ids() []string {
	switch {
	case r.labelID == "" && r.statusID == "":
		return nil // not ours
	case r.labelID == "" || r.labelID == r.statusID:
		return []string{r.statusID}
	case r.statusID == "":
		return []string{r.labelID}
	default:
		return []string{r.labelID, r.statusID}
	}
}

// identity is the ID of the volume that the record describes. Where label and
// status differ (somebody edited one of them) the label wins if StorageOS has
// that volume, otherwise the status.
func (r *recordState) identity(lists func(id string) bool) string {
	switch {
	case r.statusID == "" || r.labelID == r.statusID:
		return r.labelID
	case r.labelID != "" && lists(r.labelID):
		return r.labelID
	default:
		return r.statusID
	}
}

// newRecordState takes down what the cache keeps of a record.
func newRecordState(obj *v1.Volume) *recordState {
	c := record.FromRecord(obj)
	d, spec := digestContent(c)
	return &recordState{
		name:            obj.Name,
		uid:             packUID(obj.UID),
		resourceVersion: obj.ResourceVersion,
		created:         obj.CreationTimestamp.Unix(),
		terminating:     obj.DeletionTimestamp != nil,
		labelID:         obj.Labels[v1.LabelVolumeID],
		statusID:        obj.Status.VolumeID,
		namespaceID:     share(obj.Annotations[v1.AnnotationNamespaceID]),
		clusterID:       share(obj.Annotations[v1.AnnotationClusterID]),
		state:           stateOf(obj, d.content),
		progress:        d.progress,
		copies:          d.health,
		specHash:        spec,
		times:           timesOf(obj),
		plain:           plain(obj),
	}
}

// chooseRecord picks, out of all records with one ID, the one that counts: the
// oldest, then the first by name. The others are copies that somebody made.
func chooseRecord(all []*recordState) (counts *recordState, copies []*recordState) {
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *recordState) int {
		if c := cmp.Compare(a.created, b.created); c != 0 {
			return c
		}
		return cmp.Compare(a.name, b.name)
	})
	return all[0], all[1:]
}
