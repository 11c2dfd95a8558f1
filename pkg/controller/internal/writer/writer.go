package writer

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// fieldManager is the name under which the API server notes our writes.
const fieldManager = "storageos-volume-sync"

// The product's own CRD does not know the fields that were added. The API
// server prunes them; it need not warn about each at each write.
const fieldValidation = metav1.FieldValidationIgnore

// Caches are what is known without asking Kubernetes or StorageOS.
type Caches interface {
	// Record is what the cache has under a name, nil if nothing.
	Record(name string) *state.Record
	// RecordsOf are the records that describe a volume.
	RecordsOf(volumeID string) []*state.Record
	// OthersPV tells whether a PersistentVolume of that name belongs to another volume.
	OthersPV(name, volumeID string) bool
	// Lists tells whether StorageOS lists a volume.
	Lists(volumeID string) bool
}

// Writer writes records. Many goroutines may use it, one at a time for each volume.
type Writer struct {
	// MaxUncertain is how many records are remembered of which nobody knows whether they
	// were made, while their volumes are not listed. Those that were made are bounded by
	// what Kubernetes has.
	MaxUncertain int

	records   versioned.Interface
	caches    Caches
	wrote     func(verb, record string)
	creations *creations

	listing sync.Mutex
	mayLack bool // the cache may lack records that somebody else has made; listing guards it
}

// New makes a Writer. Wrote is told of each write that was answered.
func New(records versioned.Interface, caches Caches, wrote func(verb, record string)) *Writer {
	return &Writer{MaxUncertain: maxUncertain, records: records, caches: caches, wrote: wrote, creations: newCreations()}
}

// Result is what became of a write.
type Result struct {
	// Was is what the record said before, nil if it was not there.
	Was *state.Record
	// After is the record as it is now; with an error, as the first of two patches has left
	// it. Nil if nothing could be written now: the record's own event tells when.
	After *v1.Volume
	// Again says that the volume is to be looked at again after the next listing.
	Again bool
	// Awaits is the name that a new record waits for, "" if it does not.
	Awaits string
}

// Write brings a record, nil if there is none, to what it should say.
func (w *Writer) Write(ctx context.Context, c *Change, known *state.Record) (Result, error) {
	if known == nil {
		return w.create(ctx, c)
	}
	version := known.ResourceVersion
	if c.Unsure {
		version = ""
	}
	if c.outlined(known) {
		p, err := c.patchesOf(known)
		if err != nil {
			return Result{}, err
		}
		if !p.empty() {
			after, err := w.patch(ctx, known.Name, known.ResourceVersion, p)
			if after != nil || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				return Result{Was: known, After: after}, err
			}
			version = "" // the cache is behind, and maybe the API server's too
		}
	}
	// Not older than what is known will do: the API server then need not ask etcd.
	// Should it be older than what is stored, the patch is refused.
	live, err := w.records.StorageOSV1().Volumes().Get(ctx, known.Name, metav1.GetOptions{ResourceVersion: version})
	if apierrors.IsNotFound(err) {
		return Result{}, nil // the cache is behind
	}
	if err != nil {
		return Result{}, fmt.Errorf("reading record %s: %w", known.Name, err)
	}
	if live.ResourceVersion != known.ResourceVersion && c.Summary.Mark != "" && live.Annotations[v1.AnnotationAbsentSince] == "" {
		// It may name another judge than the record that was decided on: what is to be
		// marked is looked at again when the cache has it.
		return Result{Again: true}, nil
	}
	return w.writeLive(ctx, c, live)
}

// writeLive brings a record that was read to what it should say, if it is the volume's.
func (w *Writer) writeLive(ctx context.Context, c *Change, live *v1.Volume) (Result, error) {
	was := state.NewRecord(live)
	if was.Terminating || was.Identity(w.caches.Lists) != c.VolumeID {
		return Result{}, nil
	}
	if c.Content == nil && c.Summary.Present == state.PresentTrue {
		c.Summary.Health = was.CopiesHealth // these copies stay, and they may be others than were decided on
	}
	p, err := c.patches(live, nil)
	if err != nil {
		return Result{}, err
	}
	after := live
	if !p.empty() {
		after, err = w.patch(ctx, live.Name, live.ResourceVersion, p)
	}
	return Result{Was: was, After: after}, err
}

// patch writes what differs from a version of a record: the resource first, then its
// status. A mark comes last: a record that has one never says that its volume is well,
// not even between two writes. With an error it returns what the first of two has left.
func (w *Writer) patch(ctx context.Context, name, version string, p patches) (after *v1.Volume, _ error) {
	resource := func() (*v1.Volume, error) {
		if len(p.resource) == 0 {
			return after, nil
		}
		return w.patchOne(ctx, name, version, p.resource, metrics.VerbPatch)
	}
	status := func() (*v1.Volume, error) {
		if p.status == nil {
			return after, nil
		}
		return w.patchOne(ctx, name, version, map[string]any{"status": p.status}, metrics.VerbPatchStatus, "status")
	}
	writes := []func() (*v1.Volume, error){resource, status}
	if p.marks() {
		slices.Reverse(writes)
	}
	for _, write := range writes {
		is, err := write()
		if err != nil {
			return after, err
		}
		if after = is; after != nil {
			version = after.ResourceVersion
		}
	}
	return after, nil
}

func (w *Writer) patchOne(ctx context.Context, name, version string, patch map[string]any, verb string, subresources ...string) (*v1.Volume, error) {
	body, err := pinned(patch, version)
	if err != nil {
		return nil, err
	}
	after, err := w.records.StorageOSV1().Volumes().Patch(ctx, name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: fieldValidation}, subresources...)
	if err != nil {
		return nil, fmt.Errorf("writing record %s (%s): %w", name, verb, err)
	}
	if after.ResourceVersion != version { // otherwise it said so already
		w.wrote(verb, name)
		klog.FromContext(ctx).V(2).Info("Wrote record", "record", name, "verb", verb)
	}
	return after, nil
}

// Read reads a record as it is stored. It returns nil if there is none of that name.
func (w *Writer) Read(ctx context.Context, name string) (*state.Record, error) {
	live, err := w.records.StorageOSV1().Volumes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading record %s: %w", name, err)
	}
	return state.NewRecord(live), nil
}

// Delete deletes a record as it is known.
func (w *Writer) Delete(ctx context.Context, known *state.Record) error {
	uid := known.UID.Text()
	err := w.records.StorageOSV1().Volumes().Delete(ctx, known.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &known.ResourceVersion},
	})
	if err != nil {
		return fmt.Errorf("deleting record %s: %w", known.Name, err)
	}
	w.wrote(metrics.VerbDelete, known.Name)
	return nil
}
