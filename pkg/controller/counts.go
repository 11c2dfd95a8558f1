package controller

import "sync/atomic"

// recordCount counts the records, and those that name a StorageOS cluster.
type recordCount struct{ all, named atomic.Int64 }

func (c *recordCount) change(old, obj *recordState) {
	c.add(obj, 1)
	c.add(old, -1)
}

func (c *recordCount) add(r *recordState, n int64) {
	if r == nil {
		return
	}
	c.all.Add(n)
	if r.clusterID.get() != "" {
		c.named.Add(n)
	}
}
