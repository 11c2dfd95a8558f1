package source

import (
	"maps"
	"slices"
	"sync"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// View is what this process knows of StorageOS: every volume that was listed,
// as hashes, not as content. That a volume is there it takes from any listing;
// that one is gone only from a complete one.
type View struct {
	mu           sync.RWMutex
	most         int                // volumes
	volumes      map[string]*listed // that lists show
	early        map[string]*early  // that were read by their IDs since
	states       map[string]*namespaceState
	namespaces   []string          // IDs, as last listed
	nodes        map[string]string // ID -> name, as last listed whole
	current      *Listing          // the one that is under way, nil between two
	complete     *Listing          // the last complete one, nil before the first
	listings     int               // how many were complete
	generation   int               // grows with each volume that comes and each listing that ends
	lastComplete bool              // the last listing that has ended was complete
	syncedIn     int               // the span of the clock in which a complete listing was last compared, 0 before the first
	clock        policy.WatchClock

	// The namespaces that are listed, and those that were and that records name still.
	// True: every volume of its first whole list was compared, or it is new.
	seen map[string]bool

	// IDs of which nobody knows whether they are there: no list has them, but they are
	// not absent either. They were shown by an answer that was begun at that time, or
	// their namespace was listed then and did not have to be complete. The next complete
	// listing that is begun later tells.
	unknown map[string]time.Time
	forgot  time.Time // the same of IDs that nothing in Kubernetes named then: begin of that listing

	// The clusters that have listed, in this process, a volume that a record describes.
	vouched map[string]policy.Voucher

	known Known

	health map[v1.Health]int // how many volumes have it

	// IDs that may be in two lists: the end of a listing tells. True for one that
	// was shown in another namespace than before.
	ambiguous map[string]bool
}

// Listing is one poll of StorageOS.
type Listing struct {
	Begun, ended time.Time
	Cluster      string // ID of the cluster that answered, "" if it refused to tell
	Verified     bool   // it was asked before and after the lists, and both agreed
	Span         int    // of the view, while that cluster answered; 0 if another had before the listing ended
	namespaces   bool   // the list of namespaces was whole
}

// namespaceState is a namespace of StorageOS.
type namespaceState struct {
	id    string
	rev   *revision // as last listed, nil before
	whole *Listing  // the last that read its list to the end
	order []*listed // the volumes of rev, as it lists them
	fresh []*listed // those that no whole list has shown yet, while the last was not
	stale []*listed // those of earlier revisions: gone if the next complete listing does not show them
}

// revision is one content that the list of a namespace has had. If a listing returns the
// same bytes for a namespace, only shown of its revision is updated: its volumes are not
// visited.
//
// Invariant: a revision whose volume another list has shown since has no fingerprint. If its
// bytes counted as unchanged, nobody would learn that it shows the volume still.
type revision struct {
	ns          *namespaceState
	fingerprint storageos.Fingerprint // zero if it is to be looked into the next time
	shown       *Listing              // the last that showed it
	begun       time.Time             // when that asked for it
	verified    *Listing              // the last that showed it and is known to be of one cluster
	again       bool                  // it is to be looked into again, whatever its fingerprint will be
}

// listed is what the view keeps of one volume.
type listed struct {
	ID string
	state.Digest
	raw      uint64                 // hash of its JSON as listed; 0 if it is to be decoded again
	invalid  state.Interned[string] // why it cannot be recorded, "" if it can
	rev      *revision              // that showed it last; nil once it has gone
	other    *revision              // another one that showed it too, or did so before; nil if there is none
	verified *Listing               // what rev.verified is before that is known
}

// maxVouched bounds the clusters that are remembered.
const maxVouched = 100

// Known is what a view asks whoever knows more than StorageOS tells. The functions may be
// called while the view is locked: they must not call back. Nil knows nothing.
type Known struct {
	// NamesNamespace tells whether a record names a namespace of StorageOS.
	NamesNamespace func(namespaceID string) bool
	// NamesVolume tells whether a record or a PersistentVolume names a volume.
	NamesVolume func(volumeID string) bool
	// Text is an ID as it is kept elsewhere, if it is.
	Text func(volumeID string) string
}

// NewView makes a view that is empty. Interval is the time from the begin of one listing to
// the next.
func NewView(interval time.Duration, known Known) *View {
	if known.NamesNamespace == nil {
		known.NamesNamespace = func(string) bool { return false }
	}
	if known.NamesVolume == nil {
		known.NamesVolume = func(string) bool { return true }
	}
	if known.Text == nil {
		known.Text = func(id string) string { return id }
	}
	return &View{
		volumes: map[string]*listed{}, early: map[string]*early{}, states: map[string]*namespaceState{},
		seen: map[string]bool{}, health: map[v1.Health]int{}, most: maxVolumes,
		ambiguous: map[string]bool{}, unknown: map[string]time.Time{}, vouched: map[string]policy.Voucher{},
		clock: policy.WatchClock{Interval: interval}, known: known,
	}
}

// Size is how much a view remembers.
type Size struct {
	Volumes    int
	Entries    int // of lists: a volume is in one, and in another while it moves
	Namespaces int // that are listed
	Seen       int // namespaces that are listed or that records name
	Unknown    int // volumes of which nobody knows whether they are there
	Ambiguous  int // volumes that may be listed twice
	Early      int // volumes that were read by their IDs since they were listed
}

// Size tells how much the view remembers.
func (v *View) Size() Size {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := Size{Volumes: len(v.volumes), Namespaces: len(v.states), Seen: len(v.seen), Unknown: len(v.unknown), Ambiguous: len(v.ambiguous), Early: len(v.early)}
	for _, ns := range v.states {
		s.Entries += len(ns.order) + len(ns.stale) + len(ns.fresh)
	}
	return s
}

// Look tells what is known of a volume.
func (v *View) Look(id string) policy.Source {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := policy.Source{LastComplete: v.lastComplete, InitialSync: v.syncedIn == 0, Watch: v.clock.Now(), Answering: v.clock.Cluster, Listings: v.listings, Generation: v.generation}
	of := v.complete
	if v.complete != nil {
		s.CompleteBegun = v.complete.Begun
		s.Forgotten = !v.forgot.Before(v.complete.Begun)
	}
	if e := v.early[id]; e != nil {
		e.look(v, &s)
		of = e.of
	} else if l, ok := v.volumes[id]; ok {
		s.Presence = policy.Present
		s.NamespaceID = l.rev.ns.id
		s.Digest = l.Digest
		s.Invalid = l.invalid.Value()
		s.Moved = v.ambiguous[id]
		s.Seen = l.rev.shown.Begun
		s.InitialSync = !v.seen[s.NamespaceID]
		of = l.lastVerified()
	} else if _, unknown := v.unknown[id]; v.complete != nil && !unknown {
		s.Presence = policy.Absent
	}
	if of != nil {
		s.Cluster, s.ClusterVerified, s.Voucher = of.Cluster, true, v.vouched[of.Cluster]
	}
	return s
}

// Lists tells whether the view has a volume: a list has shown it, or an answer to its ID since.
func (v *View) Lists(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.volumes[id]
	return ok || v.early[id] != nil
}

// full tells whether there is no room for a volume.
func (v *View) full(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.volumes[id]
	return !ok && len(v.volumes) >= v.most
}

// setNodes takes the names of the nodes. If they changed, every volume has to
// be decoded again at the next listing, because what its record should say may
// have changed with them.
func (v *View) setNodes(nodes map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if maps.Equal(v.nodes, nodes) {
		return
	}
	v.nodes = nodes
	for _, e := range v.volumes {
		e.raw, e.rev.fingerprint, e.rev.again = 0, storageos.Fingerprint{}, true
	}
}

// setNamespaces takes the list of namespaces. Of those that are gone, the ones that
// records name stay known.
func (v *View) setNamespaces(l *Listing, ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l.namespaces = true
	if slices.Equal(v.namespaces, ids) {
		return
	}
	v.namespaces = ids
	seen := make(map[string]bool, len(ids))
	// One that comes while the same cluster answers was made since. What another cluster
	// has was so before it was heard of.
	made := v.syncedIn != 0 && v.syncedIn == v.clock.Span
	for _, id := range ids {
		synced, known := v.seen[id]
		seen[id] = synced || made && !known
	}
	for id, synced := range v.seen {
		if _, ok := seen[id]; !ok && v.known.NamesNamespace(id) {
			seen[id] = synced
		}
	}
	v.seen = seen
}

// DecodeAgain has the next listing take volumes for changed. It returns the IDs of
// those that are not listed.
func (v *View) DecodeAgain(ids []string) (rest []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		e, ok := v.volumes[id]
		if !ok {
			rest = append(rest, id)
			continue
		}
		e.raw, e.rev.fingerprint, e.rev.again = 0, storageos.Fingerprint{}, true
	}
	return rest
}

