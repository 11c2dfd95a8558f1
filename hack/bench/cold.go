package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// largestBare is up to how many volumes a cold start is done twice, to compare.
const largestBare = 10_000

// coldStart measures how fast records are made, beside a loop that does nothing
// but that.
func (b *bench) coldStart(ctx context.Context, n int) error {
	if err := b.deleteRecords(ctx); err != nil {
		return err
	}
	c, err := b.controller(5 * time.Second)
	if err != nil {
		return err
	}
	defer c.stop()
	controller, err := c.records(ctx, n)
	if err != nil {
		return err
	}
	_, most, err := c.memory()
	if err != nil {
		return err
	}
	c.stop()
	b.row(row{
		"memory, the most in a cold start", n, mib(most), "190 MiB, the limit", times(float64(most), 190<<20), "≤ 1.5 at 100,000",
	})
	measured := fmt.Sprintf("%.0f/s", float64(n)/controller.Seconds())
	if n > largestBare {
		b.row(row{"cold start, volumes recorded", n, measured, "-", "-", "≥ 0.9 at 10,000"})
		return nil
	}
	bare, err := b.bareLoop(ctx)
	if err != nil {
		return err
	}
	b.row(row{
		"cold start, volumes recorded", n, measured,
		fmt.Sprintf("%.0f/s by a loop that only creates and sets the status", float64(n)/bare.Seconds()),
		times(bare.Seconds(), controller.Seconds()), "≥ 0.9 at 10,000",
	})
	return nil
}

// records waits until all records are made and tells how long that took, from the
// first write to the last. It does not look often: looking takes time from both.
func (c *controller) records(ctx context.Context, n int) (time.Duration, error) {
	var begun, ended time.Time
	said := time.Now()
	err := c.until(ctx, "every volume is recorded", 30*time.Minute, 250*time.Millisecond, func() (bool, error) {
		now := time.Now()
		writes, err := c.metric("storageos_volume_writes_total")
		if writes == 0 {
			begun = now // not before this
		}
		if err != nil {
			return false, err // it is not that far yet
		}
		ended = time.Now()
		if time.Since(said) > 15*time.Second {
			said = time.Now()
			c.b.say("%s of %s writes", thousands(int(writes)), thousands(2*n))
		}
		return int(writes) >= 2*n, nil
	})
	return ended.Sub(begun), err
}

// bareLoop makes every record again, as it is, by a loop over the same client.
func (b *bench) bareLoop(ctx context.Context) (time.Duration, error) {
	list, err := b.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	if err := b.deleteRecords(ctx); err != nil {
		return 0, err
	}
	begun := time.Now()
	err = b.each(ctx, "records by a bare loop", len(list.Items), func(ctx context.Context, i int) error {
		was := &list.Items[i]
		made, err := b.records.StorageOSV1().Volumes().Create(ctx, &v1.Volume{
			ObjectMeta: metav1.ObjectMeta{Name: was.Name, Labels: was.Labels, Annotations: was.Annotations},
			Spec:       was.Spec,
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		made.Status = was.Status
		_, err = b.records.StorageOSV1().Volumes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
		return err
	})
	return time.Since(begun), err
}

func (b *bench) deleteRecords(ctx context.Context) error {
	return b.records.StorageOSV1().Volumes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}
