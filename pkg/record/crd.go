package record

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// CRDName is the name of the CRD of the records.
const CRDName = "volumes." + v1.GroupName

// unwritten are the fields of a record that are never written: a CRD may lack them.
var unwritten = []string{"spec.strategy", "status.consumerCount", "status.conditions.observedGeneration"}

// LackingFields tells which fields that are written a CRD drops, by the Go type of a
// record: a field that is added to it need not be named anywhere else. Of a part that is
// dropped as a whole only the part is named.
func LackingFields(crd map[string]any) []string {
	if all, _, _ := unstructured.NestedBool(crd, "spec", "preserveUnknownFields"); all {
		return nil
	}
	var lacks []string
	schema := servedSchema(crd)
	for _, part := range []struct {
		name string
		of   any
	}{{"spec", v1.VolumeSpec{}}, {"status", v1.VolumeStatus{}}} {
		lacks = append(lacks, lackingIn(schema, part.name, part.name, reflect.TypeOf(part.of))...)
	}
	return lacks
}

// servedSchema is the schema of the version that records are written in, nil if it is
// not served.
func servedSchema(crd map[string]any) map[string]any {
	versions, _, _ := unstructured.NestedSlice(crd, "spec", "versions")
	for _, v := range versions {
		version, _ := v.(map[string]any)
		if version["name"] == v1.SchemeGroupVersion.Version && version["served"] == true {
			schema, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema")
			return schema
		}
	}
	return nil
}

// lackingIn tells which fields below one of a schema's are dropped.
func lackingIn(schema map[string]any, name, path string, t reflect.Type) []string {
	property, ok, _ := unstructured.NestedMap(schema, "properties", name)
	if !ok {
		// Beside its properties, a map of values of one kind or one that is said to
		// keep what it does not know takes any.
		if _, anyValue := schema["additionalProperties"]; anyValue || schema["x-kubernetes-preserve-unknown-fields"] == true || slices.Contains(unwritten, path) {
			return nil
		}
		return []string{path}
	}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			property, _, _ = unstructured.NestedMap(property, "items")
		}
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Map && property["additionalProperties"] == nil && property["x-kubernetes-preserve-unknown-fields"] != true:
		return []string{path}
	case t.Kind() != reflect.Struct || isValue(t):
		return nil
	}
	var lacks []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		lacks = append(lacks, lackingIn(property, name, path+"."+name, field.Type)...)
	}
	return lacks
}

// isValue tells whether a struct is one value in JSON.
func isValue(t reflect.Type) bool {
	return t == reflect.TypeFor[resource.Quantity]() || t == reflect.TypeFor[metav1.Time]()
}
