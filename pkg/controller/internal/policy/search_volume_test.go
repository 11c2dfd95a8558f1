//go:build !race

package policy

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// The worlds of one volume: StorageOS, Kubernetes and a process that leads, in one of them
// beside one that led before and does not know it yet, and with caches that are behind. Time
// goes by in ticks; now is always noon, and all times are ages that are cut off where no rule
// looks further. A listing takes no time, and what is only said counts for nothing.
const (
	tick    = 30 * time.Second
	longest = 4 * tick // the hold: no watched time matters beyond
	oldest  = 3 * tick // the grace and a second: no age does
	longAsk = 2 * tick // the grace, and the pause after what was refused
)

var worldRules = Rules{
	PollInterval: tick, DeleteOrphans: true, OrphanGracePeriod: 2 * tick, MassOrphanHold: 4 * tick, ProgressInterval: tick,
	MaxOrphanCount: 1, MaxOrphanPercent: 1,
}

// The clusters that may answer. The volume is in the first; one that refuses to tell is "".
const clusterA, clusterB = "a", "b"

// What Kubernetes has of the PersistentVolume.
type pvKind byte

const (
	pvNone pvKind = iota
	pvIsBound
	pvIsReleased
)

func (k pvKind) pv() *state.PV {
	if k == pvNone {
		return nil
	}
	pv := &state.PV{
		PVSummary: state.PVSummary{Name: "pv", Phase: state.Intern(corev1.VolumeBound), ReclaimPolicy: state.Intern(corev1.PersistentVolumeReclaimDelete)},
		UID:       state.UIDOf("pv-uid"), NamespaceID: state.Intern("one"), VolumeID: "vol",
	}
	if k == pvIsReleased {
		pv.Phase = state.Intern(corev1.VolumeReleased)
	}
	return pv
}

// oneVolume is everything at one moment.
//
// Invariant: a stored record has the resource version 9. A copy of what it was has one less
// for each write since, down to 8, or to 6 where caches are behind.
type oneVolume struct {
	exists, hidden bool   // the volume; from lists
	answers        string // the cluster that does

	pv  pvKind
	has bool // a record
	rec state.Record

	tripped, others bool       // the breaker; other records name clusters
	many            bool       // too many are absent and nothing explains it, as the judge counts
	holder          NameHolder // of the name that its record should have

	leader process
	judge  monitor
	left   int // disturbances

	lags        bool         // caches may be behind, and a former leader may be there
	before      state.Record // what was stored before the last write
	former      process
	formerJudge monitor
	hasFormer   bool
}

// process is what one leader knows.
type process struct {
	mem     Memory       // without its pointers
	was     state.Record // mem.Unanswered.Was
	written state.Record // mem.Written
	cache   state.Record

	presence      Presence
	early         bool   // as the volume was read by its ID, and no list has shown it
	shownBy       string // the verified cluster whose listing showed the volume last
	shownVerified bool
	seen          time.Time
	complete      bool // a listing was
	completeBy    string
	completeBegun time.Time
	lastComplete  bool
	synced        bool
	generation    int
	listings      int // complete ones, while that matters
	clock         WatchClock
	asked         question
}

// question is one on its way.
type question struct {
	on     bool
	by     string       // the cluster that answered before it
	gone   bool         // when it was asked
	record state.Record // that it is asked for
	pv     pvKind
}

func newProcess() process { return process{clock: WatchClock{Interval: tick}, generation: 1} }

func firstWorld() oneVolume {
	w := oneVolume{exists: true, answers: clusterA, pv: pvIsBound, leader: newProcess()}
	w.rec, w.has = stored(state.Summary{
		Content: 7, Health: healthy, PV: w.pv.pv().PVSummary, Present: state.PresentTrue, Bound: state.BoundTrue,
	}), true
	w.rec.ClusterID = state.Intern(clusterA)
	w.leader.cache = w.rec
	return w.canonical()
}

func firstHandOver() oneVolume {
	w := firstWorld()
	w.lags = true
	return w
}

