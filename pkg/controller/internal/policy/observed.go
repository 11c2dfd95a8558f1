package policy

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Presence says whether StorageOS has a volume.
type Presence int

// What is known of that.
const (
	Unknown Presence = iota // neither: no complete listing yet, or something has shown it since
	Present                 // a listing has shown it, and no complete one since was without it
	Absent                  // a complete listing was without it
)

// Source is what the view says of one volume at one moment.
type Source struct {
	Presence    Presence
	NamespaceID string
	Digest      state.Digest
	Invalid     string
	Moved       bool      // it may be listed in two namespaces
	Seen        time.Time // begin of the last listing that showed it, or ReadAt
	ReadAt      time.Time // when it was read by its ID; zero if a list has shown it since

	// The ID of the StorageOS cluster that has the volume or, if it is absent,
	// of the one that does not list it. "" if that refuses to tell.
	Cluster string
	// It is known which cluster that is, or that it refuses to tell.
	ClusterVerified bool

	// The one that has answered last, "" if it refused to tell or none has.
	Answering string

	CompleteBegun time.Time  // begin of the last complete listing
	LastComplete  bool       // the last listing that has ended was complete
	Watch         WatchPoint // how far the cluster that answers was watched
	Voucher       Voucher    // why its word counts for records that name no cluster
	Listings      int        // how many were complete
	Generation    int        // of the view
	Forgotten     bool       // a later listing may have shown what this one lacks

	// What is so was so when this process began: of a volume that is listed, the first
	// whole list of its namespace is not yet worked off; of another, the first complete
	// listing.
	InitialSync bool
}

// Recall adds what is remembered of the volume, and what the breaker knows. What the view calls
// absent is unknown if the volume has been seen to return since the view was looked at.
func (o *Observation) Recall(t Memory, b *Breaker) {
	o.Memory, o.Tripped = t, b.Why != ""
	if o.Source.Presence == Absent && o.Source.Generation < t.returned {
		o.Source.Presence = Unknown
	}
	o.Deleting = o.Record != nil && b.Requested[o.Record.UID] != nil
}

// clusterOpen tells whether the end of a listing, be it complete or not, is yet to tell of which cluster the
// volume is, and may tell another than the record names. When one that has not told its name does, all are
// compared: what its list did not show then, or showed last while it refused to tell, is open from then on.
// Before the first complete one, which has all compared too, most records name the one that has answered already.
func (o *Observation) clusterOpen() bool {
	switch {
	case o.Record == nil || o.Source.Answering == "":
		return false
	case o.Source.ClusterVerified && o.Source.Cluster != "":
		return o.Source.Cluster != o.Source.Answering
	case !o.Source.ClusterVerified && o.Source.Listings > 0:
		return true
	default:
		return o.Record.ClusterID.Value() != o.Source.Answering
	}
}

// namespace is that of StorageOS in which the volume of the record is, "" if nobody knows, and whether the
// record counts there without naming it: the list that shows the volume tells, or its PersistentVolume.
func (o *Observation) namespace() (id string, unnamed bool) {
	switch {
	case o.Record == nil:
	case o.Record.NamespaceID.Value() != "":
		return o.Record.NamespaceID.Value(), false
	case o.Deleting || o.Record.Terminating:
	case o.Source.Presence == Present:
		id = o.Source.NamespaceID
	case o.PV != nil:
		id = o.PV.NamespaceID.Value()
	}
	return id, id != ""
}

// explains tells whether what became of the PersistentVolume that a record should name
// explains that the volume is gone: that is what somebody asked Kubernetes for.
func explains(named state.PVSummary, pv *state.PV) bool {
	if pv != nil {
		return pv.Deletes()
	}
	return named.Name != ""
}
