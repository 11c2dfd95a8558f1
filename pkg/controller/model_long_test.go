package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// rounds are listings, one each interval or so, and all that comes of them.
func (m *model) rounds(n int, pause time.Duration) {
	for range n {
		m.round()
		m.sleep(pause)
		m.work(m.leader, 100) // what has become due
	}
}

// begin lets there be some volumes, with records.
func (m *model) begin() {
	for range rapid.IntRange(0, 4).Draw(m.t, "volumes") {
		m.makeVolume(m.api.NamespaceIDs[m.named%2])
		if rapid.Bool().Draw(m.t, "with a PersistentVolume") {
			ns := m.api.NamespaceIDs[(m.named-1)%2]
			m.bindVolume(ns, fmt.Sprintf("v%d", m.named), "Retain")
		}
	}
	if m.named > 0 {
		m.rounds(2, m.settings.PollInterval)
	}
}

// makeVolume makes a volume, and bindVolume a PersistentVolume of it.
func (m *model) makeVolume(ns string) {
	m.named++
	m.setVolumes(ns, append(slices.Clone(m.api.Lists[ns]), fmt.Sprintf("v%d 1", m.named)))
}

func (m *model) bindVolume(ns, id string, policy corev1.PersistentVolumeReclaimPolicy) {
	m.named++
	name := fmt.Sprintf("pv%d", m.named%8) // one may be made anew for another volume
	m.setPV(m.pvs[name], &state.PV{
		PVSummary: state.PVSummary{
			Name: name, Phase: state.Intern(corev1.VolumeBound), ClaimNamespace: state.Intern("team"), ClaimName: id,
			ReclaimPolicy: state.Intern(policy),
		},
		UID: state.UIDOf(types.UID(fmt.Sprint(m.named))), Created: uint32(time.Now().Unix()),
		NamespaceID: state.Intern(ns), VolumeID: id,
	})
}

// pauses are shorter than the grace, longer, and longer than the hold.
var pauses = []time.Duration{5 * time.Second, 20 * time.Second, 2 * time.Minute}

