package controller

import (
	"maps"
	"slices"
	"sync"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// view is what this process knows of StorageOS: every volume that was listed,
// as hashes, not as content. That a volume is there it takes from any listing;
// that one is gone only from a complete one.
type view struct {
	mu         sync.RWMutex
	volumes    map[string]*listed
	namespaces []string          // IDs, as last listed
	nodes      map[string]string // ID -> name, as last listed whole
	complete   *listing          // the last complete one, nil before the first
	whole      bool              // the last listing that has ended was complete
	settled    bool              // every ID was compared after the first complete listing
}

// listing is one poll of StorageOS.
type listing struct {
	begun   time.Time
	cluster string // ID of the cluster that answered, "" if it refused to tell
	agreed  bool   // it was asked before and after the lists, and both agreed
}

// listed is what the view keeps of one volume.
type listed struct {
	digest
	namespaceID string
	raw         uint64   // hash of its JSON as listed
	invalid     string   // why it cannot be recorded, "" if it can
	seen        *listing // the last that showed it
	doubled     *listing // the last that showed it twice with different content
	agreed      *listing // the last that showed it and is known to be of one cluster
	moved       bool     // shown in another namespace than before; whether in both, the end of the listing tells
}

// presence says whether StorageOS has a volume.
type presence int

const (
	unknown presence = iota // no complete listing yet, and no listing has shown it
	present
	absent
)

// sight is what the view says of one volume at one moment.
type sight struct {
	presence    presence
	namespaceID string
	digest      digest
	invalid     string
	moved       bool      // it may be listed in two namespaces
	seen        time.Time // begin of the last listing that showed it

	// The ID of the StorageOS cluster that has the volume or, if it is absent,
	// of the one that does not list it. "" if that refuses to tell.
	cluster string
	// It is known which cluster that is, or that it refuses to tell.
	agreed bool

	completeBegun time.Time // begin of the last complete listing
	whole         bool      // the last listing that has ended was complete
	settling      bool      // the first complete listing is not yet worked off
}

const listedTwice = "StorageOS lists its ID twice with different content"

func newView() *view {
	return &view{volumes: map[string]*listed{}}
}

// look tells what is known of a volume.
func (v *view) look(id string) sight {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := sight{whole: v.whole, settling: !v.settled}
	of := v.complete
	if v.complete != nil {
		s.completeBegun = v.complete.begun
		s.presence = absent
	}
	if l, ok := v.volumes[id]; ok {
		s.presence = present
		s.namespaceID = l.namespaceID
		s.digest = l.digest
		s.invalid = l.invalid
		s.moved = l.moved
		s.seen = l.seen.begun
		of = l.agreed
	}
	if of != nil {
		s.cluster, s.agreed = of.cluster, true
	}
	return s
}

// lists tells whether the view has a volume.
func (v *view) lists(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.volumes[id]
	return ok
}

// finding is what a listing shows of a volume, against what the view has.
type finding int

const (
	unchanged finding = iota // nothing to do
	changed                  // new or other content: decode it and store it
	clashing                 // shown before in this listing, with other content
)

// show takes note that a listing shows a volume.
func (v *view) show(l *listing, namespaceID, id string, raw uint64) finding {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.volumes[id]
	switch same := ok && e.raw == raw && e.namespaceID == namespaceID; {
	case !ok:
		return changed
	case e.seen == l && same:
		return unchanged
	case e.seen == l:
		e.doubled, e.invalid = l, listedTwice
		return clashing
	case e.doubled != nil:
		// It was listed twice before: what counts is whether this listing
		// does so again, which only its end tells.
		e.seen, e.raw, e.namespaceID = l, raw, namespaceID
		return unchanged
	case same:
		e.seen = l
		return unchanged
	default:
		return changed
	}
}

// store takes what a listing shows of a new or changed volume. It reports false
// if another namespace, listed at the same time, has shown the ID with other
// content since show was asked.
func (v *view) store(l *listing, namespaceID, id string, raw uint64, d digest, invalid string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.volumes[id]; ok && e.seen == l && (e.raw != raw || e.namespaceID != namespaceID) {
		e.doubled, e.invalid = l, listedTwice
		return false
	}
	next := &listed{digest: d, namespaceID: namespaceID, raw: raw, invalid: invalid, seen: l}
	if e, ok := v.volumes[id]; ok {
		next.agreed = e.agreed
		next.moved = e.namespaceID != namespaceID
	}
	v.volumes[id] = next
	return true
}

// setNodes takes the names of the nodes. If they changed, every volume has to
// be decoded again at the next listing, because what its record should say may
// have changed with them.
func (v *view) setNodes(nodes map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if maps.Equal(v.nodes, nodes) {
		return
	}
	v.nodes = nodes
	for _, e := range v.volumes {
		e.raw = 0
	}
}

func (v *view) setNamespaces(ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.namespaces = ids
}

// end takes the end of a listing. After a complete one, what it did not show is
// gone. It returns the IDs of which more is known now: those that have gone, that
// have moved, and that are no longer listed twice.
func (v *view) end(l *listing, complete bool) (changed []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.whole = complete
	if complete {
		v.complete = l
	}
	for id, e := range v.volumes {
		if l.agreed && e.seen == l {
			e.agreed = l
		}
		if e.moved {
			e.moved = false
			changed = append(changed, id)
		}
		switch {
		case !complete:
		case e.seen != l:
			delete(v.volumes, id)
			changed = append(changed, id)
		case e.doubled != nil && e.doubled != l:
			// Decoded again by the next listing.
			e.doubled, e.raw = nil, 0
		}
	}
	slices.Sort(changed)
	return slices.Compact(changed)
}

// settle says that every ID has been compared after the first complete listing:
// what is found from now on has happened since this process began.
func (v *view) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settled = true
}

// facts that more than one volume needs.

func (v *view) nodeNames() map[string]string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.nodes // replaced, never changed
}

func (v *view) namespaceIDs() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.namespaces // replaced, never changed
}

func (v *view) ids() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Collect(maps.Keys(v.volumes))
}

// byHealth counts the volumes by health. One that cannot be recorded counts as
// unknown.
func (v *view) byHealth() map[v1.Health]int {
	n := map[v1.Health]int{v1.HealthHealthy: 0, v1.HealthDegraded: 0, v1.HealthOffline: 0, v1.HealthUnknown: 0}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, e := range v.volumes {
		if e.invalid != "" {
			n[v1.HealthUnknown]++
		} else {
			n[e.health]++
		}
	}
	return n
}