// HasSeen tells whether a namespace is listed, or was when some record named it.
func (v *View) HasSeen(namespaceID string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.seen[namespaceID]
	return ok
}

// Compared says that what a listing has shown was compared: what is found from now on
// in a namespace whose list was whole has happened since this process began.
func (v *View) Compared(l *Listing, complete bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if complete {
		v.syncedIn = l.Span
	}
	for id, s := range v.states {
		if s.whole == l && !v.seen[id] {
			v.seen[id] = true
		}
	}
}

// InitialSync tells whether no complete listing was compared yet.
func (v *View) InitialSync() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.syncedIn == 0
}

// heard takes note of which cluster has answered, "" if it refused to tell.
func (v *View) heard(cluster string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clock.Heard(cluster)
}

// Span is how many clusters have answered, one after the other.
func (v *View) Span() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.clock.Span
}

// Vouch takes note by what a cluster is vouched for, if that is better than what is known.
func (v *View) Vouch(cluster string, by policy.Voucher) {
	v.mu.Lock()
	defer v.mu.Unlock()
	was := v.vouched[cluster]
	if !by.Better(was) {
		return
	}
	if len(v.vouched) >= maxVouched && !was.Is {
		clear(v.vouched)
	}
	v.vouched[cluster] = by
}

// shown takes note of an answer beside the lists that shows a volume. A list that was
// begun before does not know better, even if it ends later; nor does an answer.
func (v *View) shown(id string, begun time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, ok := v.volumes[id]
	if (!ok || v.current != nil && !begun.Before(v.current.Begun)) && begun.After(v.unknown[id]) {
		v.unknown[id] = begun
	}
}

