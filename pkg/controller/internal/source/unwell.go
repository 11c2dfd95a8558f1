package source

import (
	"iter"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Unwell are the volumes that are listed and not healthy, by ID, in no order. One that cannot be
// recorded is not among them: nobody knows how it is. The view is locked meanwhile: whoever
// goes through them must be quick and must not call back.
func (v *View) Unwell() iter.Seq2[string, v1.Health] {
	return func(yield func(string, v1.Health) bool) {
		v.mu.RLock()
		defer v.mu.RUnlock()
		if v.health[v1.HealthDegraded]+v.health[v1.HealthOffline]+v.health[v1.HealthUnknown] == 0 {
			return // mostly so: nothing is gone through
		}
		for id, e := range v.volumes {
			health := e.Health.Value().Health
			if e.rev != nil && e.invalid.Value() == "" && health != v1.HealthHealthy && !yield(id, health) {
				return
			}
		}
	}
}
