package policy

import (
	"math"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Voucher is why the word of a cluster counts for records that name none: it has listed the volume of a
// record which was there before them, or of one of the replaced program. A record that was made for a volume
// of a cluster says nothing of those that were there before, which may be another's; nor does one that
// names none by now, because a hand has taken the name away, or the cluster has refused to tell it since. Of a
// cluster that does not tell its name each record counts that names none: nobody can tell it from another.
type Voucher struct {
	Is   bool
	From int64 // it counts for records that were made then or later, in Unix seconds
}

// VoucherOf is what a record vouches by whose volume the cluster lists. One of the replaced program has
// neither label nor namespace yet, and does not say of its volume that it is there: of what this program
// has written something is left, also once a hand has taken the label away. Those that were made in the
// same second may have been adopted together, unless they name their cluster.
func VoucherOf(r *state.Record, cluster string) Voucher {
	switch {
	case r.ClusterID.Value() != "":
		return Voucher{true, r.Created + 1}
	case r.LabelID == "" && r.NamespaceID.Value() == "" && r.Summary.Present != state.PresentTrue || cluster == "":
		return Voucher{true, math.MinInt64}
	default:
		return Voucher{true, r.Created}
	}
}

// Counts tells whether it counts for a record that names no cluster.
func (v Voucher) Counts(r *state.Record) bool { return v.Is && r.Created >= v.From }

// Better tells whether it counts for more records than another.
func (v Voucher) Better(other Voucher) bool { return v.Is && (!other.Is || v.From < other.From) }

// Vouches tells whether the volume that is observed is one by which its cluster is vouched for better
// than before.
func (o *Observation) Vouches() bool {
	return o.Source.Presence == Present && o.Record != nil && o.Source.ClusterVerified && VoucherOf(o.Record, o.Source.Cluster).Better(o.Source.Voucher)
}
