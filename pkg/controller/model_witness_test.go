package controller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// witness stands between one process and StorageOS and takes down what was really
// answered, and when. What it knows of absences it works out by itself, from the
// definition of watched time, and not by the rules of the code that it judges.
type witness struct {
	*storageostest.API
	interval time.Duration
	mu       sync.Mutex

	word  string               // who answers: the cluster that was named last, or unnamed
	heard bool                 // anybody has
	clock []time.Duration      // the time watched, at the end of each complete listing by word
	ended time.Time            // when the last of them ended
	shown map[string]int       // how many of them had ended when an answer last showed a volume
	whole bool                 // the last listing that has ended was complete
	took  time.Duration        // the length of the last complete listing
	lists map[string]wholeList // the last whole list of each namespace

	listed map[string]map[string]time.Time // when a cluster has listed volumes last, by its name
	knew   map[string]time.Time            // by its name, the oldest record whose volume a cluster has listed

	answering string // who answered the last complete listing
}

// unnamed is the name of a cluster that refuses to tell its name.
const unnamed = "(unnamed)"

type wholeList struct {
	is  storageos.Fingerprint
	ids []string
}

// activity is what one process does at a time: a listing, or the work on one key.
// It is handed along with the context.
type activity struct {
	by      *replica
	listing bool
	begun   time.Time
	judge   string // the cluster that had answered when it began
	began   bool   // it has asked
	version int    // of the records, at the first question
	moves   int    // of volumes, then
	asked   []answered

	namespaces map[string]bool // that were listed: whole or not
	shown      map[string]bool // volumes
}

// answered is one question and its answer.
type answered struct {
	ns, id  string // of a volume; both empty: which cluster is it?
	cluster string // its name
	gone    bool   // the API's own 404
}

type activityKey struct{}

func activityOf(ctx context.Context) *activity {
	a, _ := ctx.Value(activityKey{}).(*activity)
	return a
}

func newWitness(api *storageostest.API, interval time.Duration) *witness {
	return &witness{API: api, interval: interval, shown: map[string]int{}, lists: map[string]wholeList{}, listed: map[string]map[string]time.Time{}, knew: map[string]time.Time{}}
}

func (w *witness) Cluster(ctx context.Context) (string, error) {
	name, err := w.API.Cluster(ctx)
	a := activityOf(ctx)
	if a == nil {
		return name, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	is := name
	switch {
	case storageos.IsForbidden(err):
		is = unnamed
	case err != nil:
		is = ""
	}
	// A refusal is a name only if the other answer beside it is one, too.
	if is != "" && is != unnamed || is == unnamed && a.refusedBefore() {
		w.names(is)
	}
	a.asked = append(a.asked, answered{cluster: is})
	return name, err
}

func (a *activity) refusedBefore() bool {
	for _, q := range a.asked {
		if q.id == "" {
			return q.cluster == unnamed
		}
	}
	return false
}

// names takes note of who answers: what was watched on the word of another is void.
func (w *witness) names(word string) {
	if w.heard && w.word == word {
		return
	}
	w.word, w.heard = word, true
	w.clock, w.shown = nil, map[string]int{}
}

func (w *witness) Namespaces(ctx context.Context) ([]storageos.Namespace, error) {
	all, err := w.API.Namespaces(ctx)
	if a := activityOf(ctx); a != nil && err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		was := a.namespaces
		a.namespaces = map[string]bool{}
		for _, ns := range all {
			a.namespaces[ns.Id] = was[ns.Id]
		}
	}
	return all, err
}

