package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// storageClass is the one in storageclass.yaml.
const storageClass = "storageos"

// teams is in how many namespaces there are claims.
const teams = 4

// claim names a PersistentVolumeClaim.
type claim struct{ namespace, name string }

func (c claim) String() string { return c.namespace + "/" + c.name }

func (s *story) makeNamespaces(ctx context.Context) error {
	for i := range teams {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team(i)}}
		if _, err := s.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("making namespace %s: %w", ns.Name, err)
		}
	}
	return nil
}

func team(i int) string { return fmt.Sprintf("team-%02d", i%teams+1) }

// makeClaim makes a claim, as a person or a StatefulSet does. The rest is done by
// others.
func (s *story) makeClaim(ctx context.Context) (claim, error) {
	apps := []string{"postgres", "kafka", "redis", "mongo"}
	n := s.made
	s.made++
	c := claim{team(n), fmt.Sprintf("data-%s-%d", apps[n/teams%len(apps)], n/(teams*len(apps)))}
	class := storageClass
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: c.name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: *resource.NewQuantity(int64(2+n*7%30)<<30, resource.BinarySI),
			}},
		},
	}
	if _, err := s.kube.CoreV1().PersistentVolumeClaims(c.namespace).Create(ctx, pvc, metav1.CreateOptions{}); err != nil {
		return c, fmt.Errorf("making claim %s: %w", c, err)
	}
	s.claims = append(s.claims, c)
	return c, nil
}

// grow asks for 1 GiB more: csi-resizer sees to it.
func (s *story) grow(ctx context.Context, c claim) error {
	claims := s.kube.CoreV1().PersistentVolumeClaims(c.namespace)
	pvc, err := claims.Get(ctx, c.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	size := pvc.Spec.Resources.Requests[corev1.ResourceStorage]
	size.Add(*resource.NewQuantity(1<<30, resource.BinarySI))
	said("claim", c.String(), "asks for "+size.String())
	patch := fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, size.String())
	_, err = claims.Patch(ctx, c.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// deleteClaim deletes the oldest claim: its volume and its PersistentVolume go with
// it. Nothing uses the volume any more.
func (s *story) deleteClaim(ctx context.Context) error {
	c := s.claims[0]
	s.claims = s.claims[1:]
	v, err := s.volume(ctx, c)
	if err != nil {
		return err
	}
	if err := s.sim.UpdateVolume(v.NamespaceID, v.ID, func(v *simulator.Volume) {
		v.AttachedOn, v.AttachmentType = "", simulator.AttachmentDetached
	}); err != nil {
		return err
	}
	said("claim", c.String(), "is deleted, its policy is Delete")
	return s.kube.CoreV1().PersistentVolumeClaims(c.namespace).Delete(ctx, c.name, metav1.DeleteOptions{})
}
