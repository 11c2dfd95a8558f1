package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// model is a StorageOS, a Kubernetes and one or two controllers between them.
// Its actions are what may happen, in any order.
type model struct {
	t        *rapid.T
	ctx      context.Context // without a logger
	settings Settings
	api      *storageostest.API
	records  *memory
	pvs      map[string]*state.PV
	pvTold   []pvChange
	leader   *replica
	zombie   *replica           // a former leader that does not know it yet
	named    int                // the last number of a name
	changes  int                // that writes may follow
	moves    int                // of volumes: they came, went or were another cluster's
	upgraded bool               // the older CRD was replaced
	foreign  map[types.UID]bool // records with a condition of somebody else

	annotated map[types.UID]bool // records with an annotation of somebody else

	interrupting  sync.Mutex // questions are asked by many goroutines
	interruptions []*interruption
	violation     string // the first rule that was broken
}

type pvChange struct{ old, obj *state.PV }

// replica is one controller and how much of the watches it has been told.
type replica struct {
	*Reconciler
	recordsTold, pvsTold int

	witness *witness
	deleted []time.Time // unexplained deletions
}

type silent struct{}

func (silent) Event(runtime.Object, string, string, string) {}

var errDown = errors.New("down")

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, ctx: klog.NewContext(context.Background(), logr.Discard()), settings: DefaultSettings(), pvs: map[string]*state.PV{},
		api:     storageostest.New(map[string][]string{"one": nil, "two": nil, "three": nil}),
		records: &memory{records: map[string]*v1.Volume{}},
		foreign: map[types.UID]bool{}, annotated: map[types.UID]bool{},
	}
	m.api.NodeNames = map[string]string{"n1": "host-1", "n2": "host-2"} // nobody knows n3
	m.settings.MassOrphanHold = time.Minute
	m.settings.MaxOrphanCount = 2
	m.settings.ResyncInterval = rapid.SampledFrom([]time.Duration{10 * time.Minute, 20 * time.Second}).Draw(t, "resync")
	m.settings.OrphanGracePeriod = rapid.SampledFrom([]time.Duration{0, 15 * time.Second}).Draw(t, "grace")
	m.records.pruned = rapid.Bool().Draw(t, "older CRD")
	m.records.wrote = m.checkWrite
	m.records.fence = m.fence
	m.api.Before = m.interrupt
	m.leader = m.newReplica()
	return m
}

