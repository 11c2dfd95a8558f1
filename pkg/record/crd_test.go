package record

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// crdOf is the CRD as it is shipped, without some fields of the status.
func crdOf(t testing.TB, without ...string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("../../deploy/crd/api.storageos.com_volumes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		t.Fatal(err)
	}
	for _, field := range without {
		unstructured.RemoveNestedField(schemaOf(crd), strings.Split("properties.status.properties."+field, ".")...)
	}
	return crd
}

// olderFields are those that the CRD of the replaced program lacks.
var olderFields = []string{"capacity", "conditions", "health", "persistentVolume", "ready"}

func schemaOf(crd *unstructured.Unstructured) map[string]any {
	version := crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	return version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
}

// A CRD is current if it keeps what is written, however it says so; what is not written
// it need not know.
func TestLackingFields(t *testing.T) {
	t.Parallel()
	set := func(value any, path string) func(*unstructured.Unstructured) {
		return func(crd *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(schemaOf(crd), value, strings.Split(path, ".")...); err != nil {
				t.Fatal(err)
			}
		}
	}
	const keep = "x-kubernetes-preserve-unknown-fields"
	older := []string{"status.capacity", "status.health", "status.ready", "status.persistentVolume", "status.conditions"}
	for name, tc := range map[string]struct {
		without []string
		change  func(*unstructured.Unstructured)
		want    []string
	}{
		"the one that is shipped":          {},
		"the one of the replaced program":  {without: olderFields, want: older},
		"one that lacks one field":         {without: []string{"ready"}, want: []string{"status.ready"}},
		"one that lacks what is unwritten": {without: []string{"consumerCount", "conditions.items.properties.observedGeneration"}},
		"one that lacks a field within":    {without: []string{"persistentVolume.properties.claim.properties.namespace"}, want: []string{"status.persistentVolume.claim.namespace"}},
		"one that lacks a field of a list": {without: []string{"conditions.items.properties.reason"}, want: []string{"status.conditions.reason"}},
		"one that lacks it deep in a list": {without: []string{"replicas.items.properties.syncProgress.properties.bytesRemaining"}, want: []string{"status.replicas.syncProgress.bytesRemaining"}},
		"a status that keeps all":          {without: olderFields, change: set(true, "properties.status."+keep)},
		"one that keeps all": {without: olderFields, change: func(crd *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(crd.Object, true, "spec", "preserveUnknownFields")
		}},
		"a status that says no":           {without: []string{"ready"}, change: set(false, "properties.status."+keep), want: []string{"status.ready"}},
		"a status without any properties": {change: set(map[string]any{"type": "object", keep: true}, "properties.status")},
		"a condition that keeps all":      {change: set(map[string]any{"type": "array", "items": map[string]any{"type": "object", keep: true}}, "properties.status.properties.conditions")},
		"a condition that keeps nothing": {
			change: set(map[string]any{"type": "object"}, "properties.status.properties.conditions.items"),
			want:   []string{"status.conditions.type", "status.conditions.status", "status.conditions.lastTransitionTime", "status.conditions.reason", "status.conditions.message"},
		},
		"labels that are dropped":           {change: set(map[string]any{"type": "object"}, "properties.spec.properties.configLabels"), want: []string{"spec.configLabels"}},
		"labels that are kept by another w": {change: set(map[string]any{"type": "object", keep: true}, "properties.spec.properties.configLabels")},
		"a version that is not served":      {change: func(crd *unstructured.Unstructured) { versionOf(crd)["served"] = false }, want: []string{"spec", "status"}},
		"another version":                   {change: func(crd *unstructured.Unstructured) { versionOf(crd)["name"] = "v2" }, want: []string{"spec", "status"}},
		"a second version":                  {change: func(crd *unstructured.Unstructured) { addVersion(crd, "v2") }},
		"no versions":                       {change: func(crd *unstructured.Unstructured) { unstructured.RemoveNestedField(crd.Object, "spec", "versions") }, want: []string{"spec", "status"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crd := crdOf(t, tc.without...)
			if tc.change != nil {
				tc.change(crd)
			}
			if diff := cmp.Diff(tc.want, LackingFields(crd.Object)); diff != "" {
				t.Errorf("it lacks (-want +got):\n%s", diff)
			}
		})
	}
}

func versionOf(crd *unstructured.Unstructured) map[string]any {
	return crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
}

// addVersion puts a version that knows nothing before the others.
func addVersion(crd *unstructured.Unstructured, name string) {
	spec := crd.Object["spec"].(map[string]any)
	spec["versions"] = append([]any{map[string]any{"name": name, "served": true}}, spec["versions"].([]any)...)
}

// Every field that is not written is a field of a record.
func TestUnwritten(t *testing.T) {
	t.Parallel()
	want := LackingFields(map[string]any{"spec": map[string]any{"versions": []any{map[string]any{
		"name": "v1", "served": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{}},
	}}}})
	if diff := cmp.Diff([]string{"spec", "status"}, want); diff != "" {
		t.Fatal(diff)
	}
	for _, path := range unwritten {
		crd := crdOf(t)
		at := strings.ReplaceAll(strings.Replace(path, "conditions.", "conditions.items.", 1), ".", ".properties.")
		at = strings.Replace(at, ".properties.items.properties.", ".items.properties.", 1)
		keys := strings.Split("properties."+at, ".")
		if _, ok, _ := unstructured.NestedMap(schemaOf(crd), keys...); !ok {
			t.Errorf("no record has %s", path)
		}
	}
}
