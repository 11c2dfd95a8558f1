// Package recordtest has volumes and records for tests.
package recordtest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Listed is a volume as StorageOS lists it: the i-th of the n-th namespace.
func Listed(namespaceID string, n, i int) []byte {
	name := "pvc-" + string(uuid.NewUUID())
	return fmt.Appendf(nil, `{"id":%q,"name":%q,"namespaceID":%q,"sizeBytes":5368709120,"fsType":"ext4",
		"labels":{"csi.storage.k8s.io/pv/name":%q,"csi.storage.k8s.io/pvc/name":"data-postgres-%d","csi.storage.k8s.io/pvc/namespace":"team-%d","storageos.com/replicas":"1"},
		"master":{"id":%q,"nodeID":%q,"health":"online"},"replicas":[{"id":%q,"nodeID":%q,"health":"ready"}]}`,
		uuid.NewUUID(), name, namespaceID, name, i, n, uuid.NewUUID(), uuid.NewUUID(), uuid.NewUUID(), uuid.NewUUID())
}

// Volume is such a volume, and what its record should say of it.
func Volume(t testing.TB) (*storageos.Volume, record.Content) {
	t.Helper()
	v, err := storageos.DecodeVolume(Listed("ns", 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := record.FromVolume(v, "ns", nil)
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

// Written is the record of a volume as the controller leaves it.
func Written(c record.Content, cluster string, pv *state.PV) *v1.Volume {
	r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{
		Name: pv.Name, UID: uuid.NewUUID(), ResourceVersion: "1234568", CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
	}}
	c.Apply(r)
	metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationClusterID, cluster)
	s := state.Summary{Health: state.Intern(c.HealthStatus()), PV: pv.PVSummary, Bound: state.BoundOf(pv), Present: state.PresentTrue}
	s.Apply(r, metav1.Now().Time)
	return r
}

// Patched is a record after a JSON merge patch.
func Patched(r *v1.Volume, patch map[string]any) (*v1.Volume, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	merge(object, patch)
	if raw, err = json.Marshal(object); err != nil {
		return nil, err
	}
	obj := &v1.Volume{}
	return obj, json.Unmarshal(raw, obj)
}

// merge applies a JSON merge patch.
func merge(object, patch map[string]any) {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(object, key)
		case map[string]any:
			inner, ok := object[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				object[key] = inner
			}
			merge(inner, value)
		default:
			object[key] = value
		}
	}
}
