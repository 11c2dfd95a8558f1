package controller

import (
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What has changed of no account queues nothing.
func TestQueuedByACache(t *testing.T) {
	t.Parallel()
	r := keepAll(t, 50)
	r.leading.Store(true)
	pv := r.caches.PVs.GetStore().List()[0].(*state.PV)
	rec := r.caches.Records.GetStore().List()[0].(*state.Record)
	if rec.LabelID == pv.VolumeID {
		rec = r.caches.Records.GetStore().List()[1].(*state.Record)
	}
	newPV, newRec := *pv, *rec
	newPV.ResourceVersion, newRec.ResourceVersion = "later", "later"
	r.caches.PVChanged(pv, &newPV)
	r.caches.RecordChanged(rec, &newRec)
	if n := r.queue.Len(); n != 0 {
		t.Errorf("%d IDs were queued for two new resourceVersions", n)
	}
	otherPV, otherRec := newPV, newRec
	otherPV.ClaimName, otherRec.Summary.Content = "other", rec.Summary.Content+1
	r.caches.PVChanged(&newPV, &otherPV)
	if n := r.queue.Len(); n != 1 {
		t.Errorf("%d IDs were queued for a PersistentVolume", n)
	}
	r.caches.RecordChanged(&newRec, &otherRec)
	if n := r.queue.Len(); n != 2 {
		t.Errorf("%d IDs were queued for a PersistentVolume and a record of another volume", n)
	}
}

// Where every record is right, a first complete listing and every later comparison of all
// IDs leave nothing to the workers.
func TestQueuedAtRest(t *testing.T) {
	t.Parallel()
	r := keepAll(t, 50)
	for n := range 3 {
		l := &source.Listing{Begun: time.Now()}
		r.resynced = time.Time{} // all are due
		r.listingBegun(l)
		r.listingEnded(l, true, nil)
		if r.resynced.IsZero() {
			t.Fatal("not every ID was compared")
		}
		if queued := r.queue.Len(); queued != 0 {
			t.Errorf("listing %d: %d IDs were queued", n, queued)
		}
	}
}

// What a first listing shows is kept for the workers up to a bound.
func TestContentsOfAFirstListing(t *testing.T) {
	t.Parallel()
	const most = 16 << 20
	contents := keepAll(t, 50).contents
	raw := recordtest.Listed("ns", 1, 1)
	for n := range 2 * most / len(raw) {
		contents.Put(strconv.Itoa(n), source.Payload{JSON: raw})
	}
	if contents.Bytes() > most || contents.Bytes() <= most-len(raw) {
		t.Errorf("%d bytes are kept, want up to %d", contents.Bytes(), most)
	}
}

// What nobody will ask for is not kept: neither a second copy of an ID nor the content of
// a volume whose record is right.
func TestKeptOnce(t *testing.T) {
	t.Parallel()
	r := keepAll(t, 50)
	for _, pv := range r.caches.PVs.GetStore().List() {
		id := pv.(*state.PV).VolumeID
		rec, ids := r.caches.RecordsNaming(id)[0], r.view.IDs()
		for what, other := range map[string]string{"record": rec.LabelID, "status": rec.StatusID, "view": ids[slices.Index(ids, id)]} {
			if unsafe.StringData(other) != unsafe.StringData(id) {
				t.Errorf("the %s has a copy of the ID of its own", what)
			}
		}
		r.contents.Put(id, source.Payload{JSON: []byte("content")})
		r.evaluate(id, nil)
		if r.contents.Take(id).JSON != nil {
			t.Error("the content of a volume is kept, though its record is right")
		}
	}
}
