package state

import (
	"slices"
	"testing"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		label, status string
		listed        string
		want          string
	}{
		"both agree":                    {"a", "a", "", "a"},
		"between the two writes":        {"a", "", "", "a"},
		"of the replaced program":       {"", "a", "", "a"},
		"edited: the label's is listed": {"a", "b", "a", "a"},
		"edited: the label's is not":    {"a", "b", "b", "b"},
		"not ours":                      {"", "", "", ""},
	} {
		r := &Record{LabelID: tc.label, StatusID: tc.status}
		if got := r.Identity(func(id string) bool { return id == tc.listed }); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// HasID knows the same IDs as IDs does.
func TestHasID(t *testing.T) {
	t.Parallel()
	ids := []string{"", "a", "b"}
	for _, label := range ids {
		for _, status := range ids {
			r, pv := &Record{LabelID: label, StatusID: status}, &PV{VolumeID: label}
			for _, id := range append(ids, "c") {
				if got, want := r.HasID(id), slices.Contains(r.IDs(), id); got != want {
					t.Errorf("record with label %q and status %q has ID %q: %v, want %v", label, status, id, got, want)
				}
				if got, want := pv.HasID(id), slices.Contains(pv.IDs(), id); got != want {
					t.Errorf("PersistentVolume of %q has ID %q: %v, want %v", label, id, got, want)
				}
			}
		}
	}
}
