package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// A sample is what is known when it is taken: nothing, if the last listing was not complete or
// is too long ago.
func TestSample(t *testing.T) {
	t.Parallel()
	now := time.Unix(plotStart, 0)
	at := func(age time.Duration, failing string) controller.Listing {
		return controller.Listing{Heartbeat: record.Heartbeat{Completed: now.Add(-age), Held: 3}, Failing: failing}
	}
	known := sample{at: plotStart, known: true, poll: 1200, held: 3, volumes: [healths]uint32{1, 2, 3, 4}}
	for name, tc := range map[string]struct {
		listing controller.Listing
		want    sample
	}{
		"known":              {at(time.Second, ""), known},
		"as old as it may":   {at(time.Minute, ""), known},
		"older":              {at(time.Minute+1, ""), sample{at: plotStart}},
		"the last failed":    {at(time.Second, "no answer"), sample{at: plotStart}},
		"none was completed": {controller.Listing{}, sample{at: plotStart}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := &latency{LatencyMetric: metrics.New().SyncDuration, first: func() {}}
			p := &statusPage{late: time.Minute, took: took,
				listing: func() controller.Listing { return tc.listing },
				volumes: func() map[v1.Health]int {
					return map[v1.Health]int{v1.HealthOffline: 1, v1.HealthUnknown: 2, v1.HealthDegraded: 3, v1.HealthHealthy: 4}
				},
			}
			for _, ms := range []time.Duration{300, 1200, 26} {
				took.Observe(ms * time.Millisecond)
			}
			if got := p.sample(now); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
			if got := p.sample(now); tc.want.known && got.poll != 26 {
				t.Errorf("no poll has ended since, the last took 26 ms: %d", got.poll)
			}
		})
	}
}

// Samples are taken every half a minute while the process leads, and not before.
func TestRemember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &statusPage{took: &latency{}, listing: func() controller.Listing { return controller.Listing{} }}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		begun := time.Now()
		go func() { defer close(ended); p.remember(ctx) }()
		time.Sleep(samplePause - 1)
		synctest.Wait()
		if all, since := p.history.samples(); len(all) != 0 || !since.Equal(begun.Truncate(time.Second)) {
			t.Errorf("%d samples since %v before the first is due", len(all), since)
		}
		time.Sleep(4*samplePause + 2)
		synctest.Wait()
		if all, _ := p.history.samples(); len(all) != 5 || all[4].at-all[0].at != 120 {
			t.Errorf("two and a half minutes later: %+v", all)
		}
		cancel()
		<-ended
		time.Sleep(time.Hour)
		if all, _ := p.history.samples(); len(all) != 5 {
			t.Errorf("it goes on: %d samples", len(all))
		}
	})
}
