package controller

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// place picks a volume: its namespace and its place there.
func (m *model) place() (string, int) {
	type place struct {
		ns string
		i  int
	}
	var all []place
	for _, ns := range m.api.NamespaceIDs {
		for i := range m.api.Lists[ns] {
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
	m.moves++
	m.api.Lists[ns] = volumes
}

func (m *model) setPV(old, obj *state.PV) {
	m.changes++
	m.pvTold = append(m.pvTold, pvChange{old, obj})
	if obj != nil {
		m.pvs[obj.Name] = obj
	} else {
		delete(m.pvs, old.Name)
	}
}

func (m *model) somePV() *state.PV {
	if len(m.pvs) == 0 {
		m.t.Skip("no PersistentVolumes")
	}
	return m.pvs[rapid.SampledFrom(slices.Sorted(maps.Keys(m.pvs))).Draw(m.t, "PersistentVolume")]
}

func (m *model) pvOf(id string) *state.PV {
	var all []*state.PV
	for _, p := range m.pvs {
		if p.VolumeID == id {
			all = append(all, p)
		}
	}
	return state.ChoosePV(all)
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
	all := map[string]func(*rapid.T){
		"": func(t *rapid.T) { m.t = t; m.checkBelieved(); m.raise() },
		"a volume is made": func(t *rapid.T) {
			ns := rapid.SampledFrom(m.api.NamespaceIDs).Draw(t, "namespace")
			m.makeVolume(ns)
		},
		"a volume changes": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.Lists[ns][i], " ")
			volumes := slices.Clone(m.api.Lists[ns])
			volumes[i] = fmt.Sprintf("%s %d %s %s", id, rapid.IntRange(1, 3).Draw(t, "size"), // and back
				rapid.SampledFrom([]string{"online", "offline"}).Draw(t, "health"), rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node"))
			m.setVolumes(ns, volumes)
		},
		"a volume becomes too large": func(*rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.Lists[ns][i], " ")
			volumes := slices.Clone(m.api.Lists[ns])
			volumes[i] = id + " large"
			m.setVolumes(ns, volumes)
		},
		"a volume goes": func(*rapid.T) {
			ns, i := m.place()
			m.setVolumes(ns, slices.Delete(slices.Clone(m.api.Lists[ns]), i, i+1))
		},
		"a namespace loses its volumes": func(t *rapid.T) {
			m.setVolumes(rapid.SampledFrom(m.api.NamespaceIDs).Draw(t, "namespace"), nil)
		},
		"a PersistentVolume comes": func(t *rapid.T) {
			ns, i := m.place()
			id, _, _ := strings.Cut(m.api.Lists[ns][i], " ")
			m.bindVolume(ns, id, rapid.SampledFrom([]corev1.PersistentVolumeReclaimPolicy{"Delete", "Retain"}).Draw(t, "policy"))
		},
		"a PersistentVolume is released": func(*rapid.T) {
			old := m.somePV()
			obj := *old
			obj.Phase = state.Intern(corev1.VolumeReleased)
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
		"a record is as the replaced program has left it": func(*rapid.T) {
			edit(func(r *v1.Volume) {
				if r.Status.VolumeID == "" {
					return
				}
				r.Labels, r.Annotations, r.Status.Conditions = nil, nil, nil
				delete(m.annotated, r.UID)
				delete(m.foreign, r.UID)
			})
		},
		"label and cluster of a record are taken away": func(*rapid.T) {
			edit(func(r *v1.Volume) {
				if r.Status.VolumeID == "" {
					return
				}
				delete(r.Labels, v1.LabelVolumeID)
				delete(r.Annotations, v1.AnnotationClusterID)
			})
		},
		"a record is deleted by hand": func(*rapid.T) {
			m.changes++
			m.records.store(m.someRecord(), nil)
		},
		"a call fails": func(t *rapid.T) {
			call := rapid.SampledFrom([]string{"cluster", "nodes", "namespaces", "volumes one", "volumes two"}).Draw(t, "call")
			err := rapid.SampledFrom([]error{errDown, storageostest.NotFound, storageostest.Forbidden}).Draw(t, "error")
			old := m.api.Fail
			m.api.Fail = func(c string, n int) error {
				if c == call {
					return err
				}
				if strings.HasPrefix(c, "volume ") && call == "nodes" && !errors.Is(err, storageostest.NotFound) {
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
			id, _, _ := strings.Cut(m.api.Lists[ns][i], " ")
			m.api.Hidden = map[string]bool{id: true}
			m.changes++
		},
		"another cluster answers": func(*rapid.T) {
			m.other()
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
		"a volume is attached": func(t *rapid.T) {
			ns, i := m.place()
			id, rest, _ := strings.Cut(m.api.Lists[ns][i], " ")
			size, _, _ := strings.Cut(rest, " ")
			pv := m.pvOf(id)
			if pv == nil || tooLarge(m.api.Lists[ns][i]) {
				t.Skip("nobody can tell")
			}
			volumes := slices.Clone(m.api.Lists[ns])
			volumes[i] = fmt.Sprintf("%s %s online %s", id, size, rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node"))
			m.setVolumes(ns, volumes)
			m.leader.attachmentChanged(pv.Name, rapid.Bool().Draw(t, "attached"))
		},
		"a PersistentVolume grows": func(t *rapid.T) {
			old := m.somePV()
			obj := *old
			obj.SizeBytes = old.SizeBytes + 1
			m.setPV(old, &obj)
		},
		"what was told is read": func(*rapid.T) { m.read(m.leader) },
		"faults end":            func(*rapid.T) { m.heal() },
		"a listing":             func(*rapid.T) { m.poll(m.leader) },
		"some is told":          func(t *rapid.T) { m.tell(m.leader, rapid.IntRange(1, 5).Draw(t, "changes")) },
		"some is done":          func(t *rapid.T) { m.work(m.leader, rapid.IntRange(1, 10).Draw(t, "keys")) },
		"all is done":           func(*rapid.T) { m.round() },
		"time passes":           func(t *rapid.T) { m.sleep(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second) },
		"another leads":         func(*rapid.T) { m.failOver() },
		"the zombie works": func(t *rapid.T) {
			if m.zombie == nil {
				t.Skip("there is none")
			}
			m.work(m.zombie, 5)
		},
	}
	maps.Copy(all, m.longActions())
	maps.Copy(all, m.interruptingActions())
	return all
}
