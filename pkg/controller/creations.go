package controller

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// creations remembers the records that the cache does not have yet. Without it, a volume
// whose record has another name than the first, because that was taken, would get a second
// record as soon as the first name is free.
type creations struct {
	most int // see maxUncertain

	mu  sync.Mutex
	all map[string]creation // by the ID of the volume
}

// creation is a record that was made, or may have been.
type creation struct {
	name string
	uid  state.UID // "" if nobody knows whether it was made
}

func newCreations() *creations { return &creations{most: maxUncertain, all: map[string]creation{}} }

func (c *creations) of(id string) (creation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	is, ok := c.all[id]
	return is, ok
}

// begun says that a record is asked for.
func (c *creations) begun(id, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id] = creation{name: name}
}

// made says that it was made. The cache may have it already.
func (c *creations) made(id string, is creation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.all[id]; ok {
		c.all[id] = is
	}
}

// learn says that there is a record.
func (c *creations) learn(id string, is creation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id] = is
}

// maxUncertain is how many records are remembered of which nobody knows whether they were
// made, while their volumes are not listed. Those that were made are bounded by what
// Kubernetes has.
const maxUncertain = 10_000

// bound forgets those of which nobody knows whether they were made, where they are too many
// and their volumes are not listed: none is made for them.
func (c *creations) bound(listed func(id string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) <= c.most {
		return
	}
	for id, is := range c.all {
		if is.uid == "" && !listed(id) {
			delete(c.all, id)
		}
	}
}

func (c *creations) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}

// cached says that the cache has a record.
func (c *creations) cached(r *state.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range r.IDs() {
		if is, ok := c.all[id]; ok && (is.uid == r.UID || is.uid == "" && is.name == r.Name) {
			delete(c.all, id)
		}
	}
}

// uncached reads the record of a volume that the cache does not have yet, nil if there is
// none, or not any more.
func (r *Reconciler) uncached(ctx context.Context, id string) (*v1.Volume, error) {
	is, ok := r.creations.of(id)
	if !ok {
		return nil, nil
	}
	live, err := r.records.StorageOSV1().Volumes().Get(ctx, is.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.creations.forget(id)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading record %s, which the cache does not have yet: %w", is.name, err)
	}
	if rec := state.NewRecord(live); is.uid != "" && rec.UID != is.uid || rec.Identity(r.view.lists) != id {
		r.creations.forget(id)
		return nil, nil
	}
	return live, nil
}

// listPage is how many records are listed at a time.
const listPage = 500

// listAnew lists the records, once, before the first creation of a process whose watch of
// them had told nothing for longer than the lease when it began to lead: who led before
// may have made some that it does not know.
func (r *Reconciler) listAnew(ctx context.Context) error {
	r.anew.Lock()
	defer r.anew.Unlock()
	if !r.mayLack {
		return nil
	}
	options := metav1.ListOptions{Limit: listPage}
	for {
		list, err := r.records.StorageOSV1().Volumes().List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing the records anew: %w", err)
		}
		for i := range list.Items {
			r.learn(state.NewRecord(&list.Items[i]))
		}
		if options.Continue = list.Continue; options.Continue == "" {
			r.mayLack = false
			return nil
		}
	}
}

// learn remembers a record that the cache does not have.
func (r *Reconciler) learn(rec *state.Record) {
	if known, ok, _ := r.recordInformer.GetStore().GetByKey(rec.Name); ok && known.(*state.Record).UID == rec.UID {
		return
	}
	for _, id := range rec.IDs() {
		r.creations.learn(id, creation{rec.Name, rec.UID})
	}
}
