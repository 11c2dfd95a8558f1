package integration

import (
	"context"
	"errors"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const crdFile = "../../deploy/crd/api.storageos.com_volumes.yaml"

// installCRD installs the CRD and waits until records can be listed.
func (e *env) installCRD(config *rest.Config) {
	e.t.Helper()
	text, err := os.ReadFile(crdFile)
	e.must(err)
	crd := &unstructured.Unstructured{}
	e.must(yaml.Unmarshal(text, &crd.Object))
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	_, err = dynamic.NewForConfigOrDie(config).Resource(crds).Create(context.Background(), crd, metav1.CreateOptions{})
	e.must(err)
	e.eventually("the CRD is served", 20*time.Second, func() error {
		list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
		if err == nil && list.ResourceVersion == "" {
			return errors.New("an empty answer")
		}
		return err
	})
}