// stored is a record that names no cluster.
func stored(s state.Summary) state.Record {
	return state.Record{
		Name: "rec", UID: state.UIDOf("a"), ResourceVersion: "9", LabelID: "vol", StatusID: "vol", NamespaceID: state.Intern("one"),
		Summary: s, CopiesHealth: healthy,
	}
}

func (w *oneVolume) source() Source {
	p := &w.leader
	s := Source{
		LastComplete: p.lastComplete, InitialSync: !p.synced, Watch: p.clock.Now(), Generation: p.generation,
		CompleteBegun: p.completeBegun, Presence: p.presence, Listings: p.listings,
	}
	if p.complete {
		s.Cluster, s.ClusterVerified = p.completeBy, true
	}
	if p.presence == Present {
		s.NamespaceID, s.Digest, s.Seen = "one", state.Digest{Content: 7, Health: healthy}, p.seen
		s.Cluster, s.ClusterVerified = p.shownBy, p.shownVerified
	}
	return s
}

// decide observes and decides as the reconciler does, and remembers.
func (w *oneVolume) decide(polled bool) (Observation, Decision) {
	p := &w.leader
	o := Observation{Now: noon, Source: w.source(), PV: w.pv.pv(), Holder: w.holder, AnyCluster: w.others || p.cache.ClusterID.Value() != "", Polled: polled}
	m := p.memory()
	o.Record = copyOf(p.cache)
	if is := Newest(m.Written, o.Record); is == o.Record {
		m.Written = nil
	} else {
		o.Record = is
	}
	b := Breaker{}
	if w.tripped {
		b.Why = "too many"
	}
	o.Recall(m, &b)
	d := worldRules.Decide(o)
	p.remember(d.Memory)
	return o, d
}

// copyOf is nil for no record.
func copyOf(r state.Record) *state.Record {
	if r.UID == (state.UID{}) {
		return nil
	}
	return &r
}

func valueOf(r *state.Record) state.Record {
	if r == nil {
		return state.Record{}
	}
	return *r
}

func (p *process) memory() Memory {
	m := p.mem
	m.Unanswered.Was, m.Written = copyOf(p.was), copyOf(p.written)
	return m
}

func (p *process) remember(m Memory) {
	p.was, p.written = state.Record{}, valueOf(m.Written)
	if was := m.Unanswered.Was; was != nil { // all that matters of it
		p.was = state.Record{Name: was.Name, UID: was.UID, ResourceVersion: was.ResourceVersion, CopiesHealth: was.CopiesHealth}
		p.was.Summary.Health = was.Summary.Health
	}
	m.Unanswered.Was, m.Written = nil, nil
	p.mem = m
}

// store changes the record: what was read of it is older now.
func (w *oneVolume) store(rec state.Record, has bool) {
	if w.has == has && w.rec == rec {
		return
	}
	if w.lags {
		w.before = w.rec
	}
	for _, r := range append(w.leader.copies(), w.former.copies()...) {
		*r = w.older(*r)
	}
	w.before.ResourceVersion = w.older(w.before.ResourceVersion)
	if w.rec, w.has = rec, has; !has {
		w.rec = state.Record{}
	}
	if !w.lags {
		w.leader.cache = w.rec
	}
}

// copies are the resource versions of what a process has read.
func (p *process) copies() []*string {
	return []*string{&p.was.ResourceVersion, &p.written.ResourceVersion, &p.cache.ResourceVersion, &p.asked.record.ResourceVersion, &p.mem.Proven}
}

func (w *oneVolume) older(version string) string {
	least := byte('8')
	if w.lags {
		least = '6'
	}
	if version == "" || version[0] <= least {
		return version
	}
	return string(version[0] - 1)
}

var uids = []state.UID{state.UIDOf("a"), state.UIDOf("b"), state.UIDOf("c"), state.UIDOf("d"), state.UIDOf("e"), state.UIDOf("f")}

// unusedUID is one of no record that somebody knows.
func (w *oneVolume) unusedUID() state.UID {
	for _, uid := range uids {
		used := w.rec.UID == uid || w.before.UID == uid
		for _, p := range []*process{&w.leader, &w.former} {
			used = used || p.cache.UID == uid || p.written.UID == uid || p.was.UID == uid || p.asked.record.UID == uid
		}
		if !used {
			return uid
		}
	}
	panic("more records are known than can be")
}

