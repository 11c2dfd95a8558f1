package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// model is a StorageOS, a Kubernetes and one or two controllers between them.
// Its actions are what may happen, in any order.
type model struct {
	t        *rapid.T
	ctx      context.Context // without a logger
	settings Settings
	api      *fakeAPI
	records  *memory
	pvs      map[string]*persistentVolume
	pvTold   []pvChange
	leader   *replica
	zombie   *replica // a former leader that does not know it yet
	named    int      // the last number of a name
	changes  int      // that writes may follow
	upgraded bool     // the older CRD was replaced
	deleted  []time.Time
	foreign  map[types.UID]bool // records with a condition of somebody else

	annotated map[types.UID]bool // records with an annotation of somebody else
}

type pvChange struct{ old, obj *persistentVolume }

// replica is one controller and how much of the watches it has been told.
type replica struct {
	*Reconciler
	recordsTold, pvsTold int
}

type silent struct{}

func (silent) Event(runtime.Object, string, string, string) {}

var errDown = errors.New("down")

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, ctx: klog.NewContext(context.Background(), logr.Discard()), settings: DefaultSettings(), pvs: map[string]*persistentVolume{},
		api:     newFakeAPI(map[string][]string{"one": nil, "two": nil, "three": nil}),
		records: &memory{records: map[string]*v1.Volume{}},
		foreign: map[types.UID]bool{}, annotated: map[types.UID]bool{},
	}
	m.api.nodes = map[string]string{"n1": "host-1", "n2": "host-2"} // nobody knows n3
	m.settings.MassOrphanHold = time.Minute
	m.settings.MaxOrphanCount = 2
	m.settings.ResyncInterval = rapid.SampledFrom([]time.Duration{10 * time.Minute, 20 * time.Second}).Draw(t, "resync")
	m.settings.OrphanGracePeriod = rapid.SampledFrom([]time.Duration{0, 15 * time.Second}).Draw(t, "grace")
	m.records.pruned = rapid.Bool().Draw(t, "older CRD")
	m.records.deleted = m.checkDeletion
	m.leader = m.newReplica()
	return m
}

