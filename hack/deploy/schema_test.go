package deploy

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The schema refuses no field that Kubernetes knows.
func TestFieldsOfKubernetes(t *testing.T) {
	t.Parallel()
	type schema struct {
		Properties map[string]schema `json:"properties"`
		Items      *schema           `json:"items"`
	}
	raw, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var values schema
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	for value, of := range map[string]any{
		"securityContext": corev1.PodSecurityContext{}, "tolerations": corev1.Toleration{}, "imagePullSecrets": corev1.LocalObjectReference{},
	} {
		is := values.Properties[value]
		if is.Items != nil {
			is = *is.Items
		}
		for i := range reflect.TypeOf(of).NumField() {
			field, _, _ := strings.Cut(reflect.TypeOf(of).Field(i).Tag.Get("json"), ",")
			if _, known := is.Properties[field]; !known {
				t.Errorf("%s refuses %s", value, field)
			}
		}
	}
}
