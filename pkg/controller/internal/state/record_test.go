package state

import "testing"

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
