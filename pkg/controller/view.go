package controller

import (
	"maps"
	"slices"
	"sync"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// view is what this process knows of StorageOS: every volume that was listed,
// as hashes, not as content. That a volume is there it takes from any listing;
// that one is gone only from a complete one.
type view struct {
	mu         sync.RWMutex
	most       int                    // volumes
	text       func(id string) string // an ID as it is kept elsewhere, if it is
	volumes    map[string]*listed
	spaces     map[string]*space
	namespaces []string            // IDs, as last listed
	seen       map[string]struct{} // IDs of namespaces that were ever listed
	nodes      map[string]string   // ID -> name, as last listed whole
	complete   *listing            // the last complete one, nil before the first
	whole      bool                // the last listing that has ended was complete
	settled    bool                // every ID was compared after the first complete listing

	health map[v1.Health]int // how many volumes have it

	// IDs that may be in two lists: the end of a listing tells. True for one that
	// was shown in another namespace than before.
	doubt map[string]bool
}

// listing is one poll of StorageOS.
type listing struct {
	begun   time.Time
	cluster string // ID of the cluster that answered, "" if it refused to tell
	agreed  bool   // it was asked before and after the lists, and both agreed
}

// space is a namespace of StorageOS.
type space struct {
	id    string
	body  *body     // as last listed, nil before
	whole *listing  // the last that read its list to the end
	order []*listed // the volumes that body shows, in its order
	stale []*listed // those of earlier bodies: gone if the next complete listing does not show them
}

// body is one content that the list of a namespace has had. While it does not
// change nothing is done for its volumes, however many: it is the body that a
// listing shows again.
type body struct {
	space       *space
	fingerprint storageos.Fingerprint // zero if it is to be looked into the next time
	shown       *listing              // the last that showed it
	agreed      *listing              // the last that showed it and is known to be of one cluster
}

// listed is what the view keeps of one volume.
type listed struct {
	id string
	digest
	raw     uint64         // hash of its JSON as listed; 0 if it is to be decoded again
	invalid shared[string] // why it cannot be recorded, "" if it can
	body    *body          // that showed it last; nil once it has gone
	other   *body          // another one that showed it too, or did so before; nil if there is none
	agreed  *listing       // what body.agreed is before that is known
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

func newView() *view {
	return &view{
		volumes: map[string]*listed{}, spaces: map[string]*space{},
		seen: map[string]struct{}{}, health: map[v1.Health]int{}, most: maxVolumes, text: func(id string) string { return id },
		doubt: map[string]bool{},
	}
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
		s.namespaceID = l.body.space.id
		s.digest = l.digest
		s.invalid = l.invalid.get()
		s.moved = v.doubt[id]
		s.seen = l.body.shown.begun
		of = l.lastAgreed()
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

// full tells whether there is no room for a volume.
func (v *view) full(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.volumes[id]
	return !ok && len(v.volumes) >= v.most
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
		e.raw, e.body.fingerprint = 0, storageos.Fingerprint{}
	}
}

func (v *view) setNamespaces(ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.namespaces = ids
	for _, id := range ids {
		v.seen[id] = struct{}{}
	}
}

// hasSeen tells whether a namespace was ever listed.
func (v *view) hasSeen(namespaceID string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.seen[namespaceID]
	return ok
}

// settle says that every ID has been compared after the first complete listing:
// what is found from now on has happened since this process began.
func (v *view) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settled = true
}

// settling tells whether settle was not called yet.
func (v *view) settling() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return !v.settled
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
	return slices.AppendSeq(make([]string, 0, len(v.volumes)), maps.Keys(v.volumes))
}

// byHealth counts the volumes by health. One that cannot be recorded counts as
// unknown.
func (v *view) byHealth() map[v1.Health]int {
	n := map[v1.Health]int{v1.HealthHealthy: 0, v1.HealthDegraded: 0, v1.HealthOffline: 0, v1.HealthUnknown: 0}
	v.mu.RLock()
	defer v.mu.RUnlock()
	maps.Copy(n, v.health)
	return n
}

// change changes what is kept of a volume and counts it anew. The caller holds
// the lock.
func (v *view) change(e *listed, fn func()) {
	v.count(e, -1)
	fn()
	v.count(e, 1)
}

func (v *view) count(e *listed, n int) {
	switch {
	case e.body == nil: // not there yet, or no more
	case e.invalid.get() != "":
		v.health[v1.HealthUnknown] += n
	default:
		v.health[e.health.get()] += n
	}
}
