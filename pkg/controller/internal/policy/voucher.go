package policy

import "github.com/storageos/volume-sync-controller/pkg/controller/internal/state"

// Voucher is why the word of a cluster counts for records that name none: it has listed the volume of
// a record of the replaced program, or of an older one than they are. A record that was made for a
// volume of a cluster says nothing of those that were there before, which may be another's. Of a
// cluster that does not tell its name each record counts that names none: nobody can tell it from another.
type Voucher struct {
	Is      bool
	Created int64 // that record, in Unix seconds; 0 if it counts for all
	Unnamed bool  // one was recorded while no cluster told its name: it counts for others that were
}

// VoucherOf is what a record vouches by whose volume the cluster lists. One of the replaced program has
// no label yet.
func VoucherOf(r *state.Record, cluster string) Voucher {
	if r.ClusterID.Value() == "" && (r.LabelID == "" || cluster == "") {
		return Voucher{Is: true}
	}
	return Voucher{Is: true, Created: r.Created, Unnamed: r.ClusterID.Value() == ""}
}

// Counts tells whether it counts for a record that names no cluster.
func (v Voucher) Counts(r *state.Record) bool {
	return v.Is && (v.Created == 0 || v.Created < r.Created || v.Unnamed && r.LabelID != "")
}

// Better tells whether it counts for more records than another.
func (v Voucher) Better(other Voucher) bool {
	return v.Is && (!other.Is || other.Created != 0 && (v.Created < other.Created || v.Unnamed && !other.Unnamed))
}

// With is what both together vouch by.
func (v Voucher) With(other Voucher) Voucher {
	switch {
	case !v.Is:
		return other
	case !other.Is:
		return v
	}
	return Voucher{true, min(v.Created, other.Created), v.Unnamed || other.Unnamed}
}

// Vouches tells whether the volume that is observed is one by which its cluster is vouched for better
// than before.
func (o *Observation) Vouches() bool {
	return o.Source.Presence == Present && o.Record != nil && o.Source.ClusterVerified && VoucherOf(o.Record, o.Source.Cluster).Better(o.Source.Voucher)
}
