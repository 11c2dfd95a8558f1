package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// storageClass is the one in storageclass.yaml.
const storageClass = "storageos"

// teams is in how many namespaces there are claims.
const teams = 4

// claims are how people have volumes: the rest is done by others.
type claims struct {
	kube kubernetes.Interface
	sim  *simulator.Simulator
}

func (claims) String() string {
	return fmt.Sprintf("%d claims", atFirst)
}

func (claims) how() string {
	return "are made; csi-provisioner asks StorageOS for their volumes"
}

func (c claims) begin(ctx context.Context) error {
	for i := range teams {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team(i)}}
		if _, err := c.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("making namespace %s: %w", ns.Name, err)
		}
	}
	return nil
}

func team(i int) string { return fmt.Sprintf("team-%02d", i%teams+1) }

// add makes a claim, as a person or a StatefulSet does.
func (c claims) add(ctx context.Context, n int) (item, error) {
	apps := []string{"postgres", "kafka", "redis", "mongo"}
	it := item{team(n), fmt.Sprintf("data-%s-%d", apps[n/teams%len(apps)], n/(teams*len(apps)))}
	class := storageClass
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: it.name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: *resource.NewQuantity(int64(sizeOf(n)), resource.BinarySI),
			}},
		},
	}
	if _, err := c.kube.CoreV1().PersistentVolumeClaims(it.namespace).Create(ctx, pvc, metav1.CreateOptions{}); err != nil {
		return it, fmt.Errorf("making claim %s: %w", it, err)
	}
	return it, nil
}

// grow changes what the claim asks for: csi-resizer sees to it.
func (c claims) grow(ctx context.Context, it item) (what string, _ error) {
	of := c.kube.CoreV1().PersistentVolumeClaims(it.namespace)
	pvc, err := of.Get(ctx, it.name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	size := pvc.Spec.Resources.Requests[corev1.ResourceStorage]
	size.Add(*resource.NewQuantity(1<<30, resource.BinarySI))
	patch := fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, size.String())
	_, err = of.Patch(ctx, it.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return "asks for " + size.String(), err
}

// remove deletes the claim: its volume and its PersistentVolume go with it.
func (c claims) remove(ctx context.Context, it item) (what string, _ error) {
	return "is deleted, its policy is Delete",
		c.kube.CoreV1().PersistentVolumeClaims(it.namespace).Delete(ctx, it.name, metav1.DeleteOptions{})
}

func (c claims) volume(ctx context.Context, it item) (simulator.Volume, error) {
	pvc, err := c.kube.CoreV1().PersistentVolumeClaims(it.namespace).Get(ctx, it.name, metav1.GetOptions{})
	if err != nil {
		return simulator.Volume{}, err
	}
	pv, err := c.kube.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return simulator.Volume{}, err
	}
	namespaceID, id, _ := strings.Cut(pv.Spec.CSI.VolumeHandle, "/")
	return c.sim.Volume(namespaceID, id)
}
