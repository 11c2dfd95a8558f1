package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// How many changes of volumes, and how many of PersistentVolumes, are waited for, one at
// a time.
const (
	volumeChanges           = 100
	persistentVolumeChanges = 1000
)

// watchRecords watches the records from now on.
func (b *bench) watchRecords(ctx context.Context) (watch.Interface, error) {
	list, err := b.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	return b.records.StorageOSV1().Volumes().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
}

// changes measures how long it takes from a change in StorageOS to the record that
// says it.
func (b *bench) changes(ctx context.Context, _ *controller, n int) error {
	w, err := b.watchRecords(ctx)
	if err != nil {
		return err
	}
	defer w.Stop()
	changes := make([]time.Duration, 0, volumeChanges)
	for range volumeChanges {
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
		if err := recorded(ctx, w, f.ID, func(r *v1.Volume) bool {
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

// watchPersistentVolumes watches the PersistentVolumes from now on.
func (b *bench) watchPersistentVolumes(ctx context.Context) (watch.Interface, error) {
	list, err := b.kube.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	return b.kube.CoreV1().PersistentVolumes().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
}

// joins measures how long it takes from an event of a PersistentVolume to the record that
// says it, and how long the API server takes from a patch of a status to its event, which
// is part of that.
func (b *bench) joins(ctx context.Context, _ *controller, n int) error {
	records, err := b.watchRecords(ctx)
	if err != nil {
		return err
	}
	defer records.Stop()
	volumes, err := b.watchPersistentVolumes(ctx)
	if err != nil {
		return err
	}
	defer volumes.Stop()
	bare := &bareLoop{b: b, turn: 1, patches: true}
	if err := bare.run(ctx); err != nil {
		return err
	}
	patched, err := bare.client.Watch(ctx, metav1.ListOptions{ResourceVersion: bare.last[0].ResourceVersion})
	if err != nil {
		return err
	}
	defer patched.Stop()
	stalls, err := b.stalls(ctx)
	if err != nil {
		return err
	}
	var joins, patches []span
	for range persistentVolumeChanges {
		one, err := b.join(ctx, volumes, records)
		if err != nil {
			return err
		}
		joins = append(joins, one)
		if one, err = bare.seen(ctx, patched); err != nil {
			return err
		}
		patches = append(patches, one)
	}
	const what = "time from a PersistentVolume's event to its record, 99th percentile"
	const patch = " from a patch to its event"
	b.row(row{what, n, latency(joins), "50 ms", times(p99(joins).Seconds(), 0.05), "≤ 1"})
	b.row(row{
		what + ", against the API server's part", n, latency(joins), latency(patches) + patch,
		times(p99(joins).Seconds(), p99(patches).Seconds()), "-",
	})
	if still, err := stalls(); err != nil {
		b.say("nothing tells when the machine stood still: %v", err)
	} else {
		joins, patches = without(joins, still), without(patches, still)
		b.row(row{
			what + ", while the machine ran", n, fmt.Sprintf("%s, of %d of %d", latency(joins), len(joins), persistentVolumeChanges),
			fmt.Sprintf("50 ms; %s%s, of %d of %d", latency(patches), patch, len(patches), persistentVolumeChanges),
			times(p99(joins).Seconds(), 0.05), "≤ 1",
		})
	}
	return b.deleteAll(ctx, bare.client)
}

// join has a PersistentVolume kept or deleted once it is released, by turns, and is from
// its event to the record that says so.
func (b *bench) join(ctx context.Context, volumes, records watch.Interface) (span, error) {
	f := b.filled[rand.IntN(len(b.filled))]
	pv, err := b.kube.CoreV1().PersistentVolumes().Get(ctx, f.Name, metav1.GetOptions{})
	if err != nil {
		return span{}, err
	}
	policy := corev1.PersistentVolumeReclaimRetain
	if pv.Spec.PersistentVolumeReclaimPolicy == policy {
		policy = corev1.PersistentVolumeReclaimDelete
	}
	if _, err := b.kube.CoreV1().PersistentVolumes().Patch(ctx, f.Name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"persistentVolumeReclaimPolicy":%q}}`, policy), metav1.PatchOptions{}); err != nil {
		return span{}, err
	}
	if err := awaited(ctx, volumes, "the PersistentVolume "+f.Name, func(pv *corev1.PersistentVolume) bool {
		return pv.Name == f.Name && pv.Spec.PersistentVolumeReclaimPolicy == policy
	}); err != nil {
		return span{}, err
	}
	begun := time.Now()
	err = recorded(ctx, records, f.ID, func(r *v1.Volume) bool {
		return r.Status.PersistentVolume != nil && r.Status.PersistentVolume.ReclaimPolicy == string(policy)
	})
	return span{begun, time.Now()}, err
}

// seen is from a patch of the loop's only record to its event.
func (l *bareLoop) seen(ctx context.Context, patched watch.Interface) (span, error) {
	begun := time.Now()
	if _, err := l.again(ctx); err != nil {
		return span{}, err
	}
	err := recorded(ctx, patched, l.last[0].Labels[v1.LabelVolumeID], func(r *v1.Volume) bool {
		return r.ResourceVersion == l.last[0].ResourceVersion
	})
	return span{begun, time.Now()}, err
}

// recorded waits for a state of the record of a volume.
func recorded(ctx context.Context, w watch.Interface, id string, is func(*v1.Volume) bool) error {
	return awaited(ctx, w, "the record of volume "+id, func(r *v1.Volume) bool {
		return r.Labels[v1.LabelVolumeID] == id && is(r)
	})
}

// awaited waits for an event.
func awaited[T runtime.Object](ctx context.Context, w watch.Interface, what string, is func(T) bool) error {
	timeout := time.After(time.Minute)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("%s was not written within a minute", what)
		case e, ok := <-w.ResultChan():
			if !ok {
				return fmt.Errorf("waiting for %s: the watch has ended", what)
			}
			if object, ok := e.Object.(T); ok && is(object) {
				return nil
			}
		}
	}
}

func p99(spans []span) time.Duration { return percentile(durations(spans), 99) }

func latency(spans []span) string {
	return ms(p99(spans)) + ", median " + ms(percentile(durations(spans), 50))
}

// percentile is the smallest value that so many percent do not exceed, zero of none.
func percentile[T cmp.Ordered](all []T, percent int) (value T) {
	if len(all) == 0 {
		return value
	}
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)*percent+99)/100-1]
}
