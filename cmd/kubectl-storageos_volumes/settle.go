package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The patience with what is on its way: what a first listing has shown of few volumes, or a volume
// that was listed a moment ago, is recorded in about a second, and the next listing tells of a
// record that was made again because somebody has deleted it. A volume that was deleted a moment
// ago is proven gone after the grace, by default, and a listing or two.
const (
	settling    = 10 * time.Second
	proving     = 25 * time.Second
	settlePause = time.Second
)

// evidence is what is known at one time, by which it is foretold what becomes of volumes.
type evidence struct {
	beat    record.Heartbeat  // read before the records: they may only be newer
	csi     map[string]string // the IDs of nodes, by their names in Kubernetes
	records []v1.Volume       // one of each volume
	pvs     []corev1.PersistentVolume
	driver  string // whose PersistentVolumes and nodes they are
	lease   string // the namespace of the Lease that says it
	older   string // what the CRD of the records drops
}

// doubts are the reasons for which nothing may be concluded from it: those that stay, and those
// that may be over in a moment.
func (e evidence) doubts(now time.Time) (lasting, passing []string) {
	lasting, passing = record.Doubts(e.records, e.beat, now), unrecorded(e.records, e.pvs)
	if isOld(e.beat, now) {
		lasting[0] += byLease(e.lease)
	}
	if e.older != "" {
		lasting = append(lasting, e.older)
	}
	reasons := []string{withoutStatus(e.records), strangeDriver(e.records, e.pvs, e.driver)}
	if e.beat.Held == 0 { // those that are held wait, too
		reasons = append(reasons, record.Waiting(e.records, e.beat))
	}
	if len(lasting) == 0 { // for which the numbers may differ
		reasons = append(reasons, record.Lag(e.beat, now), record.Tally(e.records, e.beat))
	}
	return lasting, append(passing, slices.DeleteFunc(reasons, func(why string) bool { return why == "" })...)
}

// notGone are the records but for those of volumes that are proven gone, which stay while deletions
// are switched off.
func (e evidence) notGone() []v1.Volume { return notGone(e.records, e.beat) }

func notGone(records []v1.Volume, h record.Heartbeat) []v1.Volume {
	if record.Waiting(records, h) != "" {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), func(r v1.Volume) bool { return isAbsent(&r) })
}

// withoutStatus is how many records were just made, and do not say yet where the copies are.
func withoutStatus(records []v1.Volume) string {
	n := 0
	for i := range records {
		if isBare(&records[i]) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return how(n, "record has", "records have") + " no status yet"
}

// settled reads, and does so again while nothing but what may be over in a moment is in doubt.
// Who has to wait is told what for.
func (c *cli) settled(ctx context.Context, read func() (evidence, error)) (evidence, []string, error) {
	patience, told := settling, time.Duration(0)
	for begun := time.Now(); ; {
		e, err := read()
		if err != nil {
			return evidence{}, nil, err
		}
		lasting, passing := e.doubts(c.clock.now())
		if record.Waiting(e.records, e.beat) != "" {
			patience = proving
		}
		took := time.Since(begun)
		if len(lasting) > 0 || len(passing) == 0 || took >= patience {
			return e, append(lasting, passing...), nil
		}
		if took >= settlePause && told != patience { // most of it is over by then
			told = patience
			fmt.Fprintf(c.ErrOut, "Waiting for up to %v: %s.\n", patience, strings.Join(passing, "; "))
		}
		select {
		case <-ctx.Done():
			return evidence{}, nil, ctx.Err()
		case <-time.After(settlePause):
		}
	}
}
