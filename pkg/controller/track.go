package controller

import (
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// track is what this process remembers of one volume between two reconciles.
// A fail-over loses it: what is remembered here may only forbid a deletion.
type track struct {
	unreferenced since        // no PersistentVolume has referred to a volume that is listed or recorded since then
	missing      since        // a PersistentVolume has referred to an absent volume since then
	absent       absenceStart // no complete listing has shown the volume since then
	returned     int          // the generation of the view that ended the last absence
	asked        time.Time    // when StorageOS was last asked for the volume in vain: it did not prove it gone, or Kubernetes did not let the record go
	proven       string       // the resource version of the record whose volume was proven gone
	progressed   time.Time    // when sync progress was last written
	reported     string       // the VolumeInvalid that was last said
	refused      refusal
	wait         nameWait
	nameTold     bool   // the PersistentVolume was told that the record has another name
	quiet        uint64 // what the next save changes was so when this process began
	unanswered   unanswered
	settled      settlement
	written      *state.Record // as our last write has left it, while the cache is behind
	before       before
	levels       levels
}

// absenceStart is the begin of an absence.
type absenceStart struct {
	since time.Time  // as far as this process knows: for people
	watch watchPoint // zero while nobody watches
	judge string     // the cluster that the record named then
}

// refusal is that the API server did not take what was written.
type refusal struct {
	content uint64 // hash of the content that the volume had
	at      time.Time
	told    bool // by an event, or it was so when this process began
}

// refusedPause is for how long what was refused is not written again. Whatever made
// the API server refuse it may have been mended.
const refusedPause = time.Minute

// newest is what is known of a record: what the cache says, or what our last write has left
// if the cache is behind that. It learns of it by the watch: in a moment, or not for minutes
// if the watch has gone quiet. What came between may be told first.
func newest(written, cached *state.Record) *state.Record {
	if written != nil && cached != nil && cached.UID == written.UID && cached.OlderThan(written) {
		return written
	}
	return cached
}

// since is the begin of something.
type since struct {
	at    time.Time
	quiet bool // it was already so when this process began: no event
	said  bool // by an event

	// Of a volume without a PersistentVolume: that may be yet to come, as it has just been
	// made; a listing begun since then has shown that it outlived the last one; or it was not
	// listed since then, and whether it is to be quiet is told by the list that shows it.
	pending, outlived, unlisted bool

	claimed bool // not begun: there is a PersistentVolume, and the record still says unclaimed
}

// settlement remembers a record that does not say what was last written to it: the
// API server dropped fields that its CRD does not know, or a host name that nobody
// tells any more was kept. Writing the same again would change nothing.
type settlement struct {
	want state.Summary // what was written
	got  state.Summary // what the record said after it
}

// settle tells what a save has settled: nothing if the record now says what it
// should, or if its content was not written and turned out to be another than
// the cache knew. Somebody has edited it meanwhile: that edit's own event brings
// the ID back.
func settle(d decision, before, after *state.Record) settlement {
	switch {
	case after.Summary == d.want:
		return settlement{}
	case !d.content && before.Summary.Content != d.want.Content:
		return settlement{}
	default:
		return settlement{want: d.want, got: after.Summary}
	}
}

// levels are the gauges that a volume counts in.
type levels struct {
	unclaimed bool   // no PersistentVolume refers to it
	missing   bool   // a PersistentVolume refers to it and it is not there
	orphan    bool   // its record is to be deleted: proven gone
	invalid   bool   // it is listed and cannot be recorded
	leftAlone int    // records that describe it too and are left alone
	held      string // its record is past its grace and held back: why

	absence   absenceKind // its record is there and its volume is not
	copies    int         // records that describe it beside the one that counts
	namespace string      // of StorageOS, that the record names
}

// counted is what of it the breaker counts.
func (l levels) counted() levels {
	return levels{absence: l.absence, copies: l.copies, namespace: l.namespace}
}

// tracks holds the track of each volume that has one, and counts their levels.
type tracks struct {
	mu      sync.Mutex
	all     map[string]track
	counts  struct{ unclaimed, missing, orphan, pruned, invalid, unreadable int }
	held    map[string]int // by why
	breaker breaker
	metrics *metrics.Metrics
}

func newTracks(s *Settings, m *metrics.Metrics) *tracks {
	return &tracks{all: map[string]track{}, held: map[string]int{}, breaker: newBreaker(s), metrics: m}
}

// update changes the track of a volume. Fn runs under the lock: it must be
// quick and must not call back. It is told what the breaker knows.
func (t *tracks) update(id string, now time.Time, fn func(old track, b *breaker) track) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(id, now, fn(t.all[id], &t.breaker))
}

