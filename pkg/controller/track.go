package controller

import (
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// track is what this process remembers of one volume between two reconciles.
// Nothing that a deletion depends on is here: a fail-over loses it.
type track struct {
	unreferenced since     // a listed volume has had no PersistentVolume since then
	missing      since     // a PersistentVolume has referred to an absent volume since then
	asked        time.Time // when StorageOS was last asked for the volume and did not prove it gone
	proven       bool      // it was proven gone, and deleting is switched off
	progressed   time.Time // when sync progress was last written
	reported     string    // the VolumeInvalid that was last said
	refused      uint64    // hash of the content that the API server did not take
	quiet        bool      // what the next save changes was so when this process began
	settled      settlement
	levels       levels
}

// since is the begin of something.
type since struct {
	at    time.Time
	quiet bool // it was already so when this process began: no event
}

// settlement remembers a record that does not say what was last written to it:
// the API server dropped fields that its CRD does not know, or refused the
// content. Writing the same again would change nothing.
type settlement struct {
	want state // what was written
	got  state // what the record said after it
}

// settle tells what a save has settled: nothing if the record now says what it
// should, or if its content was not written and turned out to be another than
// the cache knew. Somebody has edited it meanwhile: that edit's own event brings
// the ID back.
func settle(d decision, before, after *record) settlement {
	switch {
	case after.state == d.want:
		return settlement{}
	case !d.content && before.state.content != d.want.content:
		return settlement{}
	default:
		return settlement{want: d.want, got: after.state}
	}
}

// levels are the gauges that a volume counts in.
type levels struct {
	unclaimed bool // no PersistentVolume refers to it
	missing   bool // a PersistentVolume refers to it and it is not there
	orphan    bool // its record is to be deleted: proven gone
	held      bool // its record is past its grace and held back
}

// tracks holds the track of each volume that has one, and counts their levels.
type tracks struct {
	mu      sync.Mutex
	all     map[string]track
	counts  struct{ unclaimed, missing, orphan, held int }
	metrics *metrics.Metrics
}

func newTracks(m *metrics.Metrics) *tracks {
	return &tracks{all: map[string]track{}, metrics: m}
}

// update changes the track of a volume. Fn runs under the lock: it must be
// quick and must not call back.
func (t *tracks) update(id string, fn func(track) track) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.all[id]
	next := fn(old)
	if next == (track{}) {
		delete(t.all, id)
	} else {
		t.all[id] = next
	}
	if next.levels == old.levels {
		return
	}
	count(&t.counts.unclaimed, old.levels.unclaimed, next.levels.unclaimed)
	count(&t.counts.missing, old.levels.missing, next.levels.missing)
	count(&t.counts.orphan, old.levels.orphan, next.levels.orphan)
	count(&t.counts.held, old.levels.held, next.levels.held)
	t.publish()
}

// publish sets the gauges. The caller holds the lock.
func (t *tracks) publish() {
	t.metrics.SetOrphans(metrics.OrphanUnclaimed, t.counts.unclaimed)
	t.metrics.SetOrphans(metrics.OrphanMissing, t.counts.missing)
	t.metrics.SetOrphans(metrics.OrphanRecord, t.counts.orphan)
	t.metrics.SetHeld(t.counts.held)
}

func count(n *int, was, is bool) {
	switch {
	case is && !was:
		*n++
	case was && !is:
		*n--
	}
}