func (m *model) newReplica() *replica {
	r, err := NewReconciler(Options{
		Settings: m.settings, StorageOS: m.api, Records: m.records, Events: silent{}, Metrics: metrics.New(),
		Kubernetes: struct{ kubernetes.Interface }{},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	r.logger = logr.Discard()
	r.poller.parallel = 1 // the same history must go the same way again
	p := &replica{Reconciler: r}
	m.tell(p, -1)
	r.leading.Store(true)
	return p
}

// tell tells a replica what its watches say, n changes of each or all.
func (m *model) tell(p *replica, n int) {
	for ; p.recordsTold < len(m.records.history) && n != 0; p.recordsTold++ {
		c := m.records.history[p.recordsTold]
		var old, obj *record
		if c.old != nil {
			old = newRecord(c.old)
		}
		if c.obj != nil {
			obj = newRecord(c.obj)
			must(m.t, p.recordInformer.GetIndexer().Add(obj))
		} else {
			must(m.t, p.recordInformer.GetIndexer().Delete(old))
		}
		p.recordChanged(old, obj)
		n--
	}
	for ; p.pvsTold < len(m.pvTold) && n != 0; p.pvsTold++ {
		c := m.pvTold[p.pvsTold]
		if c.obj != nil {
			must(m.t, p.pvInformer.GetIndexer().Add(c.obj))
		} else {
			must(m.t, p.pvInformer.GetIndexer().Delete(c.old))
		}
		p.persistentVolumeChanged(c.old, c.obj)
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
		p.process(m.ctx, id)
		p.queue.Done(id)
		synctest.Wait()
	}
}

func (m *model) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// checkDeletion: the volume of a record that is deleted does not exist, has
// been known to be absent for the grace, and deletions that nothing explains
// are few.
func (m *model) checkDeletion(r *v1.Volume) {
	id := r.Status.VolumeID
	if id == "" {
		id = r.Labels[v1.LabelVolumeID]
	}
	names := r.Annotations[v1.AnnotationClusterID]
	if m.exists(id) && (names != "" || m.api.elsewhere == nil) {
		// One that names no cluster, because StorageOS refused to tell, is not
		// protected against another cluster.
		m.t.Fatalf("the record of volume %s, which exists, was deleted", id)
	}
	if names != "" && names != m.api.cluster {
		m.t.Fatalf("record of volume %s: cluster %q was asked, it names %q", id, m.api.cluster, names)
	}
	since, ok := absenceMark(r.Annotations[v1.AnnotationAbsentSince]).since(time.Now())
	if !ok || time.Since(since) < m.settings.OrphanGracePeriod {
		m.t.Fatalf("record of volume %s: absent since %q, deleted at %v", id, r.Annotations[v1.AnnotationAbsentSince], time.Now())
	}
	known := choosePersistentVolume(m.leader.pvIndex.of(id))
	if known != nil && known.deletes() || known == nil && r.Status.PersistentVolume != nil || time.Since(since) >= m.settings.MassOrphanHold {
		return // explained, or older than the hold
	}
	m.deleted = append(m.deleted, time.Now())
	m.deleted = slices.DeleteFunc(m.deleted, func(at time.Time) bool { return time.Since(at) >= m.settings.MassOrphanHold })
	if before := len(m.records.records) + len(m.deleted) - 1; len(m.deleted) > m.settings.MaxOrphanCount && len(m.deleted)*100 > m.settings.MaxOrphanPercent*before && m.zombie == nil {
		m.t.Fatalf("%d of %d records were deleted within the hold, and nothing explains it", len(m.deleted), before)
	}
}

func (m *model) exists(id string) bool {
	for _, volumes := range []map[string][]string{m.api.volumes, m.api.elsewhere} {
		for _, all := range volumes {
			if slices.ContainsFunc(all, func(v string) bool { return strings.HasPrefix(v, id+" ") }) {
				return true
			}
		}
	}
	return false
}

func (m *model) pvOf(id string) *persistentVolume {
	var all []*persistentVolume
	for _, p := range m.pvs {
		if p.volumeID == id {
			all = append(all, p)
		}
	}
	return choosePersistentVolume(all)
}

// place picks a volume: its namespace and its place there.
func (m *model) place() (string, int) {
	type place struct {
		ns string
		i  int
	}
	var all []place
	for _, ns := range m.api.namespaces {
		for i := range m.api.volumes[ns] {
			all = append(all, place{ns, i})
		}
	}
	if len(all) == 0 {
		m.t.Skip("no volumes")
	}
	p := rapid.SampledFrom(all).Draw(m.t, "volume")
	return p.ns, p.i
}

func (m *model) setVolumes(ns string, volumes []string) {
	m.changes++
	m.api.volumes[ns] = volumes
}

func (m *model) setPV(old, obj *persistentVolume) {
	m.changes++
	m.pvTold = append(m.pvTold, pvChange{old, obj})
	if obj != nil {
		m.pvs[obj.name] = obj
	} else {
		delete(m.pvs, old.name)
	}
}

func (m *model) somePV() *persistentVolume {
	if len(m.pvs) == 0 {
		m.t.Skip("no PersistentVolumes")
	}
	return m.pvs[rapid.SampledFrom(slices.Sorted(maps.Keys(m.pvs))).Draw(m.t, "PersistentVolume")]
}

func (m *model) someRecord() *v1.Volume {
	if len(m.records.records) == 0 {
		m.t.Skip("no records")
	}
	return m.records.records[rapid.SampledFrom(slices.Sorted(maps.Keys(m.records.records))).Draw(m.t, "record")]
}

// actions are what may happen.
func (m *model) actions() map[string]func(*rapid.T) {
	edit := func(change func(*v1.Volume)) {
		old := m.someRecord()
		obj := old.DeepCopy()
		change(obj)
		m.changes++
		m.records.store(old, obj)
	}
	return map[string]func(*rapid.T){
		"": func(t *rapid.T) { m.t = t },
		"a volume is made": func(t *rapid.T) {
			ns := rapid.SampledFrom(m.api.namespaces).Draw(t, "namespace")
			m.named++
			m.setVolumes(ns, append(slices.Clone(m.api.volumes[ns]), fmt.Sprintf("v%d 1", m.named)))
		},
		"a volume changes": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.volumes[ns][i], " ")
			volumes := slices.Clone(m.api.volumes[ns])
			volumes[i] = fmt.Sprintf("%s %d %s %s", id, rapid.IntRange(1, 3).Draw(t, "size"), // and back
				rapid.SampledFrom([]string{"online", "offline"}).Draw(t, "health"), rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node"))
			m.setVolumes(ns, volumes)
		},
		"a volume goes": func(*rapid.T) {
			ns, i := m.place()
			m.setVolumes(ns, slices.Delete(slices.Clone(m.api.volumes[ns]), i, i+1))
		},
		"a namespace loses its volumes": func(t *rapid.T) {
			m.setVolumes(rapid.SampledFrom(m.api.namespaces).Draw(t, "namespace"), nil)
		},
		"a PersistentVolume comes": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.volumes[ns][i], " ")
			m.named++
			m.setPV(nil, &persistentVolume{
				join: join{
					name: fmt.Sprintf("pv%d", m.named), phase: share(corev1.VolumeBound), claimNamespace: share("team"), claimName: id,
					reclaimPolicy: share(rapid.SampledFrom([]corev1.PersistentVolumeReclaimPolicy{"Delete", "Retain"}).Draw(t, "policy")),
				},
				uid: uid(fmt.Sprint(m.named)), created: time.Now().Unix(),
				namespaceID: share(ns), volumeID: id,
			})
		},
		"a PersistentVolume is released": func(*rapid.T) {
			old := m.somePV()
			obj := *old
			obj.phase = share(corev1.VolumeReleased)
			m.setPV(old, &obj)
		},
		"a PersistentVolume goes": func(*rapid.T) { m.setPV(m.somePV(), nil) },
		"a record is edited":      func(*rapid.T) { edit(func(r *v1.Volume) { r.Spec.SizeBytes = -1 }) },
		"a status is edited": func(*rapid.T) {
			edit(func(r *v1.Volume) {
				r.Status.AttachedOn, r.Status.Ready, r.Status.Replicas = "x", "7/7", []v1.Replica{{ID: "x"}}
			})
		},
		"conditions are edited": func(t *rapid.T) {
			edit(func(r *v1.Volume) {
				c := r.Status.Conditions
				switch {
				case len(c) == 0:
				case rapid.Bool().Draw(t, "all go"):
					r.Status.Conditions = nil
					delete(m.foreign, r.UID)
				default:
					c[0].Status, c[0].Message = metav1.ConditionUnknown, "x"
					slices.Reverse(c)
				}
			})
		},
		"all annotations but a mark go, and others come": func(*rapid.T) {
			edit(func(r *v1.Volume) {
				r.Annotations = map[string]string{"theirs": "x", v1.AnnotationAbsentSince: time.Now().UTC().Format(time.RFC3339)}
				m.annotated[r.UID] = true
			})
		},
		"somebody adds a condition": func(t *rapid.T) {
			if m.records.pruned {
				t.Skip("the older CRD has none")
			}
			edit(func(r *v1.Volume) {
				meta.SetStatusCondition(&r.Status.Conditions, metav1.Condition{Type: "Theirs", Status: metav1.ConditionTrue, Reason: "Theirs"})
				m.foreign[r.UID] = true
			})
		},
		"a mark is set by hand": func(*rapid.T) {
			edit(func(r *v1.Volume) {
				r.Annotations = map[string]string{v1.AnnotationAbsentSince: "2001-01-01T00:00:00Z", v1.AnnotationClusterID: "cluster"}
				delete(m.annotated, r.UID)
			})
		},
		"the namespace of a record is edited": func(*rapid.T) {
			edit(func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationNamespaceID, "nowhere") })
		},
		"the ID in the status of a record is edited": func(*rapid.T) {
			edit(func(r *v1.Volume) { r.Status.VolumeID = "not-" + r.Name }) // no two are made one
		},
		"a record is deleted by hand": func(*rapid.T) {
			m.changes++
			m.records.store(m.someRecord(), nil)
		},
		"a call fails": func(t *rapid.T) {
			call := rapid.SampledFrom([]string{"cluster", "nodes", "namespaces", "volumes one", "volumes two"}).Draw(t, "call")
			err := rapid.SampledFrom([]error{errDown, notFound, forbidden}).Draw(t, "error")
			old := m.api.fail
			m.api.fail = func(c string, n int) error {
				if c == call {
					return err
				}
				if strings.HasPrefix(c, "volume ") && call == "nodes" && !errors.Is(err, notFound) {
					return err // a 404 would be the truth
				}
				if old != nil {
					return old(c, n)
				}
				return nil
			}
			m.changes++
		},
		"another node answers without a volume": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.volumes[ns][i], " ")
			m.api.hidden = map[string]bool{id: true}
			m.changes++
		},
		"another cluster answers": func(*rapid.T) {
			if m.api.cluster == "cluster" {
				m.api.cluster, m.api.elsewhere, m.api.volumes = "other", m.api.volumes, map[string][]string{}
				m.changes += m.named
			}
		},
		"Kubernetes refuses writes": func(t *rapid.T) {
			n := rapid.IntRange(1, 5).Draw(t, "writes")
			m.records.fail = func(string) error {
				if n--; n >= 0 {
					return errDown
				}
				return nil
			}
		},
		"Kubernetes takes writes for invalid": func(t *rapid.T) {
			n := rapid.IntRange(1, 5).Draw(t, "writes")
			m.records.fail = func(string) error {
				if n--; n >= 0 {
					return apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Volume").GroupKind(), "x", nil)
				}
				return nil
			}
			m.changes++
		},
		"the newer CRD is installed": func(t *rapid.T) {
			if !m.records.pruned {
				t.Skip("it is")
			}
			m.records.pruned, m.upgraded = false, true
			m.changes += m.named
		},
		"faults end":    func(*rapid.T) { m.heal() },
		"a listing":     func(*rapid.T) { _ = m.leader.poller.poll(m.ctx) },
		"some is told":  func(t *rapid.T) { m.tell(m.leader, rapid.IntRange(1, 5).Draw(t, "changes")) },
		"some is done":  func(t *rapid.T) { m.work(m.leader, rapid.IntRange(1, 10).Draw(t, "keys")) },
		"all is done":   func(*rapid.T) { m.round() },
		"time passes":   func(t *rapid.T) { m.sleep(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second) },
		"another leads": func(*rapid.T) { m.failOver() },
		"the zombie works": func(t *rapid.T) {
			if m.zombie == nil {
				t.Skip("there is none")
			}
			m.work(m.zombie, 5)
		},
	}
}

