package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// withRole names who has the right that is missing, if that is what an error is about.
func withRole(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: the ClusterRole storageos-volume-sync-on-call has that right", err)
	}
	return err
}

// both reads records and PersistentVolumes, of which there may be many, at the same time.
func (c *cli) both(ctx context.Context, kube kubernetes.Interface, client versioned.Interface) ([]v1.Volume, []corev1.PersistentVolume, error) {
	var pvs []corev1.PersistentVolume
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { pvs, failed = c.listPersistentVolumes(ctx, kube) })
	records, err := c.completeRecords(ctx, kube, client)
	wg.Wait()
	return records, pvs, errors.Join(err, failed)
}

// theirs are the records that describe volumes, of several of one volume the one that counts.
func theirs(records []v1.Volume) []v1.Volume {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b v1.Volume) int { return recordRank(&a).Compare(recordRank(&b)) })
	seen := map[string]bool{}
	return slices.DeleteFunc(records, func(r v1.Volume) bool {
		id := identity(&r)
		known := seen[id]
		seen[id] = true
		return id == "" || known
	})
}

// selectNodes are the names of nodes with labels.
func selectNodes(ctx context.Context, kube kubernetes.Interface, selector string) ([]string, error) {
	nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing nodes with the labels %q: %w", selector, withRole(err))
	}
	var names []string
	for _, n := range nodes.Items {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no node has the labels %q: see `kubectl get nodes --show-labels`", selector)
	}
	slices.Sort(names)
	return names, nil
}

// csiNodes are the IDs that the driver has given to the nodes of Kubernetes, by their names.
func (c *cli) csiNodes(ctx context.Context, kube kubernetes.Interface) (map[string]string, error) {
	ids := map[string]string{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := kube.StorageV1().CSINodes().List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing CSINodes, which say which of StorageOS's nodes a node is: %w", withRole(err))
		}
		for _, n := range list.Items {
			for _, driver := range n.Spec.Drivers {
				if driver.Name == c.csiDriver {
					ids[n.Name] = driver.NodeID
				}
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return ids, nil
		}
	}
}

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// olderCRD says what the CRD of the records drops, "" if it drops nothing.
func (c *cli) olderCRD(ctx context.Context) (string, error) {
	config, err := c.config.ToRESTConfig()
	if err != nil {
		return "", err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return "", err
	}
	crd, err := client.Resource(crdResource).Get(ctx, record.CRDName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", errNoCRD
	}
	if err != nil {
		return "", fmt.Errorf("looking whether the CRD of the records keeps all that is written: %w", withRole(err))
	}
	if lacks := record.LackingFields(crd.Object); len(lacks) > 0 {
		return fmt.Sprintf("the CRD of the records is older than this plugin and drops %s (the current one: deploy/crd, or crds.yaml of the release)", strings.Join(lacks, ", ")), nil
	}
	return "", nil
}
