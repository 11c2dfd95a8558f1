package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// volumes is how many there are at the start.
const volumes = 50

// story is what happens to the volumes of the demo.
type story struct {
	sim     *simulator.Simulator
	kube    kubernetes.Interface
	records versioned.Interface
	volumes []simulator.Filled
	passing []simulator.Filled // those that will be deleted, the next one first
	turn    int
}

func newStory(sim *simulator.Simulator, kubeconfig string) (*story, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	s := &story{sim: sim}
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	s.records, err = versioned.NewForConfig(config)
	return s, err
}

// fill makes the volumes that are there at the start, and PersistentVolumes for
// those that the CSI driver made.
func (s *story) fill(ctx context.Context) error {
	all := s.sim.Fill(simulator.FillOptions{Namespaces: 4, Nodes: 3, Volumes: volumes, CSI: volumes - 4})
	s.volumes, s.passing = all[1:], all[:1]
	for _, f := range all {
		if f.PVCName == "" {
			continue
		}
		if err := s.makePersistentVolume(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) makePersistentVolume(ctx context.Context, f simulator.Filled) error {
	_, err := s.kube.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: f.Name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI)},
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: "csi.storageos.com", VolumeHandle: f.Handle(),
			}},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			StorageClassName:              "storageos",
			ClaimRef:                      &corev1.ObjectReference{Namespace: f.PVCNamespace, Name: f.PVCName},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("making PersistentVolume %s: %w", f.Name, err)
	}
	return nil
}

// replicated picks a volume that has a replica, another one each time.
func (s *story) replicated(n int) simulator.Filled {
	var all []simulator.Filled
	for _, f := range s.volumes {
		if f.Replicas > 0 {
			all = append(all, f)
		}
	}
	return all[n%len(all)]
}

// elsewhere is a node on which a volume is not attached.
func (s *story) elsewhere(f simulator.Filled) simulator.Node {
	nodes := s.sim.Nodes()
	if v, err := s.sim.Volume(f.NamespaceID, f.ID); err == nil && v.AttachedOn == nodes[0].ID {
		return nodes[1]
	}
	return nodes[0]
}

// next makes the next change: attach, a failing replica, its return, a resize, a
// new volume, a deleted one.
func (s *story) next(ctx context.Context) error {
	f := s.replicated(s.turn / 6)
	step := s.turn % 6
	s.turn++
	switch step {
	case 0:
		node := s.elsewhere(f)
		return s.change(f, "is attached on "+node.Name, func(v *simulator.Volume) {
			v.AttachedOn, v.AttachmentType = node.ID, "host"
		})
	case 1:
		return s.change(f, "has a failed replica", replicaHealth("failed"))
	case 2:
		return s.change(f, "has its replica again", replicaHealth("ready"))
	case 3:
		return s.change(f, "grows by 1 GiB", func(v *simulator.Volume) { v.SizeBytes += 1 << 30 })
	case 4:
		made := s.sim.Fill(simulator.FillOptions{Volumes: 1, CSI: 1})
		s.passing = append(s.passing, made...)
		said("StorageOS", made[0].Name, "is made")
		return s.makePersistentVolume(ctx, made[0])
	default:
		f := s.passing[0]
		s.passing = s.passing[1:]
		if err := s.kube.CoreV1().PersistentVolumes().Delete(ctx, f.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
		said("StorageOS", f.Name, "is deleted, and its PersistentVolume")
		return s.sim.RemoveVolume(f.NamespaceID, f.ID)
	}
}

func (s *story) change(f simulator.Filled, what string, change func(*simulator.Volume)) error {
	said("StorageOS", f.Name, what)
	return s.sim.UpdateVolume(f.NamespaceID, f.ID, change)
}

func replicaHealth(health string) func(*simulator.Volume) {
	return func(v *simulator.Volume) {
		if len(v.Replicas) > 0 {
			v.Replicas[0].Health = health
		}
	}
}

// open waits until every volume that was there at the start has its record.
func (s *story) open(ctx context.Context) error {
	begun := time.Now()
	for {
		list, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		whole := 0
		for _, r := range list.Items {
			if r.Status.VolumeID != "" {
				whole++
			}
		}
		if whole >= volumes {
			said("record", fmt.Sprintf("%d records", whole), fmt.Sprintf("made in %.1f s, one for each volume", time.Since(begun).Seconds()))
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// watch prints a line for each change of a record.
func (s *story) watch(ctx context.Context) {
	informer := externalversions.NewSharedInformerFactory(s.records, 0).StorageOS().V1().Volumes().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) {}, // it says little before it has its status
		UpdateFunc: func(old, obj any) {
			before, after := line(old.(*v1.Volume)), line(obj.(*v1.Volume))
			if before != after {
				said("record", obj.(*v1.Volume).Name, after)
			}
		},
		DeleteFunc: func(obj any) {
			if r, ok := obj.(*v1.Volume); ok {
				said("record", r.Name, "deleted")
			}
		},
	})
	if err == nil {
		informer.RunWithContext(ctx)
	}
}

func line(r *v1.Volume) string {
	capacity, claim, attached := "-", "no claim", "detached"
	if q := r.Status.Capacity; q != nil {
		capacity = q.String()
	}
	if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil {
		claim = pv.Claim.Namespace + "/" + pv.Claim.Name
	}
	if r.Status.AttachedOnHost != "" {
		attached = "on " + r.Status.AttachedOnHost
	}
	absent := ""
	if r.Annotations[v1.AnnotationAbsentSince] != "" {
		absent = ", absent"
	}
	return fmt.Sprintf("%s, %s %s, %s, %s%s", capacity, r.Status.Health, r.Status.Ready, attached, claim, absent)
}

func said(who, name, what string) {
	fmt.Printf("%s  %-9s  %-42s  %s\n", time.Now().Format("15:04:05"), who, name, what)
}