func (w *witness) ListVolumes(ctx context.Context, ns string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	var ids []string
	is, err := w.API.ListVolumes(ctx, ns, known, func(e storageos.Entry) error {
		ids = append(ids, storageostest.IDOf(e))
		return each(e)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && len(ids) == 0 && is == known {
		ids = w.lists[ns].ids // the list was as before
	}
	a := activityOf(ctx)
	for _, id := range ids {
		w.shows(a, id)
	}
	if err == nil {
		w.lists[ns] = wholeList{is, ids}
		if a != nil {
			a.namespaces[ns] = true
		}
	}
	return is, err
}

func (w *witness) Volume(ctx context.Context, ns, id string) ([]byte, *storageos.Volume, error) {
	raw, v, err := w.API.Volume(ctx, ns, id)
	w.mu.Lock()
	defer w.mu.Unlock()
	a := activityOf(ctx)
	if err == nil {
		w.shows(a, id)
	}
	if a != nil {
		a.asked = append(a.asked, answered{ns: ns, id: id, gone: storageos.IsNotFound(err)})
	}
	return raw, v, err
}

// shows takes note that an answer has shown a volume. The caller holds the lock.
func (w *witness) shows(a *activity, id string) {
	w.shown[id] = len(w.clock)
	if a != nil && a.listing {
		a.shown[id] = true
	}
}

// end takes the end of a listing.
func (w *witness) end(a *activity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	took := now.Sub(a.begun)
	w.whole = a.complete()
	if w.whole {
		watched := time.Duration(0)
		if n := len(w.clock); n > 0 {
			most := max(3*w.interval, 2*min(took, w.took))
			watched = w.clock[n-1] + min(now.Sub(w.ended), most)
		}
		w.clock, w.ended, w.took, w.answering = append(w.clock, watched), now, took, w.word
		for id := range a.shown {
			w.shown[id] = len(w.clock)
		}
	}
	if cluster, ok := a.agreed(); ok {
		if w.listed[cluster] == nil {
			w.listed[cluster] = map[string]time.Time{}
		}
		for id := range a.shown {
			w.listed[cluster][id] = time.Now()
		}
	}
}

// agreed is the cluster that answered before and after the lists, if it was one.
func (a *activity) agreed() (string, bool) {
	var clusters []string
	for _, q := range a.asked {
		if q.id == "" {
			clusters = append(clusters, q.cluster)
		}
	}
	if len(clusters) < 2 || clusters[0] == "" || clusters[0] != clusters[len(clusters)-1] {
		return "", false
	}
	return clusters[0], true
}

// complete tells whether a listing had everything that it takes.
func (a *activity) complete() bool {
	if _, ok := a.agreed(); !ok || a.namespaces == nil {
		return false
	}
	for _, listed := range a.namespaces {
		if !listed {
			return false
		}
	}
	return true
}

// watched tells for how long the absence of a volume was watched, and by how many
// complete listings.
func (w *witness) watched(id string) (time.Duration, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	from, n := w.shown[id], len(w.clock)
	if from >= n {
		return 0, 0
	}
	return w.clock[n-1] - w.clock[from], n - from
}

// poll has a process list StorageOS once.
func (m *model) poll(p *replica) {
	a := &activity{by: p, listing: true, begun: time.Now(), shown: map[string]bool{}}
	_ = p.poller.Poll(context.WithValue(m.ctx, activityKey{}, a))
	p.witness.end(a)
	m.learn(p.witness)
}

// read has a process read the volumes of which Kubernetes has told something.
func (m *model) read(p *replica) {
	p.early.reader.ReadDue(context.WithValue(m.ctx, activityKey{}, &activity{by: p, begun: time.Now()}))
}

// process has a process work on one key.
func (m *model) process(p *replica, id string) {
	p.process(context.WithValue(m.ctx, activityKey{}, &activity{by: p, begun: time.Now(), judge: p.witness.answering}), id)
	m.learn(p.witness)
}

// interruption is what happens while a call is on its way.
type interruption struct {
	call    string // how it begins
	listing bool   // it is one of a listing
	after   int    // so many of them have passed
	do      func(by *replica)
	lasts   time.Duration
}

// interrupt lets happen what waits for this call.
func (m *model) interrupt(ctx context.Context, call string) {
	if a := activityOf(ctx); a != nil {
		time.Sleep(m.interrupted(a, call))
	}
}

// interrupted lets it happen, and tells how long the call hangs.
func (m *model) interrupted(a *activity, call string) time.Duration {
	m.interrupting.Lock()
	defer m.interrupting.Unlock()
	if !a.listing && !a.began {
		a.began = true
		a.version, a.moves = m.records.version, m.moves
	}
	for i, is := range m.interruptions {
		if is.listing != a.listing || !strings.HasPrefix(call, is.call) {
			continue
		}
		if is.after--; is.after < 0 {
			m.interruptions = append(m.interruptions[:i:i], m.interruptions[i+1:]...)
			is.do(a.by)
			return is.lasts
		}
		break
	}
	return 0
}

// during has something happen while a call is on its way.
func (m *model) during(is *interruption) {
	if len(m.interruptions) >= 3 {
		m.t.Skip("enough is waiting")
	}
	m.interruptions = append(m.interruptions, is)
	m.changes += 2
}

var errLost = errors.New("the answer was lost")