// longActions are what takes its time: of such things a history of short steps has
// too few.
func (m *model) longActions() map[string]func(*rapid.T) {
	pause := func(t *rapid.T) time.Duration { return rapid.SampledFrom(pauses).Draw(t, "pause") }
	rounds := func(t *rapid.T, most int) int { return rapid.IntRange(1, most).Draw(t, "rounds") }
	return map[string]func(*rapid.T){
		"rounds": func(t *rapid.T) { m.rounds(rounds(t, 5), m.settings.PollInterval) },
		"StorageOS fails for long": func(t *rapid.T) {
			old := m.api.Fail
			m.api.Fail = func(string, int) error { return errDown }
			m.rounds(rounds(t, 3), pause(t))
			m.api.Fail = old
		},
		"nobody lists for long": func(t *rapid.T) { m.sleep(pause(t)) },
		"nobody leads for long": func(t *rapid.T) {
			m.sleep(pause(t))
			m.failOver()
		},
		"another cluster answers for long": func(t *rapid.T) {
			m.other()
			m.rounds(rounds(t, 3), pause(t))
			m.first()
		},
		"the cluster is not told for long": func(t *rapid.T) {
			old := m.api.Fail
			m.api.Fail = func(c string, n int) error {
				if c == "cluster" {
					return storageostest.Forbidden
				}
				return nil
			}
			m.rounds(rounds(t, 3), pause(t))
			m.api.Fail = old
		},
		"every second answer of the cluster is a refusal": func(t *rapid.T) {
			first := rapid.IntRange(0, 1).Draw(t, "first")
			old, calls := m.api.Fail, 0
			m.api.Fail = func(c string, n int) error {
				if c == "cluster" {
					if calls++; calls%2 == first {
						return storageostest.Forbidden
					}
				}
				return nil
			}
			m.rounds(rounds(t, 3), m.settings.PollInterval)
			m.api.Fail = old
		},
		"clusters take turns": func(t *rapid.T) {
			for range rounds(t, 3) {
				m.other()
				m.rounds(1, m.settings.PollInterval)
				m.first()
				m.rounds(1, m.settings.PollInterval)
			}
		},
		"the lists are empty for a while": func(t *rapid.T) {
			n, gap := rounds(t, 2), pause(t)
			cluster, kept := m.api.ClusterID, m.api.Lists
			m.api.Lists = map[string][]string{}
			m.moves++
			m.rounds(n, 0)
			if rapid.Bool().Draw(t, "and longer") {
				m.sleep(gap)
				m.rounds(1, 0)
			}
			for ns := range kept {
				m.setVolumesOf(cluster, ns, kept[ns])
			}
			m.changes += m.named
		},
		"a volume is away for a while": func(t *rapid.T) {
			ns, i := m.place()
			n, gap := rounds(t, 2), pause(t)
			cluster, all := m.api.ClusterID, m.api.Lists[ns]
			m.setVolumes(ns, slices.Delete(slices.Clone(all), i, i+1))
			m.rounds(n, gap)
			m.setVolumesOf(cluster, ns, all)
		},
		"a volume is made anew": func(t *rapid.T) {
			ns, i := m.place()
			f := strings.Fields(m.api.Lists[ns][i])
			name := f[0]
			if len(f) > 5 {
				name = f[5]
			}
			cluster, volumes := m.api.ClusterID, slices.Clone(m.api.Lists[ns])
			if rapid.Bool().Draw(t, "a listing shows neither") {
				m.setVolumes(ns, slices.Delete(slices.Clone(volumes), i, i+1))
				m.poll(m.leader)
			}
			m.named++
			volumes[i] = fmt.Sprintf("v%d 1 online n1 - %s", m.named, name)
			m.setVolumesOf(cluster, ns, volumes)
		},
		"a volume is made whose name is taken": func(t *rapid.T) {
			name := fmt.Sprintf("v%d", m.named+1)
			if m.records.records[name] != nil {
				t.Skip("it is taken")
			}
			m.changes++
			m.records.store(nil, &v1.Volume{ObjectMeta: metav1.ObjectMeta{
				Name: name, UID: types.UID("theirs-" + name), CreationTimestamp: metav1.NewTime(time.Now()),
			}})
			m.makeVolume(rapid.SampledFrom(m.api.NamespaceIDs).Draw(t, "namespace"))
		},
		"somebody else gives a name up": func(t *rapid.T) {
			if !m.giveUp() {
				t.Skip("there is none")
			}
		},
		"volumes change and the watch is quiet": func(t *rapid.T) {
			ns, i := m.place()
			cluster, volumes := m.api.ClusterID, m.api.Lists[ns]
			f := strings.Fields(volumes[i])
			free := rapid.Bool().Draw(t, "a name becomes free")
			for n := range rounds(t, 2) {
				volumes = slices.Clone(volumes)
				volumes[i] = strings.Join(slices.Concat(f[:1], []string{fmt.Sprint(4 + n)}, f[min(2, len(f)):]), " ")
				m.setVolumesOf(cluster, ns, volumes)
				m.poll(m.leader)
				m.work(m.leader, 100)
				m.sleep(m.settings.PollInterval)
				if free {
					m.giveUp()
				}
			}
		},
		"another leads while StorageOS fails": func(t *rapid.T) {
			m.sleep(pause(t))
			if len(m.pvs) > 0 {
				old := m.somePV()
				obj := *old
				obj.Phase = state.Intern(rapid.SampledFrom([]corev1.PersistentVolumePhase{corev1.VolumeReleased, corev1.VolumeBound}).Draw(t, "phase"))
				m.setPV(old, &obj)
			}
			m.failOver()
			old := m.api.Fail
			call := rapid.SampledFrom([]string{"cluster", "namespaces", "volumes two"}).Draw(t, "call")
			m.api.Fail = func(c string, n int) error {
				if c == call {
					return errDown
				}
				return nil
			}
			m.rounds(2, m.settings.PollInterval)
			m.checkTold()
			m.api.Fail = old
		},
		"the zombie lists": func(t *rapid.T) {
			if m.zombie == nil {
				t.Skip("there is none")
			}
			if rapid.Bool().Draw(t, "it is told") {
				m.tell(m.zombie, -1)
			}
			m.poll(m.zombie)
			m.work(m.zombie, 10)
		},
		"answers of Kubernetes are lost": func(t *rapid.T) {
			n := rapid.IntRange(1, 3).Draw(t, "answers")
			m.changes += n
			m.records.lost = func(string) error {
				if n--; n >= 0 {
					return errLost
				}
				return nil
			}
		},
	}
}

