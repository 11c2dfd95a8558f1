package record

import (
	"slices"

	api "github.com/storageos/go-api/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Copy is one copy of a volume's data, and where it is.
type Copy struct {
	NodeID   string // of StorageOS; empty if it does not say
	Host     string // name of that node, as far as it is known
	Master   bool
	Health   string // as StorageOS reports it
	Usable   bool   // its data is whole
	Survives bool   // the volume can go on with this copy alone: a master, or a replica that may become one
}

// Copies are those of a volume, its master first, without what is deleted.
func Copies(s *v1.VolumeStatus) []Copy {
	var all []Copy
	if m := s.Master; m != nil {
		usable := m.Health == string(api.MASTERHEALTH_ONLINE)
		all = append(all, Copy{m.NodeID, m.Hostname, true, m.Health, usable, usable})
	}
	for _, r := range s.Replicas {
		if r.Health == string(api.REPLICAHEALTH_DELETED) {
			continue
		}
		usable := r.Health == string(api.REPLICAHEALTH_READY)
		all = append(all, Copy{r.NodeID, r.Hostname, false, r.Health, usable, usable && r.Promotable})
	}
	return all
}

// Unplaced is how many volumes have a copy of which StorageOS does not say where it is, as of a master
// that it does not tell of. A record without status is none of them: it says nothing yet.
func Unplaced(records []v1.Volume) int {
	n := 0
	for i := range records {
		s := &records[i].Status
		if s.Master == nil && s.VolumeID != "" || slices.ContainsFunc(Copies(s), func(c Copy) bool { return c.NodeID == "" }) {
			n++
		}
	}
	return n
}

// SameCopies tells whether two states of a volume have the same copies, in whatever order and
// whatever their nodes are called.
func SameCopies(a, b *v1.VolumeStatus) bool {
	more := map[Copy]int{} // in a than in b
	for side, s := range map[int]*v1.VolumeStatus{1: a, -1: b} {
		for _, c := range Copies(s) {
			c.Host = ""
			if more[c] += side; more[c] == 0 {
				delete(more, c)
			}
		}
	}
	return len(more) == 0
}

// Ailing tells whether a copy is neither usable nor on its way to be.
func (c Copy) Ailing() bool {
	switch api.ReplicaHealth(c.Health) {
	case api.REPLICAHEALTH_RECOVERING, api.REPLICAHEALTH_PROVISIONING, api.REPLICAHEALTH_PROVISIONED, api.REPLICAHEALTH_SYNCING:
		return c.Master
	}
	return !c.Usable
}
