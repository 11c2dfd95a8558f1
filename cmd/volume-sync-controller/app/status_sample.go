package app

import (
	"context"
	"sync/atomic"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// remember takes a sample every so often, while this process leads, until ctx ends.
func (p *statusPage) remember(ctx context.Context) {
	p.history.begin(time.Now())
	ticker := time.NewTicker(samplePause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.history.add(p.sample(now))
		}
	}
}

// sample is how the controller is now. Nothing is known if the last listing was not complete,
// or is longer ago than it should be.
func (p *statusPage) sample(now time.Time) sample {
	s := sample{at: uint32(now.Unix())}
	slowest := time.Duration(p.took.slowest.Swap(0))
	listing := p.listing()
	if listing.Failing != "" || listing.Completed.IsZero() || now.Sub(listing.Completed) > p.late {
		return s
	}
	if slowest == 0 { // none has ended since the last sample
		slowest = time.Duration(p.took.last.Load())
	}
	volumes := p.volumes()
	s.known, s.poll, s.held = true, counted(int(slowest.Milliseconds())), counted(listing.Held)
	for i, health := range [healths]v1.Health{offline: v1.HealthOffline, unknown: v1.HealthUnknown, degraded: v1.HealthDegraded, healthy: v1.HealthHealthy} {
		s.volumes[i] = counted(volumes[health])
	}
	return s
}

// latency is how long listings took to be worked off. The page shows the last, and the slowest
// of each sample; after the first, what follows takes less memory.
type latency struct {
	metrics.LatencyMetric
	last    atomic.Int64 // nanoseconds
	slowest atomic.Int64 // since it was last asked for
	first   func()       // is called each time, and does something once
}

func (l *latency) Observe(d time.Duration) {
	l.last.Store(int64(d))
	for slowest := l.slowest.Load(); int64(d) > slowest && !l.slowest.CompareAndSwap(slowest, int64(d)); {
		slowest = l.slowest.Load()
	}
	l.LatencyMetric.Observe(d)
	l.first()
}
