package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	typedv1 "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
)

// memory is the model of an API server that holds records: what the controller
// relies on and no more. The real one is used in hack/integration.
type memory struct {
	versioned.Interface
	typedv1.StorageOSV1Interface
	typedv1.VolumeInterface

	records map[string]*v1.Volume
	version int
	history []recordChange
	writes  int
	dropped int // writes of which the older CRD left nothing
	reads   int
	pruned  bool                 // its CRD is the older one
	drops   func(obj *v1.Volume) // what something else drops; nil: nothing
	fail    func(verb string) error
	deleted func(r *v1.Volume)

	wrote func(ctx context.Context, old, obj *v1.Volume) // before it is stored
	fence func(ctx context.Context) error                // of creations; nil: everybody may
	lost  func(verb string) error                        // after it was stored
	after func(verb string)                              // it was stored, before the answer
	stale *v1.Volume                                     // is read where that is new enough; nil: what is stored
}

// guarded is the same for many workers.
type guarded struct {
	*memory
	mu sync.Mutex
}

func (g *guarded) StorageOSV1() typedv1.StorageOSV1Interface { return g }
func (g *guarded) Volumes() typedv1.VolumeInterface          { return g }

func (g *guarded) Get(ctx context.Context, name string, o metav1.GetOptions) (*v1.Volume, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory.Get(ctx, name, o)
}

func (g *guarded) Create(ctx context.Context, r *v1.Volume, o metav1.CreateOptions) (*v1.Volume, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory.Create(ctx, r, o)
}

func (g *guarded) Patch(ctx context.Context, name string, p types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory.Patch(ctx, name, p, data, o, sub...)
}

func (g *guarded) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory.Delete(ctx, name, o)
}

// recordChange is what a watch tells.
type recordChange struct{ old, obj *v1.Volume }

func (m *memory) StorageOSV1() typedv1.StorageOSV1Interface { return m }
func (m *memory) Volumes() typedv1.VolumeInterface          { return m }

var volumesResource = v1.SchemeGroupVersion.WithResource("volumes").GroupResource()

func (m *memory) write(verb string) error {
	if m.fail != nil {
		if err := m.fail(verb); err != nil {
			return err
		}
	}
	m.writes++
	return nil
}

// prune drops what the older CRD does not know, or something else does not let pass.
func (m *memory) prune(obj *v1.Volume) *v1.Volume {
	if m.drops != nil {
		m.drops(obj)
	}
	if m.pruned {
		s := &obj.Status
		s.Capacity, s.Conditions, s.Health, s.Ready, s.PersistentVolume = nil, nil, "", "", nil
	}
	return obj
}

func (m *memory) store(old, obj *v1.Volume) *v1.Volume {
	m.version++
	if obj != nil {
		obj.ResourceVersion = fmt.Sprint(m.version)
		m.prune(obj)
		m.records[obj.Name] = obj
	} else {
		delete(m.records, old.Name)
	}
	m.history = append(m.history, recordChange{old, obj})
	return obj.DeepCopy()
}

func (m *memory) Get(_ context.Context, name string, o metav1.GetOptions) (*v1.Volume, error) {
	m.reads++
	if m.stale != nil && m.stale.Name == name && m.stale.ResourceVersion == o.ResourceVersion {
		return m.stale.DeepCopy(), nil
	}
	if r, ok := m.records[name]; ok {
		return r.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(volumesResource, name)
}

func (m *memory) Create(ctx context.Context, r *v1.Volume, _ metav1.CreateOptions) (*v1.Volume, error) {
	if m.fence != nil {
		if err := m.fence(ctx); err != nil {
			return nil, err
		}
	}
	if err := m.write("create"); err != nil {
		return nil, err
	}
	if _, ok := m.records[r.Name]; ok {
		return nil, apierrors.NewAlreadyExists(volumesResource, r.Name)
	}
	r = r.DeepCopy()
	if !reflect.DeepEqual(r.Status, v1.VolumeStatus{}) {
		return nil, apierrors.NewBadRequest("the API server would read this status and drop it")
	}
	r.UID = types.UID(fmt.Sprint("uid-", m.version))
	r.CreationTimestamp = metav1.NewTime(time.Now())
	return m.answer(ctx, "create", nil, r)
}

func (m *memory) List(context.Context, metav1.ListOptions) (*v1.VolumeList, error) {
	list := &v1.VolumeList{}
	for _, r := range m.records {
		list.Items = append(list.Items, *r.DeepCopy())
	}
	return list, nil
}

func (m *memory) Patch(ctx context.Context, name string, _ types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	dry := len(o.DryRun) > 0
	if !dry {
		if err := m.write("patch"); err != nil {
			return nil, err
		}
	}
	old, ok := m.records[name]
	if !ok {
		return nil, apierrors.NewNotFound(volumesResource, name)
	}
	patch := map[string]any{}
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, err
	}
	meta, _ := patch["metadata"].(map[string]any)
	if rv, ok := meta["resourceVersion"]; ok && rv != old.ResourceVersion {
		return nil, apierrors.NewConflict(volumesResource, name, fmt.Errorf("it is at %s", old.ResourceVersion))
	}
	if len(sub) > 0 {
		patch = map[string]any{"status": patch["status"]}
	} else {
		delete(patch, "status")
	}
	obj, err := recordtest.Patched(old, patch)
	if err != nil {
		return nil, err
	}
	if dry {
		return m.prune(obj), nil
	}
	if m.prune(obj); equality.Semantic.DeepEqual(old, obj) {
		if m.pruned || m.drops != nil {
			m.writes, m.dropped = m.writes-1, m.dropped+1
		}
		return old.DeepCopy(), nil // nothing is stored
	}
	return m.answer(ctx, "patch", old, obj)
}

func (m *memory) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	if err := m.write("delete"); err != nil {
		return err
	}
	old, ok := m.records[name]
	if !ok {
		return apierrors.NewNotFound(volumesResource, name)
	}
	if p := o.Preconditions; p == nil || *p.UID != old.UID || *p.ResourceVersion != old.ResourceVersion {
		return apierrors.NewConflict(volumesResource, name, fmt.Errorf("it is at %s", old.ResourceVersion))
	}
	if m.deleted != nil {
		m.deleted(old)
	}
	_, err := m.answer(ctx, "delete", old, nil)
	return err
}

// answer stores what a process has written, and answers it.
func (m *memory) answer(ctx context.Context, verb string, old, obj *v1.Volume) (*v1.Volume, error) {
	if m.wrote != nil {
		m.wrote(ctx, old, obj)
	}
	var is *v1.Volume
	if obj != nil {
		is = m.store(old, obj)
	} else {
		m.store(old, nil)
	}
	if m.after != nil {
		m.after(verb)
	}
	if m.lost != nil {
		if err := m.lost(verb); err != nil {
			return nil, err
		}
	}
	return is, nil
}
