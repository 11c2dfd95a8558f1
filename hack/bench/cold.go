package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// largestPaced is up to how many volumes the pace of a cold start is compared.
const largestPaced = 10_000

// coldStart measures what memory it takes to make every record, and how fast that is
// beside a loop that does nothing but that: controller, loop, loop, controller, because
// a machine does not stay as fast as it was.
func (b *bench) coldStart(ctx context.Context, n int) error {
	took, most, err := b.coldly(ctx, n)
	if err != nil {
		return err
	}
	b.row(row{
		"memory, the most in a cold start", n, mib(most), "190 MiB, the limit", times(float64(most), 190<<20), "≤ 1.5 at 100,000",
	})
	if n > largestPaced {
		b.row(row{"cold start, volumes recorded", n, perSecond(n, took), "-", "-", "≥ 0.9 at 10,000"})
		return nil
	}
	list, err := b.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var bare time.Duration
	for range 2 {
		once, err := b.bareLoop(ctx, list.Items)
		if err != nil {
			return err
		}
		bare += once
	}
	again, _, err := b.coldly(ctx, n)
	if err != nil {
		return err
	}
	b.row(row{
		"cold start, volumes recorded", n, perSecond(2*n, took+again),
		perSecond(2*n, bare) + " by a loop that only creates and sets the status",
		times(bare.Seconds(), (took + again).Seconds()), "≥ 0.9 at 10,000",
	})
	return nil
}

func perSecond(n int, took time.Duration) string {
	return fmt.Sprintf("%.0f/s", float64(n)/took.Seconds())
}

// coldly lets a controller make n records, and tells how long that takes at its pace,
// and the most memory that it had.
func (b *bench) coldly(ctx context.Context, n int) (took time.Duration, most int64, err error) {
	if err := b.deleteRecords(ctx); err != nil {
		return 0, 0, err
	}
	c, err := b.controller(5 * time.Second)
	if err != nil {
		return 0, 0, err
	}
	defer c.stop()
	if took, err = c.records(ctx, n); err != nil {
		return 0, 0, err
	}
	_, most, err = c.memory()
	return took, most, err
}

// records waits until n records are made, each by two writes, and tells how long that
// takes at the pace seen. It looks seldom: looking takes time from what is measured.
func (c *controller) records(ctx context.Context, n int) (time.Duration, error) {
	var looks []look
	every := max(time.Duration(n)*100*time.Microsecond, 250*time.Millisecond)
	said := time.Now()
	err := c.until(ctx, "every volume is recorded", time.Hour, every, func() (bool, error) {
		writes, err := c.metric("storageos_volume_writes_total")
		if err != nil {
			return false, err // it is not that far yet
		}
		looks = append(looks, look{time.Now(), writes})
		if time.Since(said) > 15*time.Second {
			said = time.Now()
			c.b.say("%s of %s writes", thousands(int(writes)), thousands(2*n))
		}
		return int(writes) >= 2*n, nil
	})
	return atPace(looks, float64(2*n)), err
}

// look is how many writes there were at some time.
type look struct {
	at     time.Time
	writes float64
}

// atPace tells how long so many writes take at the pace between the first look that
// found some and the last that did not find all, if there are two such.
func atPace(looks []look, all float64) time.Duration {
	part := slices.DeleteFunc(slices.Clone(looks), func(l look) bool { return l.writes == 0 || l.writes >= all })
	if len(part) < 2 {
		part = looks
	}
	if len(part) == 0 {
		return 0
	}
	first, last := part[0], part[len(part)-1]
	return time.Duration(float64(last.at.Sub(first.at)) * all / max(last.writes-first.writes, 1))
}

// bareLoop makes the records again, by a loop over the same client, and tells how
// long that took.
func (b *bench) bareLoop(ctx context.Context, records []v1.Volume) (time.Duration, error) {
	if err := b.deleteRecords(ctx); err != nil {
		return 0, err
	}
	begun := time.Now()
	err := b.each(ctx, "records by a bare loop", len(records), func(ctx context.Context, i int) error {
		was := &records[i]
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
