package cache

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Record is what the cache has under a name, nil if nothing.
func (c *Caches) Record(name string) *state.Record {
	if rec, ok, _ := c.Records.GetStore().GetByKey(name); ok { // of our own cache, which never fails
		return rec.(*state.Record)
	}
	return nil
}

// PV is the PersistentVolume of that name, nil if there is none.
func (c *Caches) PV(name string) *state.PV {
	if pv, ok, _ := c.PVs.GetStore().GetByKey(name); ok {
		return pv.(*state.PV)
	}
	return nil
}

// RecordsNaming are the records that name a volume, in their label or in their status.
func (c *Caches) RecordsNaming(volumeID string) []*state.Record { return c.recordIndex.of(volumeID) }

// PVOf is the PersistentVolume that counts of those whose handle names a volume, nil if there
// is none.
func (c *Caches) PVOf(volumeID string) *state.PV { return state.ChoosePV(c.pvIndex.of(volumeID)) }

// NamesVolume tells whether a record or a PersistentVolume names a volume.
func (c *Caches) NamesVolume(volumeID string) bool {
	return len(c.pvIndex.of(volumeID))+len(c.recordIndex.of(volumeID)) > 0
}

// Text is the ID of a volume as it is kept here, if it is.
func (c *Caches) Text(volumeID string) string { return c.pvIndex.text(c.recordIndex.text(volumeID)) }

// RecordIDs and PVIDs are the IDs of all volumes that records and PersistentVolumes name.
func (c *Caches) RecordIDs() []string { return c.recordIndex.allIDs() }

// PVIDs see RecordIDs.
func (c *Caches) PVIDs() []string { return c.pvIndex.allIDs() }

// RecordCount is how many records there are.
func (c *Caches) RecordCount() int { return int(c.counts.all.Load()) }

// RecordSum is the sum of the records that name volumes, for the listing that was completed then.
func (c *Caches) RecordSum(completed time.Time) record.Sum { return c.sum.of(completed, c.records) }

func (c *Caches) records() []*state.Record {
	stored := c.Records.GetStore().List()
	all := make([]*state.Record, len(stored))
	for i, rec := range stored {
		all[i] = rec.(*state.Record)
	}
	return all
}

// NamesCluster tells whether some record names a StorageOS cluster.
func (c *Caches) NamesCluster() bool { return c.counts.named.Load() > 0 }

// Unreadable are the names of the PersistentVolumes whose handle names no volume.
func (c *Caches) Unreadable() []string { return c.unreadable.list() }

// Heard is when the watch of records last told something.
func (c *Caches) Heard() time.Time { return time.Unix(0, c.heard.Load()) }

// Provisioned is when a PersistentVolume of ours last came.
func (c *Caches) Provisioned() time.Time { return time.Unix(0, c.provisioned.Load()) }
