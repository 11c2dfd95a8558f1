package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// alone are volumes that somebody makes in StorageOS itself, where no controller manager
// binds claims.
type alone struct{ sim *simulator.Simulator }

func (alone) String() string { return fmt.Sprintf("%d volumes", atFirst) }

func (alone) how() string { return "are made in StorageOS" }

func (alone) begin(context.Context) error { return nil }

func (a alone) namespaceID() string { return a.sim.Namespaces()[0].ID }

func (a alone) add(_ context.Context, n int) (item, error) {
	it := item{name: fmt.Sprintf("volume-%02d", n)}
	_, err := a.sim.AddVolume(a.namespaceID(), simulator.VolumeSpec{Name: it.name, SizeBytes: sizeOf(n), Replicas: 1 + n%2})
	return it, err
}

func (a alone) grow(ctx context.Context, it item) (what string, _ error) {
	v, err := a.volume(ctx, it)
	if err != nil {
		return "", err
	}
	size := v.SizeBytes + 1<<30
	return "grows to " + resource.NewQuantity(int64(size), resource.BinarySI).String(),
		a.sim.UpdateVolume(v.NamespaceID, v.ID, func(v *simulator.Volume) { v.SizeBytes = size })
}

func (a alone) remove(ctx context.Context, it item) (what string, _ error) {
	v, err := a.volume(ctx, it)
	if err != nil {
		return "", err
	}
	return "is deleted in StorageOS", a.sim.RemoveVolume(v.NamespaceID, v.ID)
}

func (a alone) volume(_ context.Context, it item) (simulator.Volume, error) {
	for _, v := range a.sim.Volumes(a.namespaceID()) {
		if v.Name == it.name {
			return v, nil
		}
	}
	return simulator.Volume{}, fmt.Errorf("there is no volume %s", it)
}
