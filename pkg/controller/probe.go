package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// On the product's own CRD, whatever is added here is dropped, and what a record
// lacks for that is not written again. Somebody may install the newer CRD: one
// record is asked after, at each resync, by a write that is only tried.

// probePatch is what the newer CRD keeps.
const probePatch = `{"status":{"ready":"?"}}`

// probe asks, if it is this volume's turn, whether the CRD has come to know what was
// added, and has every record completed if it has.
func (r *Reconciler) probe(ctx context.Context, id string) error {
	if turn := r.probing.Load(); turn == nil || *turn != id || !r.probing.CompareAndSwap(turn, nil) {
		return nil
	}
	rec := r.observe(id).record
	if rec == nil {
		return nil
	}
	name := rec.name
	after, err := r.records.StorageOSV1().Volumes().Patch(ctx, name, types.MergePatchType, []byte(probePatch),
		metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: fieldValidation, DryRun: []string{metav1.DryRunAll}}, "status")
	if err != nil {
		return r.failed(ctx, metrics.StageSave, fmt.Errorf("asking what the CRD knows, with record %s: %w", name, err))
	}
	if after.Status.Ready == "" {
		return nil
	}
	for _, id := range r.tracks.unsettle() {
		r.queue.Add(id)
	}
	return nil
}

// pruned tells whether the API server has dropped what was added to the CRD.
func (s settlement) pruned() bool {
	return s.want.present != statement{} && s.got.present == statement{}
}

// anyPruned finds a record of which something was dropped.
func (t *tracks) anyPruned() (id string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.settled.pruned() {
			return id, true
		}
	}
	return "", false
}

// unsettle lets every record of which something was dropped be written again, and
// returns their IDs.
func (t *tracks) unsettle() (ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.settled.pruned() {
			tr.settled = settlement{}
			t.all[id] = tr
			ids = append(ids, id)
		}
	}
	return ids
}
