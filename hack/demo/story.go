package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

const (
	claimed = 46 // volumes at the start that are made for claims
	byHand  = 4  // and those that somebody made with the CLI: nothing claims them
)

// story is what happens in the demo.
type story struct {
	sim     *simulator.Simulator
	kube    kubernetes.Interface
	records versioned.Interface
	claims  []claim // the first is the next to go
	made    int     // claims
	turn    int
}

func newStory(sim *simulator.Simulator, kubeconfig string) (*story, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	s := &story{sim: sim}
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	s.records, err = versioned.NewForConfig(config)
	return s, err
}

// open makes the volumes that are there at the start and waits until each has its
// record.
func (s *story) open(ctx context.Context) error {
	begun := time.Now()
	if err := s.makeNamespaces(ctx); err != nil {
		return err
	}
	for range claimed {
		if _, err := s.makeClaim(ctx); err != nil {
			return err
		}
	}
	said("claim", fmt.Sprintf("%d claims", claimed), "are made; csi-provisioner asks StorageOS for their volumes")
	return wait(ctx, func() (bool, error) {
		list, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		whole, bound := 0, 0
		for _, r := range list.Items {
			if r.Status.VolumeID != "" {
				whole++
			}
			if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil {
				bound++
			}
		}
		if whole < claimed+byHand || bound < claimed {
			return false, nil
		}
		said("record", fmt.Sprintf("%d records", whole),
			fmt.Sprintf("are there after %.1f s: one for each claim, and for %d volumes without", time.Since(begun).Seconds(), byHand))
		return true, nil
	})
}

// next makes the next change: attach, a failing replica, its return, a claim that
// grows, a new one, a deleted one.
func (s *story) next(ctx context.Context) error {
	c := s.claims[1+s.turn/6%(len(s.claims)-1)]
	step := s.turn % 6
	s.turn++
	switch step {
	case 0:
		v, err := s.volume(ctx, c)
		if err != nil {
			return err
		}
		node := s.elsewhere(v)
		return s.change(ctx, c, "is attached on "+node.Name, func(v *simulator.Volume) {
			v.AttachedOn, v.AttachmentType = node.ID, simulator.AttachmentHost
		})
	case 1:
		return s.change(ctx, c, "has a failed replica", replicaHealth(simulator.HealthFailed))
	case 2:
		return s.change(ctx, c, "has its replica again", replicaHealth(simulator.HealthReady))
	case 3:
		return s.grow(ctx, c)
	case 4:
		c, err := s.makeClaim(ctx)
		said("claim", c.String(), "is made")
		return err
	default:
		return s.deleteClaim(ctx)
	}
}

// elsewhere is a node on which a volume is not attached.
func (s *story) elsewhere(v simulator.Volume) simulator.Node {
	nodes := s.sim.Nodes()
	if v.AttachedOn == nodes[0].ID {
		return nodes[1]
	}
	return nodes[0]
}

// change changes the volume of a claim in StorageOS.
func (s *story) change(ctx context.Context, c claim, what string, change func(*simulator.Volume)) error {
	v, err := s.volume(ctx, c)
	if err != nil {
		return err
	}
	said("StorageOS", v.Name, what)
	return s.sim.UpdateVolume(v.NamespaceID, v.ID, change)
}

func replicaHealth(health string) func(*simulator.Volume) {
	return func(v *simulator.Volume) {
		if len(v.Replicas) > 0 {
			v.Replicas[0].Health = health
		}
	}
}

// volume is the volume of a claim.
func (s *story) volume(ctx context.Context, c claim) (simulator.Volume, error) {
	pvc, err := s.kube.CoreV1().PersistentVolumeClaims(c.namespace).Get(ctx, c.name, metav1.GetOptions{})
	if err != nil {
		return simulator.Volume{}, err
	}
	pv, err := s.kube.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return simulator.Volume{}, err
	}
	namespaceID, id, _ := strings.Cut(pv.Spec.CSI.VolumeHandle, "/")
	return s.sim.Volume(namespaceID, id)
}

// wait looks until what it waits for is there.
func wait(ctx context.Context, there func() (bool, error)) error {
	for {
		if ok, err := there(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
