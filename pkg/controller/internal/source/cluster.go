package source

import (
	"context"
	"fmt"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// answer is what /cluster has answered.
type answer struct {
	cluster string // its ID, "" if it was refused
}

// askCluster asks which cluster answers. The view hears of each that is named: one
// answer of another cluster is enough for nothing to be watched any more.
func askCluster(ctx context.Context, api storageos.Lister, v *View) (answer, error) {
	id, err := api.Cluster(ctx)
	switch {
	case storageos.IsForbidden(err), err == nil && id == "":
		return answer{}, nil
	case err != nil:
		return answer{}, fmt.Errorf("asking for the cluster: %w", err)
	default:
		v.heard(id)
		return answer{id}, nil
	}
}

// agrees is nil if the same cluster has answered twice. A refusal names no cluster, but
// two of them do: "unnamed", which is a cluster like another.
func (a answer) agrees(later answer, v *View) error {
	if a != later {
		return fmt.Errorf("%q before, %q after", a.cluster, later.cluster)
	}
	if a.cluster == "" {
		v.heard("")
	}
	return nil
}
