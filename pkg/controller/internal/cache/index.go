package cache

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/client-go/tools/cache"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// indexed is an object of a cache.
type indexed interface {
	comparable
	Key() string   // of the object in the cache
	IDs() []string // of the volumes that it may be looked up by
	HasID(id string) bool
}

// index finds the objects of a cache by the ID of their volume. The indexes of
// client-go keep a set for each value, which takes as much memory as the object;
// here nearly every ID has one object. The informer's handler fills it, so it
// may be a moment behind its cache, and names objects that the cache must confirm.
type index[T indexed] struct {
	cache cache.Store

	mu    sync.RWMutex
	first map[string]T
	more  map[string][]T // the others, of an ID that has more than one
}

func newIndex[T indexed](c cache.Store) *index[T] {
	return &index[T]{cache: c, first: map[string]T{}, more: map[string][]T{}}
}

// change takes note that an object has taken the place of another; the zero value
// is none.
func (i *index[T]) change(old, obj T) {
	var none T
	i.mu.Lock()
	defer i.mu.Unlock()
	if old != none {
		for _, id := range old.IDs() {
			i.remove(id, old.Key())
		}
	}
	if obj != none {
		for _, id := range obj.IDs() {
			i.add(id, obj)
		}
	}
}

func (i *index[T]) add(id string, obj T) {
	if _, ok := i.first[id]; ok {
		i.more[id] = append(i.more[id], obj)
	} else {
		i.first[id] = obj
	}
}

func (i *index[T]) remove(id, key string) {
	others := slices.DeleteFunc(i.more[id], func(o T) bool { return o.Key() == key })
	if first, ok := i.first[id]; ok && first.Key() == key {
		delete(i.first, id)
		if len(others) > 0 {
			i.first[id], others = others[0], slices.Clone(others[1:])
		}
	}
	if len(others) > 0 {
		i.more[id] = others
	} else {
		delete(i.more, id)
	}
}

// of returns the objects of a volume, as the cache has them.
func (i *index[T]) of(id string) []T {
	i.mu.RLock()
	var found []T
	if first, ok := i.first[id]; ok {
		found = append(append(found, first), i.more[id]...)
	}
	i.mu.RUnlock()
	kept := found[:0]
	for _, obj := range found {
		is, ok, _ := i.cache.GetByKey(obj.Key()) // of our own caches, which never fail
		if ok && is.(T).HasID(id) && !slices.Contains(kept, is.(T)) {
			kept = append(kept, is.(T))
		}
	}
	return kept
}

// text returns an ID as it is kept here, if it is.
func (i *index[T]) text(id string) string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if first, ok := i.first[id]; ok {
		for _, kept := range first.IDs() {
			state.Reuse(kept, &id)
		}
	}
	return id
}

// allIDs returns the ID of each volume that an object names.
func (i *index[T]) allIDs() []string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return slices.AppendSeq(make([]string, 0, len(i.first)), maps.Keys(i.first))
}
