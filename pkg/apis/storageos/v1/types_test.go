package v1

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// fullRecord sets every field there is, to values that no other field has, so
// that two fields with swapped names show.
const fullRecord = `{
  "apiVersion": "api.storageos.com/v1",
  "kind": "Volume",
  "metadata": {
    "name": "pvc-1",
    "labels": {"api.storageos.com/volume-id": "volume-1"},
    "annotations": {
      "api.storageos.com/namespace-id": "namespace-1",
      "api.storageos.com/cluster-id": "cluster-1",
      "api.storageos.com/absent-since": "2026-02-03T04:05:06Z"
    }
  },
  "spec": {
    "configLabels": {"storageos.com/replicas": "2"},
    "description": "a description",
    "fsType": "ext4",
    "nfs": {
      "exports": [{
        "exportID": 9007199254740993,
        "path": "/path",
        "pseudoPath": "/pseudo",
        "acls": [{
          "accessLevel": "rw",
          "identity": {"identityType": "cidr", "matcher": "10.0.0.0/8"},
          "squashConfig": {"uid": 1001, "gid": 1002, "squash": "root"}
        }]
      }],
      "serviceEndpoint": "10.1.1.1:2049"
    },
    "replicas": 2,
    "sizeBytes": 5368709120,
    "strategy": 3
  },
  "status": {
    "attachedOn": "node-1",
    "attachedOnHost": "host-1",
    "attachmentType": "host",
    "consumerCount": 4,
    "master": {"health": "online", "hostname": "host-2", "id": "deployment-2", "nodeID": "node-2", "promotable": true},
    "replicas": [{
      "health": "syncing", "hostname": "host-3", "id": "deployment-3", "nodeID": "node-3", "promotable": false,
      "syncProgress": {"bytesRemaining": 9223372036854775807, "estimatedSecondsRemaining": 6, "throughputBytes": 7}
    }],
    "volumeId": "volume-1",
    "capacity": "5Gi",
    "health": "Degraded",
    "ready": "1/3",
    "persistentVolume": {
      "name": "pvc-1",
      "phase": "Bound",
      "reclaimPolicy": "Delete",
      "claim": {"namespace": "default", "name": "data"}
    },
    "conditions": [{
      "type": "Present", "status": "True", "observedGeneration": 8,
      "lastTransitionTime": "2026-01-02T03:04:05Z", "reason": "Listed", "message": "a message"
    }]
  }
}`

func TestVolumeJSON(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		in   string
		// want is what comes back; as it went in if empty.
		want string
	}{
		{
			name: "every field",
			in:   fullRecord,
		},
		{
			name: "nothing set",
			in:   `{}`,
			want: `{"metadata": {}, "spec": {}, "status": {}}`,
		},
		{
			name: "a replica that may not be promoted says so",
			in:   `{"status": {"master": {}, "replicas": [{"id": "deployment-1"}]}}`,
			want: `{"metadata": {}, "spec": {}, "status": {
				"master": {"promotable": false},
				"replicas": [{"id": "deployment-1", "promotable": false}]}}`,
		},
		{
			name: "a record of an older program",
			in: `{"apiVersion": "api.storageos.com/v1", "kind": "Volume", "metadata": {"name": "pvc-2"},
				"spec": {"configLabels": {"a": "b"}, "nfs": {}, "sizeBytes": 1},
				"status": {"volumeId": "volume-2", "attachmentType": "detached"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			// A misspelt field name would be dropped in silence, so a field
			// that the types do not know is an error here.
			decoder := json.NewDecoder(bytes.NewReader([]byte(tt.in)))
			decoder.DisallowUnknownFields()
			var volume Volume
			if err := decoder.Decode(&volume); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(volume.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if diff := cmp.Diff(decode(t, []byte(want)), decode(t, got)); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
		})
	}
}

// fullRecord must stay what its name says: it has every field of the tables that
// the CRD is checked against.
func TestFullRecordIsFull(t *testing.T) {
	t.Parallel()

	got := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		got[path] = true
		switch value := value.(type) {
		case map[string]any:
			if path == "spec.configLabels" {
				return
			}
			for name, child := range value {
				walk(path+"."+name, child)
			}
		case []any:
			for _, child := range value {
				walk(path+"[]", child)
			}
		}
	}
	record, ok := decode(t, []byte(fullRecord)).(map[string]any)
	if !ok {
		t.Fatal("fullRecord is not an object")
	}
	walk("spec", record["spec"])
	walk("status", record["status"])

	for _, table := range []map[string]string{fieldsOfOlderCRD, fieldsAdded} {
		for path := range table {
			if !got[path] {
				t.Errorf("fullRecord lacks %s", path)
			}
		}
	}
}

// decode keeps numbers as they are written: a float64 would hide a lost digit.
func decode(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestScheme(t *testing.T) {
	t.Parallel()

	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		object runtime.Object
		want   schema.GroupVersionKind
	}{
		{&Volume{}, schema.GroupVersionKind{Group: "api.storageos.com", Version: "v1", Kind: "Volume"}},
		{&VolumeList{}, schema.GroupVersionKind{Group: "api.storageos.com", Version: "v1", Kind: "VolumeList"}},
	}
	for _, tt := range tests {
		t.Run(tt.want.Kind, func(t *testing.T) {
			t.Parallel()
			kinds, _, err := scheme.ObjectKinds(tt.object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]schema.GroupVersionKind{tt.want}, kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}

	if got, want := Kind("Volume").String(), "Volume.api.storageos.com"; got != want {
		t.Errorf("Kind: %s, want %s", got, want)
	}
	if got, want := Resource("volumes").String(), "volumes.api.storageos.com"; got != want {
		t.Errorf("Resource: %s, want %s", got, want)
	}
}
