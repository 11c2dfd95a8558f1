package cache

import (
	"maps"
	"slices"
	"sync"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// unreadable are the PersistentVolumes of the driver whose handle names no volume, by
// name.
type unreadable struct {
	mu    sync.Mutex
	names map[string]struct{}
}

// change takes note that a PersistentVolume has taken the place of another. It tells
// whether there is one more.
func (u *unreadable) change(old, obj *state.PV) (more bool) {
	was, is := old != nil && old.Unreadable, obj != nil && obj.Unreadable
	if !was && !is {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if was {
		delete(u.names, old.Name)
	}
	if is {
		if u.names == nil {
			u.names = map[string]struct{}{}
		}
		u.names[obj.Name] = struct{}{}
	}
	return is && (!was || old.UID != obj.UID)
}

// list are their names.
func (u *unreadable) list() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.names))
}
