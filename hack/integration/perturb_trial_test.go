package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The times of these runs, and within which everything has to be right when all is over:
// the lease, the grace and two polls.
const (
	perturbLease  = 3 * time.Second
	perturbGrace  = time.Second
	perturbPoll   = 200 * time.Millisecond
	perturbWithin = perturbLease + perturbGrace + 2*perturbPoll
)

var perturbFlags = []string{
	"-enable-leader-election", "-namespace", "default",
	"-lease-duration", perturbLease.String(), "-renew-deadline", "2s", "-retry-period", "500ms",
	"-orphan-grace-period", perturbGrace.String(), "-api-poll-interval", perturbPoll.String(), "-api-retry-interval", perturbPoll.String(),
}

// point is one write: the n-th of a method and a path.
type point struct {
	method, path string
	n            int
}

func (p point) String() string { return fmt.Sprintf("%s %s %d", p.method, p.path, p.n) }

// trial is a story, once, and what is done to it at a point. A process that ends is started
// again, as a kubelet does.
type trial struct {
	e      *env
	story  story
	at     point
	how    perturbation
	filled []simulator.Filled
	healed time.Duration // how long after the story everything was right

	first []simulator.Filled // what the story begins with
	busy  atomic.Int32       // what of a perturbation goes on

	mu       sync.Mutex
	members  []*member
	armed    bool
	met      bool
	points   []point // what was written while it was armed
	counted  map[point]int
	writes   int             // of records
	versions []string        // after each of them, and before the first
	dead     map[string]bool // IDs of volumes that are gone
	begin    func(*tap)      // what the next process meets from its beginning
}

// member is a process and its way to the API server.
type member struct {
	*controller
	tap *tap
}

func newTrial(t *testing.T, s story, at point, how perturbation) *trial {
	t.Helper()
	e := newEnv(t)
	needsControllerManager(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 3, Volumes: s.volumes, CSI: -1})
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	e.must(err)
	return &trial{
		e: e, story: s, at: at, how: how, filled: filled, first: filled,
		counted: map[point]int{}, versions: []string{list.ResourceVersion}, dead: map[string]bool{},
	}
}

// make tells the story, checks its end and returns what was written.
func (tr *trial) make() []point {
	tr.e.t.Helper()
	if tr.story.before != nil {
		tr.story.before(tr)
	} else {
		for range max(tr.story.members, 1) {
			tr.start()
		}
		tr.until("every volume is recorded", tr.atRest(func() error { return tr.only(tr.filled...) }))
	}
	tr.mu.Lock()
	tr.armed = true
	tr.mu.Unlock()
	tr.story.run(tr)
	begun := time.Now()
	tr.until("everything is right and nothing is written any more", tr.atRest(func() error { return tr.story.right(tr) }))
	tr.healed = max(0, time.Since(begun)-perturbRest)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.points)
}

// perturbRest is for how long nothing is written when all is over: four polls and a grace.
const perturbRest = 4*perturbPoll + perturbGrace

// atRest is nil if somebody leads, everything is right, and stays so without a write.
func (tr *trial) atRest(right func() error) func() error {
	return func() error {
		if err := right(); err != nil {
			return err
		}
		led, before := false, tr.written()
		tr.leader(func(*member) { led = true })
		if !led || tr.busy.Load() > 0 {
			return errors.New("it is not over yet")
		}
		tr.pass(perturbRest)
		if n := tr.written() - before; n > 0 {
			return fmt.Errorf("%d writes", n)
		}
		if err := right(); err != nil {
			return fmt.Errorf("without a write: %w", err)
		}
		return nil
	}
}

// start starts a process.
func (tr *trial) start() {
	tr.e.t.Helper()
	t := tr.newTap()
	tr.mu.Lock()
	begin := tr.begin
	tr.begin = nil
	tr.mu.Unlock()
	if begin != nil {
		begin(t)
	}
	c := tr.e.controller(slices.Concat(perturbFlags, tr.story.flags, []string{"-kubeconfig", t.proxy.kubeconfig})...)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	t.member = &member{c, t}
	close(t.started)
	tr.members = append(tr.members, t.member)
}

// tend starts another process for each that has ended.
func (tr *trial) tend() {
	tr.e.t.Helper()
	tr.mu.Lock()
	ended := 0
	tr.members = slices.DeleteFunc(tr.members, func(m *member) bool {
		select {
		case <-m.ended:
			ended++
			return true
		default:
			return false
		}
	})
	tr.mu.Unlock()
	for range ended {
		tr.start()
	}
}

// leader calls a function with the process that leads, if one does.
func (tr *trial) leader(do func(*member)) {
	tr.mu.Lock()
	members := slices.Clone(tr.members)
	tr.mu.Unlock()
	for _, m := range members {
		if m.leads() == nil {
			do(m)
			return
		}
	}
}

// until waits for a condition while the processes are tended.
func (tr *trial) until(what string, check func() error) {
	tr.e.t.Helper()
	within := perturbWithin
	if tr.how.name != "" {
		within += perturbBeside // what a perturbation itself takes
	}
	tr.e.eventually(what, within, func() error {
		tr.tend()
		return check()
	})
}

func (tr *trial) written() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.writes
}

// lost says that a volume is gone, or about to go: its record may be deleted.
func (tr *trial) lost(id string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.dead[id] = true
}

func (tr *trial) wasMet() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.met
}

// wrote counts a write and tells whether it is the point, for the first time.
func (tr *trial) wrote(r *http.Request) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if isWrite(r) {
		tr.writes++
	}
	if !tr.armed {
		return false
	}
	p := point{method: r.Method, path: shortPath(r.URL.Path)}
	tr.counted[p]++
	p.n = tr.counted[p]
	tr.points = append(tr.points, p)
	if p != tr.at || tr.met {
		return false
	}
	tr.met = true
	return true
}

// shortPath leaves out what all paths have.
func shortPath(p string) string {
	for _, prefix := range []string{"/apis/", "/api/v1/", "api.storageos.com/v1/", "coordination.k8s.io/v1/", "namespaces/default/"} {
		p = strings.TrimPrefix(p, prefix)
	}
	return p
}

// noteVersion notes the resourceVersion of a record that has been written.
func (tr *trial) noteVersion(answer []byte) {
	var object metav1.PartialObjectMetadata
	if json.Unmarshal(answer, &object) != nil || object.ResourceVersion == "" {
		return // it was refused, or a deletion
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.versions = append(tr.versions, object.ResourceVersion)
}

// judgeDelete fails the test if a record is to be deleted whose volume is not gone. It
// is asked before the API server is.
func (tr *trial) judgeDelete(name string) {
	r, err := tr.e.records.StorageOSV1().Volumes().Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return // the API server will say so, too
	}
	id := r.Labels[v1.LabelVolumeID]
	if id == "" {
		id = r.Status.VolumeID
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.dead[id] {
		tr.e.t.Errorf("record %s of volume %s, which is there, is deleted", name, id)
	}
}
