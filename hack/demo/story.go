package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

const (
	atFirst = 46 // volumes that are made at the start
	byHand  = 4  // and those that somebody had made with the CLI: nothing claims them
)

// item is a claim or, without a namespace, a volume that nothing claims.
type item struct{ namespace, name string }

func (i item) String() string {
	if i.namespace == "" {
		return i.name
	}
	return i.namespace + "/" + i.name
}

// source is where volumes come from: claims, or StorageOS alone. What it has done to one it
// says in a few words.
type source interface {
	String() string // what is there at the start
	how() string    // that comes about

	begin(ctx context.Context) error
	add(ctx context.Context, number int) (item, error)
	grow(ctx context.Context, of item) (what string, err error)
	remove(ctx context.Context, it item) (what string, err error)
	volume(ctx context.Context, of item) (simulator.Volume, error)
}

// sizeOf is the size of a new volume, in bytes.
func sizeOf(number int) uint64 { return uint64(2+number*7%30) << 30 }

// story is what happens in the demo.
type story struct {
	sim     *simulator.Simulator
	records versioned.Interface
	source  source
	plugin  plugin
	who     string // does what the source does
	items   []item // the first is the next to go
	made    int
	turn    int
}

// newStory makes one with claims, which need a controller manager, or without.
func newStory(sim *simulator.Simulator, config *rest.Config, p plugin, withClaims bool) (*story, error) {
	records, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	s := &story{sim: sim, records: records, source: alone{sim}, plugin: p, who: "StorageOS"}
	if withClaims {
		kube, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		s.source, s.who = claims{kube, sim}, "claim"
	}
	return s, nil
}

// open makes the volumes that are there at the start and waits until each has its
// record.
func (s *story) open(ctx context.Context) error {
	begun := time.Now()
	if err := s.source.begin(ctx); err != nil {
		return err
	}
	for range atFirst {
		if _, err := s.add(ctx); err != nil {
			return err
		}
	}
	said(s.who, s.source.String(), s.source.how())
	return wait(ctx, func() (bool, error) {
		list, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		whole, claimed := 0, 0
		for _, r := range list.Items {
			if r.Status.VolumeID != "" {
				whole++
			}
			if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil {
				claimed++
			}
		}
		if whole < atFirst+byHand || s.items[0].namespace != "" && claimed < atFirst {
			return false, nil
		}
		said("record", fmt.Sprintf("%d records", whole),
			fmt.Sprintf("are there after %.1f s: %d of volumes that are claimed, %d of others", time.Since(begun).Seconds(), claimed, whole-claimed))
		return true, nil
	})
}

func (s *story) add(ctx context.Context) (item, error) {
	it, err := s.source.add(ctx, s.made)
	s.made++
	if err == nil {
		s.items = append(s.items, it)
	}
	return it, err
}

// next makes the next change: attach, a failing replica, of which it is asked what a drain
// would do, its return, one that grows, a
// new one, a deleted one.
func (s *story) next(ctx context.Context) error {
	it := s.items[1+s.turn/6%(len(s.items)-1)]
	step := s.turn % 6
	s.turn++
	switch step {
	case 0:
		v, err := s.source.volume(ctx, it)
		if err != nil {
			return err
		}
		node := s.elsewhere(v)
		return s.change(ctx, it, "is attached on "+node.Name, func(v *simulator.Volume) {
			v.AttachedOn, v.AttachmentType = node.ID, simulator.AttachmentHost
		})
	case 1:
		if err := s.change(ctx, it, "has a failed replica", replicaHealth(simulator.HealthFailed)); err != nil {
			return err
		}
		v, err := s.source.volume(ctx, it)
		if err != nil {
			return err
		}
		return s.ask(ctx, v)
	case 2:
		return s.change(ctx, it, "has its replica again", replicaHealth(simulator.HealthReady))
	case 3:
		what, err := s.source.grow(ctx, it)
		said(s.who, it.String(), what)
		return err
	case 4:
		begun := time.Now()
		it, err := s.add(ctx)
		said(s.who, it.String(), "is made")
		if err != nil || it.namespace == "" {
			return err
		}
		return s.recorded(ctx, it, begun)
	default:
		return s.remove(ctx)
	}
}

// recorded says how long it took from a claim to its record. Somebody may delete the claim
// meanwhile.
func (s *story) recorded(ctx context.Context, of item, begun time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, noticed)
	defer cancel()
	err := wait(ctx, func() (bool, error) {
		list, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, r := range list.Items {
			if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil && *pv.Claim == (v1.ClaimReference{Namespace: of.namespace, Name: of.name}) {
				said("record", r.Name, fmt.Sprintf("is there %.1f s after the claim", time.Since(begun).Seconds()))
				return true, nil
			}
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// remove has the oldest deleted. Nothing uses the volume any more.
func (s *story) remove(ctx context.Context) error {
	it := s.items[0]
	s.items = s.items[1:]
	v, err := s.source.volume(ctx, it)
	if err != nil {
		return err
	}
	if err := s.sim.UpdateVolume(v.NamespaceID, v.ID, func(v *simulator.Volume) {
		v.AttachedOn, v.AttachmentType = "", simulator.AttachmentDetached
	}); err != nil {
		return err
	}
	what, err := s.source.remove(ctx, it)
	said(s.who, it.String(), what)
	return err
}

// elsewhere is a node on which a volume is not attached.
func (s *story) elsewhere(v simulator.Volume) simulator.Node {
	nodes := s.sim.Nodes()
	if v.AttachedOn == nodes[0].ID {
		return nodes[1]
	}
	return nodes[0]
}

// change changes a volume in StorageOS.
func (s *story) change(ctx context.Context, of item, what string, change func(*simulator.Volume)) error {
	v, err := s.source.volume(ctx, of)
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
