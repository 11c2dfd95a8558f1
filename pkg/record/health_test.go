package record

import (
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

func TestHealthOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replicas int
		master   string
		listed   []string
		health   v1.Health
		ready    string
	}{
		"alone":                          {0, "online", nil, v1.HealthHealthy, "1/1"},
		"all ready":                      {2, "online", []string{"ready", "ready"}, v1.HealthHealthy, "3/3"},
		"one syncs":                      {2, "online", []string{"ready", "syncing"}, v1.HealthDegraded, "2/3"},
		"one is not there":               {2, "online", []string{"ready"}, v1.HealthDegraded, "2/3"},
		"master offline":                 {1, "offline", []string{"ready"}, v1.HealthOffline, "1/2"},
		"master unknown":                 {1, "unknown", []string{"ready"}, v1.HealthUnknown, "1/2"},
		"no label: listed are wanted":    {-1, "online", []string{"ready", "failed", "deleted"}, v1.HealthDegraded, "2/3"},
		"no label, no replicas":          {-1, "online", nil, v1.HealthHealthy, "1/1"},
		"a label beats what is listed":   {1, "online", []string{"ready", "deleted"}, v1.HealthHealthy, "2/2"},
		"a state that we do not know":    {0, "resting", nil, v1.HealthUnknown, "0/1"},
		"more ready than wanted is fine": {0, "online", []string{"ready"}, v1.HealthHealthy, "2/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var listed []v1.Replica
			for _, h := range tc.listed {
				listed = append(listed, v1.Replica{Health: h})
			}
			health, ready := healthOf(tc.replicas, &v1.Master{Health: tc.master}, listed)
			if health != tc.health || ready != tc.ready {
				t.Errorf("%s %s, want %s %s", health, ready, tc.health, tc.ready)
			}
		})
	}
}