func (m *model) heal() {
	m.api.fail, m.api.hidden, m.records.fail = nil, nil, nil
	if m.api.cluster == "other" {
		m.api.cluster, m.api.volumes, m.api.elsewhere = "cluster", m.api.elsewhere, nil
	}
	m.changes++
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

func (m *model) failOver() {
	if m.zombie != nil {
		m.zombie.queue.ShutDown()
	}
	m.zombie, m.leader = m.leader, m.newReplica()
	m.deleted = nil // what one process has deleted, the next does not know
	m.changes++
}

// round is a listing and all that comes of it.
func (m *model) round() {
	_ = m.leader.poller.poll(m.ctx)
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

// check: after the last fault, records and volumes agree within a bounded
// number of listings, and then nothing is written any more.
func (m *model) check() {
	m.heal()
	if m.zombie != nil {
		m.zombie.queue.ShutDown()
		m.zombie = nil
	}
	// A mark that was refused is written when the pause is over, and the hold
	// begins with the mark.
	patience := refusedPause + m.settings.MassOrphanHold + m.settings.OrphanGracePeriod
	if m.upgraded {
		patience += m.settings.ResyncInterval
	}
	for range patience/m.settings.PollInterval + 6 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	m.agree()
	writes := m.records.writes
	for range 3 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	if n := m.records.writes - writes; n > 0 {
		m.t.Fatalf("%d writes at rest", n)
	}
	if most := 6*m.changes + 20; m.records.writes > most {
		m.t.Fatalf("%d writes for %d changes", m.records.writes, m.changes)
	}
}

// agree: one record for each volume, right in every field that the model knows.
func (m *model) agree() {
	byID := map[string]*v1.Volume{}
	for _, r := range m.records.records {
		if other := byID[r.Status.VolumeID]; other != nil {
			m.t.Fatalf("records %s and %s describe volume %s", r.Name, other.Name, r.Status.VolumeID)
		}
		byID[r.Status.VolumeID] = r
	}
	for ns, volumes := range m.api.volumes {
		for _, v := range volumes {
			is, err := storageos.DecodeVolume(entry(ns, v).Raw)
			must(m.t, err)
			should, err := contentOf(is, ns, m.api.nodes)
			must(m.t, err)
			id := is.Id
			r := byID[id]
			if r == nil {
				m.t.Fatalf("volume %s has no record", id)
			}
			delete(byID, id)
			if !m.records.pruned && contentOfRecord(r).digest() != should.digest() || m.foreign[r.UID] != (meta.FindStatusCondition(r.Status.Conditions, "Theirs") != nil) {
				m.t.Fatalf("volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			if m.annotated[r.UID] && r.Annotations["theirs"] == "" {
				m.t.Fatalf("volume %s: its record has lost an annotation of somebody else: %+v", v, r)
			}
			if r.Spec.SizeBytes != should.Spec.SizeBytes || r.Labels[v1.LabelVolumeID] != id || r.Annotations[v1.AnnotationNamespaceID] != ns || r.Annotations[v1.AnnotationAbsentSince] != "" {
				m.t.Fatalf("volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			want := join{}
			if pv := m.pvOf(id); pv != nil {
				want = pv.join
			}
			if got := stateOf(r, 0).join; got != want && !m.records.pruned {
				m.t.Fatalf("volume %s: its record names %+v, not %+v", id, got, want)
			}
		}
	}
	for id, r := range byID {
		if r.Annotations[v1.AnnotationClusterID] == "other" {
			continue // only that cluster may end it
		}
		o, d := m.leader.decide(id)
		m.t.Fatalf("volume %s has gone, its record %s has not: it is %+v, observed %+v, decided %+v", id, r.Name, r, o, d)
	}
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
