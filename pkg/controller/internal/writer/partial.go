package writer

import "github.com/storageos/volume-sync-controller/pkg/controller/internal/state"

// outlined tells whether a record's outline is enough to write to it. It is not if the
// record says what no outline does, if its spec differs, of which labels may have to go,
// or if host names are to be kept that only the record tells.
func (c *Change) outlined(known *state.Record) bool {
	return known.Plain && (c.Content == nil || known.SpecHash == c.SpecHash && c.Content.NamesHosts())
}

// unread is in the place of a value that is not known: it equals none.
type unread struct{}

// unreadContent are the fields of a status that the volume decides, none of which is known.
var unreadContent = map[string]any{
	"attachedOn": unread{}, "attachedOnHost": unread{}, "attachmentType": unread{}, "capacity": unread{},
	"replicas": unread{}, "volumeId": unread{},
	"master": map[string]any{
		"health": unread{}, "hostname": unread{}, "id": unread{}, "nodeID": unread{}, "promotable": unread{},
	},
}

// patchesOf are the patches of a record of which only the outline is known: what the
// volume decides of its status is written as a whole.
func (c *Change) patchesOf(known *state.Record) (patches, error) {
	from := known.Outline()
	if c.Content == nil {
		return c.patches(from, nil)
	}
	c.Content.Spec.DeepCopyInto(&from.Spec)
	return c.patches(from, unreadContent)
}