// set stores a track. The caller holds the lock.
func (t *tracks) set(id string, now time.Time, next track) {
	old := t.all[id]
	if next == (track{}) {
		delete(t.all, id)
	} else {
		t.all[id] = next
	}
	count(&t.counts.pruned, old.settled.pruned(), next.settled.pruned())
	if next.levels == old.levels {
		return
	}
	count(&t.counts.unclaimed, old.levels.unclaimed, next.levels.unclaimed)
	count(&t.counts.missing, old.levels.missing, next.levels.missing)
	count(&t.counts.orphan, old.levels.orphan, next.levels.orphan)
	count(&t.counts.invalid, old.levels.invalid, next.levels.invalid)
	t.counts.invalid += next.levels.leftAlone - old.levels.leftAlone
	if old.levels.held != next.levels.held {
		t.hold(old.levels.held, -1)
		t.hold(next.levels.held, 1)
	}
	if old.levels.counted() != next.levels.counted() {
		t.breaker.levelsChanged(old.levels, -1)
		t.breaker.levelsChanged(next.levels, 1)
		t.breaker.trip(now)
	}
	t.publish()
}

func (t *tracks) hold(why string, n int) {
	if why == "" {
		return
	}
	if t.held[why] += n; t.held[why] == 0 {
		delete(t.held, why)
	}
}

// deleting takes note that Kubernetes is asked to delete the record of a volume: from
// now on an unexplained one counts as deleted, whatever the caches say.
// It tells whether that was asked for the first time.
func (t *tracks) deleting(id string, rec *state.Record, kind absenceKind, now time.Time) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.breaker.asked[rec.UID] == nil
	if kind == explained {
		return first
	}
	t.breaker.deleting(now, rec)
	tr := t.all[id]
	if tr.levels.absence == unexplained {
		tr.levels.absence = notAbsent
		t.set(id, now, tr)
	}
	return first
}

// notDeleted takes note that it was not done.
func (t *tracks) notDeleted(rec *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.notDeleted(rec)
}

// deleted takes note that it was.
func (t *tracks) deleted(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := t.all[id]
	tr.levels = levels{missing: tr.levels.missing}
	t.set(id, now, tr)
}

// names tells whether a record names a namespace of StorageOS.
func (t *tracks) names(namespaceID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.breaker.namespaces[namespaceID].records > 0
}

// recordChanged counts the records.
func (t *tracks) recordChanged(old, obj *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.recordChanged(old, obj)
}

// cached forgets what was written to a record when the cache has it: nobody may decide
// about its volume for long.
func (t *tracks) cached(rec *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range rec.IDs() {
		if tr := t.all[id]; tr.written != nil && newest(tr.written, rec) == rec {
			tr.written = nil
			t.set(id, time.Now(), tr)
		}
	}
}

// doubtWritten has all that is read which was written and which the cache has not told of. It
// may never do so: a store that was restored from a backup does not have it. It returns
// the IDs.
func (t *tracks) doubtWritten(now time.Time) (ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.written != nil && tr.unanswered.was == nil {
			tr.unanswered.was = tr.written
			t.set(id, now, tr)
			ids = append(ids, id)
		}
	}
	return ids
}

// resetBreaker looks, after a complete listing, whether the breaker may go.
func (t *tracks) resetBreaker(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.reset(now)
}

// tripsBy tells whether these absences alone would trip the breaker.
func (t *tracks) tripsBy(absent map[string]int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.breaker.tripsBy(absent)
}

// holding tells why deletions of more than single records are held, "" if they
// are not: another cluster answers, or too many are absent.
func (t *tracks) holding() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.breaker.why != "" && t.held[heldMass]+t.held[heldNotVouched] > 0 {
		return t.breaker.why
	}
	for _, why := range []string{heldOtherCluster, heldNoCluster} {
		if t.held[why] > 0 {
			return why
		}
	}
	return t.breaker.why
}

// notWatched tells whether records are held because they were not watched for long
// enough.
func (t *tracks) notWatched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[heldNotWatched] > 0
}

// publish sets the gauges. The caller holds the lock.
func (t *tracks) publish() {
	t.metrics.SetOrphans(metrics.OrphanUnclaimed, t.counts.unclaimed)
	t.metrics.SetOrphans(metrics.OrphanMissing, t.counts.missing)
	t.metrics.SetOrphans(metrics.OrphanRecord, t.counts.orphan)
	held, invalid := t.sums()
	t.metrics.SetHeld(held)
	t.metrics.SetInvalid(invalid)
}

// sums are how many records the rules of deletion hold back, and how much cannot be
// recorded. The caller holds the lock.
func (t *tracks) sums() (held, invalid int) {
	for _, n := range t.held {
		held += n
	}
	return held, t.counts.invalid + t.counts.unreadable
}

// concerned is the same for whoever does not hold it.
func (t *tracks) concerned() (held, invalid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sums()
}

// setUnreadable says how many PersistentVolumes have a handle that cannot be read.
func (t *tracks) setUnreadable(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.unreadable = n
	t.publish()
}

func count(n *int, was, is bool) {
	switch {
	case is && !was:
		*n++
	case was && !is:
		*n--
	}
}
