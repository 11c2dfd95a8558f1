package writer

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Cached says that the cache has a record.
func (w *Writer) Cached(r *state.Record) { w.creations.cached(r) }

// Bound forgets records of which nobody knows whether they were made, where there are too
// many.
func (w *Writer) Bound() { w.creations.bound(w.MaxUncertain, w.caches.Lists) }

// Uncached is how many records are remembered that the cache does not have yet.
func (w *Writer) Uncached() int { return w.creations.len() }

// Distrust says that the cache may lack records that somebody else has made: all are listed
// before the next is created.
func (w *Writer) Distrust() {
	w.listing.Lock()
	defer w.listing.Unlock()
	w.mayLack = true
}

// uncached reads the record of a volume that the cache does not have yet, nil if there is
// none, or not any more.
func (w *Writer) uncached(ctx context.Context, id string) (*v1.Volume, error) {
	is, ok := w.creations.of(id)
	if !ok {
		return nil, nil
	}
	live, err := w.records.StorageOSV1().Volumes().Get(ctx, is.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		w.creations.forget(id)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading record %s, which the cache does not have yet: %w", is.name, err)
	}
	if rec := state.NewRecord(live); is.uid != (state.UID{}) && rec.UID != is.uid || rec.Identity(w.caches.Lists) != id {
		w.creations.forget(id)
		return nil, nil
	}
	return live, nil
}

// listPage is how many records are listed at a time.
const listPage = 500

// listAnew lists the records, once, before the first creation of a process whose watch of
// them had told nothing for longer than the lease when it began to lead: who led before
// may have made some that it does not know.
func (w *Writer) listAnew(ctx context.Context) error {
	w.listing.Lock()
	defer w.listing.Unlock()
	if !w.mayLack {
		return nil
	}
	options := metav1.ListOptions{Limit: listPage}
	for {
		list, err := w.records.StorageOSV1().Volumes().List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing the records anew: %w", err)
		}
		for i := range list.Items {
			w.learn(state.NewRecord(&list.Items[i]))
		}
		if options.Continue = list.Continue; options.Continue == "" {
			w.mayLack = false
			return nil
		}
	}
}

// learn remembers a record that the cache does not have.
func (w *Writer) learn(rec *state.Record) {
	if known := w.caches.Record(rec.Name); known != nil && known.UID == rec.UID {
		return
	}
	for _, id := range rec.IDs() {
		w.creations.learn(id, creation{rec.Name, rec.UID})
	}
}
