package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// ParallelQuestions bounds how many volumes are asked for by ID at a time, however many
// workers and namespaces there are.
const ParallelQuestions = 16

// Asker asks StorageOS for single volumes by their IDs.
type Asker struct {
	API   storageos.Lister
	view  *View
	slots chan struct{} // holds one value for each that is asked for
}

// NewAsker makes an asker that has no more than parallel questions on their way.
func NewAsker(api storageos.Lister, v *View, parallel int) *Asker {
	return &Asker{api, v, make(chan struct{}, parallel)}
}

// Volume decodes what was answered of a volume or, if nothing is kept, asks for it. It
// returns the answer too.
func (a *Asker) Volume(ctx context.Context, namespaceID, id string, kept Payload) (Payload, *storageos.Volume, error) {
	if kept.JSON != nil {
		v, err := storageos.DecodeVolume(kept.JSON)
		return kept, v, err
	}
	begun := time.Now()
	raw, v, err := a.API.Volume(ctx, namespaceID, id)
	if err == nil {
		a.view.shown(id, begun)
	}
	return Payload{raw, begun}, v, err
}

// Gone asks StorageOS for a volume by its ID. Only a 404 of the API itself, to each
// question, proves that it is gone, and only between two answers of the cluster that was
// listed: another one does not have the volume either.
func (a *Asker) Gone(ctx context.Context, listed string, questions []Check) (bool, error) {
	if len(questions) == 0 {
		return false, errors.New("there is no StorageOS namespace to ask for it")
	}
	before, err := askCluster(ctx, a.API, a.view)
	if err != nil {
		return false, err
	}
	if before.cluster != listed {
		return false, fmt.Errorf("cluster %q answers, and it was %q that was listed", before.cluster, listed)
	}
	if gone, err := a.notFound(ctx, questions); !gone {
		return false, err
	}
	after, err := askCluster(ctx, a.API, a.view)
	if err != nil {
		return false, err
	}
	if err := before.agrees(after, a.view); err != nil {
		return false, fmt.Errorf("the StorageOS cluster changed while a volume was asked for: %w", err)
	}
	return true, nil
}

// notFound tells whether each question was answered by a 404 of the API itself.
func (a *Asker) notFound(ctx context.Context, questions []Check) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(questions))
	left := len(questions)
	for next := 0; left > 0; {
		asking := a.slots
		if next == len(questions) {
			asking = nil
		}
		select {
		case asking <- struct{}{}:
			q := questions[next]
			next++
			go func() {
				defer func() { <-a.slots }()
				answers <- a.ask(ctx, q)
			}()
		case err := <-answers:
			if left--; !storageos.IsNotFound(err) {
				return false, err
			}
		}
	}
	return true, nil
}

// ask asks one question. Nil says that the volume is there.
func (a *Asker) ask(ctx context.Context, q Check) error {
	begun := time.Now()
	_, _, err := a.API.Volume(ctx, q.namespaceID, q.id)
	if err == nil {
		a.view.shown(q.id, begun)
		return nil
	}
	if storageos.IsNotFound(err) {
		return err
	}
	return fmt.Errorf("asking for the volume in namespace %s: %w", q.namespaceID, err)
}

// Check is one for a volume by its ID.
type Check struct{ namespaceID, id string }

// Checks are those whose answers prove that the volume of a record is gone: in
// the namespace that the record names and in the one that the PersistentVolume
// names; in every listed one if neither does, or if the record names one that this
// process has never seen listed: a hand may have edited it. So may one have edited
// one of the two places that hold the ID: while they differ, both are asked for.
func Checks(rec *state.Record, pv *state.PV, listed []string, seen func(namespaceID string) bool) []Check {
	var namespaces []string
	named := rec.NamespaceID.Value()
	if named != "" {
		namespaces = append(namespaces, named)
	}
	if pv != nil && pv.NamespaceID.Value() != named {
		namespaces = append(namespaces, pv.NamespaceID.Value())
	}
	if len(namespaces) == 0 || named != "" && !seen(named) {
		first := namespaces
		for _, ns := range listed {
			if !slices.Contains(first, ns) {
				namespaces = append(namespaces, ns)
			}
		}
	}
	var all []Check
	for _, id := range rec.IDs() {
		for _, ns := range namespaces {
			all = append(all, Check{ns, id})
		}
	}
	return all
}