// interruptingActions are what happens while a question is on its way.
func (m *model) interruptingActions() map[string]func(*rapid.T) {
	call := func(t *rapid.T) *interruption {
		return &interruption{
			call:  rapid.SampledFrom([]string{"cluster", "volume "}).Draw(t, "during"),
			after: rapid.IntRange(0, 2).Draw(t, "after"),
		}
	}
	namespace := func(name, ns string, told bool) func(*replica) {
		return func(by *replica) {
			if old := m.records.records[name]; old != nil {
				obj := old.DeepCopy()
				metav1.SetMetaDataAnnotation(&obj.ObjectMeta, v1.AnnotationNamespaceID, ns)
				m.records.store(old, obj)
			}
			if told && by != nil {
				m.tell(by, -1)
			}
		}
	}
	return map[string]func(*rapid.T){
		"a record says another namespace until a question": func(t *rapid.T) {
			r := m.ownRecord()
			was := r.Annotations[v1.AnnotationNamespaceID]
			is := call(t)
			is.do = namespace(r.Name, was, true)
			m.during(is)
			namespace(r.Name, rapid.SampledFrom(m.api.NamespaceIDs).Draw(t, "namespace"), false)(nil)
			if rapid.Bool().Draw(t, "the volume is not listed") {
				m.api.Hidden = map[string]bool{r.Status.VolumeID: true}
			}
		},
		"a record is edited during a question": func(t *rapid.T) {
			r := m.ownRecord()
			is := call(t)
			is.do = func(by *replica) {
				old := m.records.records[r.Name]
				if old == nil {
					return
				}
				obj := old.DeepCopy()
				metav1.SetMetaDataAnnotation(&obj.ObjectMeta, "theirs", "x")
				m.annotated[obj.UID] = true
				m.records.store(old, obj)
				m.tell(by, -1)
			}
			m.during(is)
		},
		"a PersistentVolume changes during a question": func(t *rapid.T) {
			pv := m.somePV()
			phase := rapid.SampledFrom([]corev1.PersistentVolumePhase{corev1.VolumeReleased, corev1.VolumeBound}).Draw(t, "phase")
			is := call(t)
			is.do = func(by *replica) {
				if old := m.pvs[pv.Name]; old != nil {
					obj := *old
					obj.Phase = state.Intern(phase)
					m.setPV(old, &obj)
					m.tell(by, -1)
				}
			}
			m.during(is)
		},
		"a volume changes and is read while it is listed": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.Lists[ns][i], " ")
			pv := m.pvOf(id)
			if pv == nil {
				t.Skip("nobody can tell")
			}
			is := call(t)
			is.listing, is.call = true, rapid.SampledFrom([]string{"cluster", "volumes "}).Draw(t, "call")
			size := rapid.IntRange(1, 3).Draw(t, "size")
			is.do = func(by *replica) {
				time.Sleep(time.Millisecond) // what was asked for before is older
				volumes := slices.Clone(m.api.Lists[ns])
				if at := slices.IndexFunc(volumes, func(v string) bool { return strings.HasPrefix(v, id+" ") }); at >= 0 {
					volumes[at] = fmt.Sprintf("%s %d", id, size)
					m.setVolumes(ns, volumes)
				}
				m.tell(by, -1)
				by.attachmentChanged(pv.Name, true)
				by.early.reader.ReadDue(m.ctx) // nothing happens meanwhile
				time.Sleep(time.Millisecond)
			}
			m.during(is)
		},
		"the cluster changes during a question": func(t *rapid.T) {
			is := call(t)
			is.listing = rapid.Bool().Draw(t, "of a listing")
			if is.listing {
				is.call = rapid.SampledFrom([]string{"cluster", "volumes "}).Draw(t, "call")
			}
			again := *is
			again.after = rapid.IntRange(0, 1).Draw(t, "and back after")
			is.do = func(*replica) { m.other(); m.interruptions = append(m.interruptions, &again) }
			again.do = func(*replica) { m.first() }
			m.during(is)
		},
		"a listing hangs": func(t *rapid.T) {
			m.during(&interruption{
				listing: true,
				call:    rapid.SampledFrom([]string{"cluster", "namespaces", "volumes "}).Draw(t, "call"),
				after:   rapid.IntRange(0, 2).Draw(t, "after"),
				do:      func(*replica) {},
				lasts:   rapid.SampledFrom([]time.Duration{m.settings.OrphanGracePeriod, m.settings.MassOrphanHold}).Draw(t, "lasts"),
			})
		},
		"a volume is back during a question": func(t *rapid.T) {
			ns, i := m.place()
			all := m.api.Lists[ns]
			is := call(t)
			v := all[i]
			is.do = func(*replica) {
				id, _, _ := strings.Cut(v, " ")
				if m.api.ClusterID == "cluster" && !m.exists(id) {
					m.setVolumes(ns, append(slices.Clone(m.api.Lists[ns]), v))
				}
			}
			m.during(is)
			m.setVolumes(ns, slices.Delete(slices.Clone(all), i, i+1))
		},
		"another leads during a question": func(t *rapid.T) {
			is := call(t)
			is.do = func(*replica) { m.failOver() }
			m.during(is)
		},
		"a listing ends while Kubernetes works": func(t *rapid.T) {
			verb := rapid.SampledFrom([]string{"create", "patch", "delete"}).Draw(t, "verb")
			n := rapid.IntRange(1, 4).Draw(t, "times")
			m.records.after = func(v string) {
				if v != verb || n <= 0 {
					return
				}
				n--
				m.tell(m.leader, -1)
				m.poll(m.leader)
			}
		},
	}
}

// giveUp deletes the first record of somebody else.
func (m *model) giveUp() bool {
	for _, name := range slices.Sorted(maps.Keys(m.records.records)) {
		if r := m.records.records[name]; len(state.NewRecord(r).IDs()) == 0 {
			m.changes++
			m.records.store(r, nil)
			return true
		}
	}
	return false
}

// setVolumesOf gives one of the clusters volumes, whichever answers now.
func (m *model) setVolumesOf(cluster, ns string, volumes []string) {
	switch {
	case m.api.ClusterID == cluster:
		m.setVolumes(ns, volumes)
	case cluster == "cluster":
		m.changes++
		m.moves++
		m.api.Elsewhere[ns] = volumes
	}
}

// ownRecord picks a record of a volume.
func (m *model) ownRecord() *v1.Volume {
	var own []string
	for _, name := range slices.Sorted(maps.Keys(m.records.records)) {
		if m.records.records[name].Status.VolumeID != "" {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		m.t.Skip("no records")
	}
	return m.records.records[rapid.SampledFrom(own).Draw(m.t, "record")]
}
