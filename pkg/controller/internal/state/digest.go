package state

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Digest is a content, small enough to be kept for every volume.
type Digest struct {
	Content  uint64 // hash of the content without sync progress; never 0
	basic    uint64 // the same of what an older CRD keeps of it
	Progress uint64 // hash of the sync progress
	Health   Health // not a part of the content: that of an absent volume is the same
}

// hashSeed makes the hashes of this process comparable with each other.
var hashSeed = maphash.MakeSeed()

// DigestContent gives the digest of a content, and the hash of its spec alone.
func DigestContent(c record.Content) (d Digest, spec uint64) {
	d.Health = Intern(c.HealthStatus())
	c.Status.Health, c.Status.Ready = "", ""
	// The API lists them in any order.
	replicas := slices.SortedStableFunc(slices.Values(c.Status.Replicas), func(a, b v1.Replica) int { return strings.Compare(a.ID, b.ID) })
	var progress []*v1.SyncProgress
	for i := range replicas {
		progress = append(progress, replicas[i].SyncProgress)
		replicas[i].SyncProgress = nil
	}
	spec = hashOf(c.Spec)
	capacity := int64(-1) // none
	if q := c.Status.Capacity; q != nil {
		capacity = q.Value()
	}
	c.Spec, c.Status.Replicas = v1.VolumeSpec{}, replicas
	c.Status.Capacity = nil
	d.basic = hashOf(struct {
		record.Content
		Spec uint64
	}{c, spec})
	d.Content = withCapacity(d.basic, capacity)
	d.Progress = hashOf(progress)
	return d, spec
}

// withCapacity gives the hash of a content from that of the rest of it, which is all that
// StorageOS's own CRD keeps. The capacity is -1 if there is none.
func withCapacity(basic uint64, capacity int64) uint64 {
	return max(maphash.Comparable(hashSeed, [2]uint64{basic, uint64(capacity)}), 1)
}

// hashOf hashes the JSON of a value: what the API server stores and no more, so
// that nil and empty are the same where they are the same in a record.
func hashOf(v any) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	if err := json.NewEncoder(&h).Encode(v); err != nil {
		panic(err) // plain data: there is nothing in it that JSON cannot hold
	}
	return max(h.Sum64(), 1)
}
