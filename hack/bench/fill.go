package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// grow adds volumes with their PersistentVolumes until there are n of them.
func (b *bench) grow(ctx context.Context, n int) error {
	more := simulator.FillOptions{Volumes: n - len(b.filled), CSI: -1}
	if len(b.filled) == 0 {
		more.Namespaces, more.Nodes = namespaces, 5
	}
	added := b.sim.Fill(more)
	b.filled = append(b.filled, added...)
	return b.each(ctx, "PersistentVolumes", len(added), func(ctx context.Context, i int) error {
		return b.persistentVolume(ctx, added[i])
	})
}

func (b *bench) persistentVolume(ctx context.Context, f simulator.Filled) error {
	_, err := b.kube.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: f.Name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI)},
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: "csi.storageos.com", VolumeHandle: f.Handle(), FSType: f.FSType,
				VolumeAttributes: map[string]string{
					simulator.LabelPVName: f.Name, simulator.LabelPVCName: f.PVCName, simulator.LabelPVCNamespace: f.PVCNamespace,
				},
			}},
			ClaimRef:                      &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: f.PVCNamespace, Name: f.PVCName},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              "storageos",
		},
	}, metav1.CreateOptions{})
	return err
}

// each does something n times, by as many writers as the controller has, and
// shows how far it has come.
func (b *bench) each(ctx context.Context, what string, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range todo {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	said := time.Now()
	for i := 0; i < n && ctx.Err() == nil; i++ {
		todo <- i
		if time.Since(said) > 15*time.Second {
			said = time.Now()
			b.say("%s of %s %s", thousands(i+1), thousands(n), what)
		}
	}
	close(todo)
	wg.Wait()
	return context.Cause(ctx)
}
