package cache

import (
	"sync/atomic"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// recordCount counts the records, and those that name a StorageOS cluster.
type recordCount struct{ all, named atomic.Int64 }

func (c *recordCount) change(old, obj *state.Record) {
	c.add(obj, 1)
	c.add(old, -1)
}

func (c *recordCount) add(r *state.Record, n int64) {
	if r == nil {
		return
	}
	c.all.Add(n)
	if r.ClusterID.Value() != "" {
		c.named.Add(n)
	}
}
