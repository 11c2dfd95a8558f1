package integration

import (
	"context"
	"errors"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

const crdFile = "../../deploy/crd/api.storageos.com_volumes.yaml"

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// currentCRD is the CRD as it is shipped.
func currentCRD(*unstructured.Unstructured) {}

// olderCRD makes it the one of the replaced program, which knows none of the
// added fields.
func olderCRD(crd *unstructured.Unstructured) {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	version := versions[0].(map[string]any)
	delete(version, "additionalPrinterColumns")
	delete(version, "selectableFields")
	for _, field := range []string{"capacity", "conditions", "health", "persistentVolume", "ready"} {
		unstructured.RemoveNestedField(version, "schema", "openAPIV3Schema", "properties", "status", "properties", field)
	}
	_ = unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")
	unstructured.RemoveNestedField(crd.Object, "spec", "names", "categories")
}

// applyCRD installs the CRD, or puts it in the place of the one that is there,
// and waits until records can be listed.
func (e *env) applyCRD(change func(*unstructured.Unstructured)) {
	e.t.Helper()
	e.must(e.putCRD(change))
	e.eventually("the CRD is served", 20*time.Second, func() error {
		_, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
		return err
	})
}

// putCRD does so without waiting.
func (e *env) putCRD(change func(*unstructured.Unstructured)) error {
	text, err := os.ReadFile(crdFile)
	if err != nil {
		return err
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		return err
	}
	change(crd)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = dynamic.NewForConfigOrDie(e.config).Resource(crds).Apply(ctx, crd.GetName(), crd, metav1.ApplyOptions{FieldManager: "test", Force: true})
	return err
}

// deleteCRD deletes the CRD, and waits until it and its records are gone.
func (e *env) deleteCRD() {
	e.t.Helper()
	client := dynamic.NewForConfigOrDie(e.config).Resource(crds)
	e.must(client.Delete(context.Background(), "volumes.api.storageos.com", metav1.DeleteOptions{}))
	e.eventually("the CRD is gone", 30*time.Second, func() error {
		_, err := client.Get(context.Background(), "volumes.api.storageos.com", metav1.GetOptions{})
		if err == nil {
			return errors.New("it is there")
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}
