package main

import (
	"context"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// install applies what is in files, an object each, as `kubectl apply` does, which need not
// be there.
func install(ctx context.Context, config *rest.Config, files ...string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var obj unstructured.Unstructured
		if err := yaml.Unmarshal(text, &obj.Object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		resource, _ := meta.UnsafeGuessKindToResource(obj.GroupVersionKind())
		if _, err := client.Resource(resource).Apply(ctx, obj.GetName(), &obj, metav1.ApplyOptions{FieldManager: "demo"}); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	// An API server serves what a CRD describes a moment later.
	return wait(ctx, func() (bool, error) {
		_, err := client.Resource(v1.SchemeGroupVersion.WithResource("volumes")).List(ctx, metav1.ListOptions{Limit: 1})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}
