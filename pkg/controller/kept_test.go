package controller

import (
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// keepAll is a reconciler that has everything of so many volumes, at rest.
func keepAll(t testing.TB, volumes int) *Reconciler {
	t.Helper()
	const namespaces = 50
	r, err := NewReconciler(Options{
		Settings: DefaultSettings(), Kubernetes: struct{ kubernetes.Interface }{}, Records: &memory{},
		StorageOS: storageostest.New(nil), Events: silent{}, Metrics: metrics.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &source.Listing{Begun: time.Now(), Cluster: string(uuid.NewUUID()), Verified: true}
	for n := range namespaces {
		ns := string(uuid.NewUUID())
		reading := r.view.Read(l, ns)
		for i := range volumes / namespaces {
			raw := recordtest.Listed(ns, n, i)
			v, err := storageos.DecodeVolume(raw)
			if err != nil {
				t.Fatal(err)
			}
			c, err := record.FromVolume(v, ns, nil)
			if err != nil {
				t.Fatal(err)
			}
			pv := cached[*state.PV](t, r.caches.TrimPV, persistentVolumeOf(v))
			r.put(t, pv, nil)
			r.put(t, nil, cached[*state.Record](t, r.caches.TrimRecord, recordtest.Written(c, l.Cluster, pv)))
			hash := uint64(n*volumes + i + 1)
			reading.Show(v.Id, hash)
			reading.Store(v.Id, hash, digestOf(c), "")
		}
		reading.Close(storageos.Fingerprint{}, true)
	}
	r.view.End(l, true)
	for _, id := range r.everyID() {
		if _, d := r.decide(id, false); d.Verdict != policy.Keep {
			t.Fatalf("the record of %s does not say what it should: %+v", id, d)
		}
	}
	return r
}

func persistentVolumeOf(v *storageos.Volume) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: v.Name, UID: uuid.NewUUID(), ResourceVersion: "1234567", CreationTimestamp: metav1.Now()},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: DefaultSettings().CSIDriver, VolumeHandle: v.NamespaceID + "/" + v.Id,
			}},
			ClaimRef: &corev1.ObjectReference{
				Namespace: v.Labels["csi.storage.k8s.io/pvc/namespace"], Name: v.Labels["csi.storage.k8s.io/pvc/name"],
			},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	}
}

// cached is what the cache keeps of an object that was sent by the API server:
// no string is shared with another object.
func cached[T any, O any](t testing.TB, trim func(any) (any, error), obj *O) T {
	t.Helper()
	raw, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	received := new(O)
	if err := json.Unmarshal(raw, received); err != nil {
		t.Fatal(err)
	}
	kept, err := trim(received)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(T)
}
