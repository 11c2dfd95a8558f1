package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The patience with what is on its way: what a first listing has shown of few volumes, or a volume
// that was listed a moment ago, is recorded in about a second, and the next listing tells of a
// record that was made again because somebody has deleted it.
const (
	settling    = 10 * time.Second
	settlePause = time.Second
)

// evidence is what is known at one time, by which it is foretold what becomes of volumes.
type evidence struct {
	beat    record.Heartbeat // read before the records: they may only be newer
	records []v1.Volume      // one of each volume
	pvs     []corev1.PersistentVolume
}

// doubts are the reasons for which nothing may be concluded from it: those that stay, and those
// that may be over in a moment.
func (e evidence) doubts(now time.Time) (lasting, passing []string) {
	lasting, passing = record.Doubts(e.records, e.beat, now), unrecorded(e.records, e.pvs)
	if len(lasting) > 0 {
		return lasting, passing
	}
	for _, why := range []string{record.Lag(e.beat, now), record.Tally(e.records, e.beat)} {
		if why != "" {
			passing = append(passing, why)
		}
	}
	return nil, passing
}

// settled reads, and does so again while nothing but what may be over in a moment is in doubt.
func (c *cli) settled(ctx context.Context, read func() (evidence, error)) (evidence, []string, error) {
	for begun := time.Now(); ; {
		e, err := read()
		if err != nil {
			return evidence{}, nil, err
		}
		lasting, passing := e.doubts(c.clock.now())
		if len(lasting) > 0 || len(passing) == 0 || time.Since(begun) >= settling {
			return e, append(lasting, passing...), nil
		}
		select {
		case <-ctx.Done():
			return evidence{}, nil, ctx.Err()
		case <-time.After(settlePause):
		}
	}
}
