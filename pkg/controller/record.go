package controller

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// record is what the cache keeps of a record: who it is and, as hashes, what it
// says.
type record struct {
	name            string
	uid             types.UID
	resourceVersion string
	created         time.Time
	terminating     bool

	labelID     string // from the label, its identity
	statusID    string // from status.volumeId: all that the replaced program wrote
	namespaceID string // of StorageOS
	clusterID   string // of StorageOS
	state       state
	digest      digest
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (r *record) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: r.name, UID: r.uid, ResourceVersion: r.resourceVersion}
}

// same tells whether two states of one record are the same to a reconcile.
func (r *record) same(q *record) bool {
	a, b := *r, *q
	a.resourceVersion, b.resourceVersion = "", ""
	return a == b
}

// ref names the record in an event.
func (r *record) ref() *corev1.ObjectReference {
	return recordRef(r.name, r.uid)
}

func recordRef(name string, uid types.UID) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1.SchemeGroupVersion.String(), Kind: "Volume", Name: name, UID: uid,
	}
}

// ids are the volume IDs under which a record may be looked up.
func (r *record) ids() []string {
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
func (r *record) identity(lists func(id string) bool) string {
	switch {
	case r.statusID == "" || r.labelID == r.statusID:
		return r.labelID
	case r.labelID != "" && lists(r.labelID):
		return r.labelID
	default:
		return r.statusID
	}
}

// newRecord takes down what the cache keeps of a record.
func newRecord(obj *v1.Volume) *record {
	c := contentOfRecord(obj)
	d := c.digest()
	return &record{
		name:            obj.Name,
		uid:             obj.UID,
		resourceVersion: obj.ResourceVersion,
		created:         obj.CreationTimestamp.Time,
		terminating:     obj.DeletionTimestamp != nil,
		labelID:         obj.Labels[v1.LabelVolumeID],
		statusID:        obj.Status.VolumeID,
		namespaceID:     obj.Annotations[v1.AnnotationNamespaceID],
		clusterID:       obj.Annotations[v1.AnnotationClusterID],
		state:           stateOf(obj, d.content),
		digest:          d,
	}
}

// trimRecord is the transform of the informer.
func trimRecord(obj any) (any, error) {
	if r, ok := obj.(*v1.Volume); ok {
		return newRecord(r), nil
	}
	return obj, nil // trimmed before, or a tombstone
}

var recordIndexers = cache.Indexers{
	byVolumeID: func(obj any) ([]string, error) {
		r, ok := obj.(*record)
		if !ok {
			return nil, fmt.Errorf("the cache of records holds a %T", obj)
		}
		return r.ids(), nil
	},
}

// chooseRecord picks, out of all records with one ID, the one that counts: the
// oldest, then the first by name. The others are copies that somebody made.
func chooseRecord(all []*record) (counts *record, copies []*record) {
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *record) int {
		if c := a.created.Compare(b.created); c != 0 {
			return c
		}
		return cmp.Compare(a.name, b.name)
	})
	return all[0], all[1:]
}

// recordCount counts the records, and those that name a StorageOS cluster.
type recordCount struct{ all, named atomic.Int64 }

func (c *recordCount) change(old, obj *record) {
	c.add(obj, 1)
	c.add(old, -1)
}

func (c *recordCount) add(r *record, n int64) {
	if r == nil {
		return
	}
	c.all.Add(n)
	if r.clusterID != "" {
		c.named.Add(n)
	}
}