// swapped has the former leader in the place of the one that leads.
func (w oneVolume) swapped() oneVolume {
	w.leader, w.former = w.former, w.leader
	w.judge, w.formerJudge = w.formerJudge, w.judge
	return w
}

// passes lets a tick pass.
func (w oneVolume) passes() oneVolume {
	w.leader.passes()
	w.former.passes()
	older(&w.rec)
	older(&w.before)
	w.judge.passes()
	w.formerJudge.passes()
	return w
}

func (p *process) passes() {
	for t, most := range map[*time.Time]time.Duration{
		&p.mem.unreferenced.at: oldest, &p.mem.absent.since: oldest, &p.mem.Asked: longAsk, &p.mem.Refused.At: longAsk,
		&p.mem.Wait.Since: oldest, &p.seen: oldest, &p.clock.ended: oldest,
	} {
		if !t.IsZero() {
			*t = noon.Add(-min(noon.Sub(*t)+tick, most))
		}
	}
	older(&p.cache)
	older(&p.written)
}

// older lets a tick pass for what a record says.
func older(r *state.Record) {
	if t, ok := r.Summary.Mark.Since(noon); ok {
		r.Summary.Mark = state.MarkAt(noon.Add(-min(noon.Sub(t)+tick, oldest)))
	}
}

// canonical leaves out what no decision can tell apart.
func (w oneVolume) canonical() oneVolume {
	if !w.hasFormer {
		w.former, w.formerJudge = process{}, monitor{}
	}
	w.leader.canonical()
	w.former.canonical()
	return w
}

func (p *process) canonical() {
	p.mem.missing, p.mem.Reported = Onset{}, ""                 // only what is said
	p.mem.LastWrite, p.mem.Unanswered.WantHash = LastWrite{}, 0 // only when it is written
	p.mem.Progressed, p.completeBegun = time.Time{}, time.Time{}
	u := &p.mem.unreferenced
	*u = Onset{at: u.at, outlived: u.outlived, unlisted: u.unlisted}
	p.mem.Gauges = Gauges{BreakerInput: p.mem.Gauges.BreakerInput}
	if p.mem.absent.watch.span != p.clock.Span || p.clock.ended.IsZero() {
		p.mem.absent.watch, p.mem.absent.judge = WatchPoint{}, ""
		p.clock.total = 0
	} else {
		p.clock.total, p.mem.absent.watch.at = min(p.clock.total-p.mem.absent.watch.at, longest), 0
		p.mem.absent.watch.span = 1
	}
	if wait := &p.mem.Wait; wait.until == 0 {
		p.listings = 0
	} else {
		wait.until, p.listings = 1+max(wait.until-p.listings, 0), 1
	}
	p.clock.Span = min(p.clock.Span, 1)
	p.clock.length = min(p.clock.length, oldest)
	if p.mem.returned == 0 {
		p.generation = 1
	} else {
		p.generation, p.mem.returned = min(p.generation-p.mem.returned, 2)+1, 1
	}
}

func (w oneVolume) String() string {
	return fmt.Sprintf("exists %t, hidden %t, %q answers, PersistentVolume %d; record %t: %s\nmemory %+v\nview: presence %d, by %q %t %q, complete %t, synced %t, clock %+v\nasked %t %q\njudge %+v",
		w.exists, w.hidden, w.answers, w.pv, w.has, said(w.rec), w.leader.mem, w.leader.presence, w.leader.shownBy, w.leader.shownVerified, w.leader.completeBy,
		w.leader.lastComplete, w.leader.synced, w.leader.clock, w.leader.asked.on, w.leader.asked.by, w.judge)
}

func said(r state.Record) string {
	return fmt.Sprintf("cluster %q, namespace %q, mark %q, present %s, bound %s, PersistentVolume %q, content %d, health %s",
		r.ClusterID.Value(), r.NamespaceID.Value(), r.Summary.Mark, r.Summary.Present.Value().Reason, r.Summary.Bound.Value().Reason, r.Summary.PV.Name, r.Summary.Content, r.Summary.Health.Value().Health)
}