// NodeNames are the names of the nodes by ID, for reading only.
func (v *View) NodeNames() map[string]string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.nodes // replaced, never changed
}

// NamespaceIDs are the namespaces of the last listing that told them, for reading only.
func (v *View) NamespaceIDs() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.namespaces // replaced, never changed
}

// Count is how many volumes are known: after a complete listing those that it has shown.
func (v *View) Count() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.volumes)
}

// IDs are the volumes that are known, in no order.
func (v *View) IDs() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.AppendSeq(make([]string, 0, len(v.volumes)), maps.Keys(v.volumes))
}

// ByHealth counts the volumes by health. One that cannot be recorded counts as
// unknown.
func (v *View) ByHealth() map[v1.Health]int {
	n := map[v1.Health]int{v1.HealthHealthy: 0, v1.HealthDegraded: 0, v1.HealthOffline: 0, v1.HealthUnknown: 0}
	v.mu.RLock()
	defer v.mu.RUnlock()
	maps.Copy(n, v.health)
	return n
}

// change changes what is kept of a volume and counts it anew. The caller holds
// the lock.
func (v *View) change(e *listed, fn func()) {
	v.count(e, -1)
	fn()
	v.count(e, 1)
}

func (v *View) count(e *listed, n int) {
	switch {
	case e.rev == nil: // not there yet, or no more
	case e.invalid.Value() != "":
		v.health[v1.HealthUnknown] += n
	default:
		v.health[e.Health.Value().Health] += n
	}
}
