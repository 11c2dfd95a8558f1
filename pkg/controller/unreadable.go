package controller

import (
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
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

func (u *unreadable) len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.names)
}

// handleChanged counts the handles that cannot be read, and says so of one that has come
// since this process leads.
func (r *Reconciler) handleChanged(old, obj *state.PV) {
	more := r.unreadable.change(old, obj)
	if !r.leading.Load() {
		return
	}
	r.tracks.setUnreadable(r.unreadable.len())
	if more {
		r.say(policy.OnPersistentVolume(obj, corev1.EventTypeWarning, policy.EventInvalid, handleUnreadable))
	}
}

const handleUnreadable = "its volumeHandle cannot be read: it must be <namespace ID>/<volume ID> of StorageOS"
