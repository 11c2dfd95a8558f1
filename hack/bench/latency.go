package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// How many changes of volumes and how many new PersistentVolumes are waited for, one at
// a time.
const (
	samples = 100
	joined  = 300
)

// watch watches the records.
func (b *bench) watch(ctx context.Context) (watch.Interface, error) {
	list, err := b.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	return b.records.StorageOSV1().Volumes().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
}

// changes measures how long it takes from a change in StorageOS to the record that
// says it.
func (b *bench) changes(ctx context.Context, _ *controller, n int) error {
	w, err := b.watch(ctx)
	if err != nil {
		return err
	}
	defer w.Stop()
	changes := make([]time.Duration, 0, samples)
	for range samples {
		f := b.filled[rand.IntN(len(b.filled))]
		v, err := b.sim.Volume(f.NamespaceID, f.ID)
		if err != nil {
			return err
		}
		size := int64(v.SizeBytes) + 1<<30
		// At any moment between two polls.
		time.Sleep(rand.N(interval))
		begun := time.Now()
		if err := b.resize(f); err != nil {
			return err
		}
		if err := b.awaited(ctx, w, f.ID, func(r *v1.Volume) bool {
			return r.Status.Capacity != nil && r.Status.Capacity.Value() == size
		}); err != nil {
			return err
		}
		changes = append(changes, time.Since(begun))
	}
	b.row(row{
		"time from a change in StorageOS to its record, 99th percentile", n, ms(percentile(changes, 99)) + ", median " + ms(percentile(changes, 50)),
		ms(interval) + ", the poll interval", times(percentile(changes, 99).Seconds(), interval.Seconds()),
		fmt.Sprintf("≤ the interval + 100 ms: %.2f", (interval+100*time.Millisecond).Seconds()/interval.Seconds()),
	})

	return nil
}

// joins measures how long it takes from a PersistentVolume to the record that says it,
// and how long the API server takes from a patch of a status to its event, which is
// part of that.
func (b *bench) joins(ctx context.Context, c *controller, n int) error {
	w, err := b.watch(ctx)
	if err != nil {
		return err
	}
	defer w.Stop()
	bare := &bareLoop{b: b, turn: 1, patches: true}
	if err := bare.run(ctx); err != nil {
		return err
	}
	seen, err := bare.client.Watch(ctx, metav1.ListOptions{ResourceVersion: bare.last[0].ResourceVersion})
	if err != nil {
		return err
	}
	defer seen.Stop()
	var joins, patches []time.Duration
	added := b.sim.Fill(simulator.FillOptions{Volumes: joined, CSI: -1})
	b.filled = append(b.filled, added...)
	if err := c.atRest(ctx); err != nil {
		return err
	}
	for _, f := range added {
		if err := b.persistentVolume(ctx, f); err != nil {
			return err
		}
		begun := time.Now() // the API server has told everybody who watches, or is about to
		if err := b.awaited(ctx, w, f.ID, func(r *v1.Volume) bool {
			return r.Status.PersistentVolume != nil && r.Status.PersistentVolume.Name == f.Name
		}); err != nil {
			return err
		}
		joins = append(joins, time.Since(begun))
		begun = time.Now()
		if _, err := bare.again(ctx); err != nil {
			return err
		}
		if err := b.awaited(ctx, seen, bare.last[0].Labels[v1.LabelVolumeID], func(r *v1.Volume) bool {
			return r.ResourceVersion == bare.last[0].ResourceVersion
		}); err != nil {
			return err
		}
		patches = append(patches, time.Since(begun))
	}
	const what = "time from a PersistentVolume's event to its record, 99th percentile"
	measured := ms(percentile(joins, 99)) + ", median " + ms(percentile(joins, 50))
	b.row(row{what, n, measured, "50 ms", times(percentile(joins, 99).Seconds(), 0.05), "≤ 1"})
	b.row(row{
		what + ", against the API server's part", n, measured,
		ms(percentile(patches, 99)) + ", median " + ms(percentile(patches, 50)) + ", from a patch to its event",
		times(percentile(joins, 99).Seconds(), percentile(patches, 99).Seconds()), "-",
	})
	return b.deleteAll(ctx, bare.client)
}

// awaited waits for a state of the record of a volume.
func (b *bench) awaited(ctx context.Context, w watch.Interface, id string, is func(*v1.Volume) bool) error {
	timeout := time.After(time.Minute)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("the record of volume %s was not written within a minute", id)
		case e, ok := <-w.ResultChan():
			if !ok {
				return errors.New("the watch of records has ended")
			}
			if r, ok := e.Object.(*v1.Volume); ok && r.Labels[v1.LabelVolumeID] == id && is(r) {
				return nil
			}
		}
	}
}

// percentile is the smallest value that so many percent do not exceed.
func percentile[T cmp.Ordered](all []T, percent int) T {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)*percent+99)/100-1]
}