func (m *model) newReplica() *replica {
	w := newWitness(m.api, m.settings.PollInterval)
	r, err := NewReconciler(Options{
		Settings: m.settings, StorageOS: w, Records: m.records, Events: silent{}, Metrics: metrics.New(),
		Kubernetes: struct{ kubernetes.Interface }{},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	r.logger = logr.Discard()
	// The same history must go the same way again.
	r.poller.Parallel, r.asker = 1, source.NewAsker(w, r.view, 1)
	if r.early != nil {
		r.early.reader = source.NewEarlyReader(w, r.view, 1, r.metrics.EarlyRead, r.volumeShown, r.volumeRead)
	}
	p := &replica{Reconciler: r, witness: w}
	m.tell(p, -1)
	r.leading.Store(true)
	r.compareCaches()
	r.metrics.StartLeading()
	r.tracker.setUnreadable(len(r.caches.Unreadable()))
	return p
}

// writesTo lets a replica write records there from now on.
func (p *replica) writesTo(records versioned.Interface) {
	p.writer = writer.New(records, known{p.caches, p.Reconciler}, p.wrote)
}

// tell tells a replica what its watches say, n changes of each or all.
func (m *model) tell(p *replica, n int) {
	for ; p.recordsTold < len(m.records.history) && n != 0; p.recordsTold++ {
		c := m.records.history[p.recordsTold]
		var old, obj *state.Record
		if c.old != nil {
			old = state.NewRecord(c.old)
		}
		if c.obj != nil {
			obj = state.NewRecord(c.obj)
			must(m.t, p.caches.Records.GetIndexer().Add(obj))
		} else {
			must(m.t, p.caches.Records.GetIndexer().Delete(old))
		}
		p.caches.RecordChanged(old, obj)
		n--
	}
	for ; p.pvsTold < len(m.pvTold) && n != 0; p.pvsTold++ {
		c := m.pvTold[p.pvsTold]
		if c.obj != nil {
			must(m.t, p.caches.PVs.GetIndexer().Add(c.obj))
		} else {
			must(m.t, p.caches.PVs.GetIndexer().Delete(c.old))
		}
		p.caches.PVChanged(c.old, c.obj)
		n--
	}
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// work lets a replica take up to n keys from its queue.
func (m *model) work(p *replica, n int) {
	for ; n > 0 && p.queue.Len() > 0; n-- {
		id, _ := p.queue.Get()
		m.process(p, id)
		p.queue.Done(id)
		synctest.Wait()
	}
}

func (m *model) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (m *model) heal() {
	m.api.Fail, m.api.Hidden = nil, nil
	m.records.fail, m.records.lost, m.records.after = nil, nil, nil
	m.interruptions = nil
	m.first()
	m.shrink()
	m.changes++
}

// shrink lets each volume that is too large become one that can be recorded.
func (m *model) shrink() {
	for ns, all := range m.api.Lists {
		if slices.ContainsFunc(all, tooLarge) {
			volumes := slices.Clone(all)
			for i, v := range volumes {
				if id, _, _ := strings.Cut(v, " "); tooLarge(v) {
					volumes[i] = id + " 1"
				}
			}
			m.setVolumes(ns, volumes)
		}
	}
}

func tooLarge(v string) bool { return strings.HasSuffix(v, " large") }

// other lets another cluster answer, with no volumes.
func (m *model) other() {
	if m.api.ClusterID == "cluster" {
		m.api.ClusterID, m.api.Elsewhere, m.api.Lists = "other", m.api.Lists, map[string][]string{}
		m.changes += m.named
		m.moves++
	}
}

// first lets the first cluster answer again.
func (m *model) first() {
	if m.api.ClusterID == "other" {
		m.api.ClusterID, m.api.Lists, m.api.Elsewhere = "cluster", m.api.Elsewhere, nil
		m.changes += m.named
		m.moves++
	}
}

// close ends what runs behind the queues.
func (m *model) close() {
	for _, p := range []*replica{m.leader, m.zombie} {
		if p != nil {
			p.queue.ShutDown()
		}
	}
	synctest.Wait()
}

var errFenced = errors.New("the lease is another's")

// fence lets only the leader make records. What a former leader patches or deletes names a
// version that has changed meanwhile; what it makes, only the lease prevents.
func (m *model) fence(ctx context.Context) error {
	if a := activityOf(ctx); a != nil && a.by != m.leader {
		return errFenced
	}
	return nil
}

func (m *model) failOver() {
	if m.zombie != nil {
		m.zombie.queue.ShutDown()
	}
	m.zombie, m.leader = m.leader, m.newReplica()
	m.changes++
}

// round is a listing and all that comes of it.
func (m *model) round() {
	m.poll(m.leader)
	for range 100 {
		m.tell(m.leader, -1)
		synctest.Wait()
		if m.leader.queue.Len() == 0 {
			return
		}
		m.work(m.leader, 1000)
	}
	m.t.Fatal("the queue does not come to rest")
}

// Whatever happens, in whatever order: no record is deleted without proof, and
// after the last fault records and volumes agree.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(history *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			// How rapid ends a history that has failed: it must not cross the
			// edge of the bubble.
			defer func() { failure = recover() }()
			m := newModel(history)
			defer m.close()
			m.begin()
			history.Repeat(m.actions())
			m.t = history
			m.check()
		})
		// Rapid tells failures apart by the line that they come from.
		switch fmt.Sprintf("%T", failure) {
		case "<nil>":
		case "rapid.invalidData":
			panic(failure) // no failure, rapid goes on
		default:
			panic(failure)
		}
	})
}
