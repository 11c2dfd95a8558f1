package policy

import "github.com/storageos/volume-sync-controller/pkg/controller/internal/state"

// Voucher is why the word of a cluster counts for records that name none: it has listed the volume of
// a record of the replaced program, or of an older one than they are. A record that was made for a
// volume of a cluster says nothing of those that were there before, which may be another's. Of a
// cluster that does not tell its name each record counts that names none: nobody can tell it from another.
type Voucher struct {
	Is      bool
	Created int64 // that record, in Unix seconds; 0 if it counts for all
	Unnamed bool  // one was recorded before a cluster told its name: it counts for others that name none
}

// origin is what a record was when this process first saw it. A hand may take a name and a label away, and a
// cluster refuse to tell its name, at any time: neither makes it another.
type origin byte

const (
	ofReplaced origin = iota + 1 // of the replaced program: it had neither a label nor a cluster
	ofUnnamed                    // recorded before a cluster told its name
	ofNamed                      // it named its cluster, or one had told its name before it was recorded
)

func (o *Observation) origin() origin {
	switch {
	case o.Record == nil:
		return 0
	case o.Memory.origin != 0:
		return o.Memory.origin
	case o.Record.ClusterID.Value() != "":
		return ofNamed
	case o.Record.LabelID == "":
		return ofReplaced
	case o.Source.Named:
		return ofNamed
	default:
		return ofUnnamed
	}
}

// Voucher is what the record of a listed volume vouches by, for the cluster that has listed it.
func (o *Observation) Voucher() Voucher {
	if o.Source.Presence != Present || o.Record == nil || !o.Source.ClusterVerified {
		return Voucher{}
	}
	by := Voucher{Is: true, Created: o.Record.Created}
	if o.Record.ClusterID.Value() == "" {
		from := o.origin()
		if by.Unnamed = from == ofUnnamed; from == ofReplaced || o.Source.Cluster == "" {
			return Voucher{Is: true}
		}
	}
	return by
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
