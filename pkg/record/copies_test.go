package record

import (
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Copies are the same if they are, on each node, as they were.
func TestSameCopies(t *testing.T) {
	t.Parallel()
	is := vol("v", "a online", []string{"b ready", "c syncing"}, "")
	for name, tc := range map[string]struct {
		master   string
		replicas []string
		want     bool
	}{
		"the same":                      {"a online", []string{"b ready", "c syncing"}, true},
		"in another order":              {"a online", []string{"c syncing", "b ready"}, true},
		"with one that is deleted":      {"a online", []string{"b ready", "c syncing", "d deleted"}, true},
		"the master is on another":      {"d online", []string{"b ready", "c syncing"}, false},
		"the master is not well":        {"a offline", []string{"b ready", "c syncing"}, false},
		"a replica is on another":       {"a online", []string{"d ready", "c syncing"}, false},
		"a replica is well":             {"a online", []string{"b ready", "c ready"}, false},
		"a replica may not take over":   {"a online", []string{"b ready!", "c syncing"}, false},
		"a replica is not there":        {"a online", []string{"b ready"}, false},
		"a replica is there twice":      {"a online", []string{"b ready", "b ready", "c syncing"}, false},
		"the master is not there":       {"", []string{"a online", "b ready", "c syncing"}, false},
		"a replica and the master swap": {"b ready", []string{"a online", "c syncing"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := vol("v", tc.master, tc.replicas, "")
			for i := range other.Status.Replicas {
				other.Status.Replicas[i].Hostname = "another name"
			}
			if got := SameCopies(&is.Status, &other.Status); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

// A volume counts once, and a copy that is deleted is nowhere.
func TestUnplaced(t *testing.T) {
	t.Parallel()
	headless := vol("v4", "", nil, "")
	headless.Status.VolumeID = "v4"
	for want, records := range [][]v1.Volume{
		{vol("v1", "a online", []string{"b ready"}, ""), vol("v2", "a online", []string{"? deleted"}, ""), vol("v3", "", nil, "")},
		{vol("v1", "? online", []string{"? ready"}, ""), vol("v2", "a online", nil, "")},
		{vol("v1", "? online", nil, ""), vol("v2", "a online", []string{"? failed"}, "")},
		{vol("v1", "? online", nil, ""), vol("v2", "? online", nil, ""), vol("v3", "", nil, ""), headless},
	} {
		if got := Unplaced(records); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}
