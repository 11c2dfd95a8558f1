package source

import v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

// Unwell are the volumes that are listed and not healthy, by ID. One that cannot be recorded
// is not among them: nobody knows how it is.
func (v *View) Unwell() map[string]v1.Health {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.health[v1.HealthDegraded]+v.health[v1.HealthOffline]+v.health[v1.HealthUnknown] == 0 {
		return nil // mostly so: nothing is gone through
	}
	unwell := map[string]v1.Health{}
	for id, e := range v.volumes {
		if health := e.Health.Value().Health; e.rev != nil && e.invalid.Value() == "" && health != v1.HealthHealthy {
			unwell[id] = health
		}
	}
	return unwell
}
