package state

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// A UID is told from each other one, and has its text, whatever that is.
func TestUID(t *testing.T) {
	t.Parallel()
	known := map[UID]types.UID{}
	for _, text := range []types.UID{
		"", "c6066eef-2b51-435f-8a7f-516c34dfa082", "C6066EEF-2B51-435F-8A7F-516C34DFA082",
		"{c6066eef-2b51-435f-8a7f-516c34dfa082}", "c6066eef2b51435f8a7f516c34dfa082", "not-a-uuid", "not-a-uuid either",
		"00000000-0000-0000-0000-000000000001",
	} {
		u := UIDOf(text)
		if was, ok := known[u]; ok {
			t.Errorf("%q is taken for %q", text, was)
		}
		if known[u] = text; u.Text() != text || UIDOf(text) != u {
			t.Errorf("%q has come to be %q", text, u.Text())
		}
	}
	if (UIDOf("") != UID{}) {
		t.Error("no UID is one")
	}
}

// Of a claim, whose UID somebody may have written, only a UUID is kept.
func TestClaimUID(t *testing.T) {
	t.Parallel()
	const uuid = "c6066eef-2b51-435f-8a7f-516c34dfa082"
	if got := claimUID(uuid).Text(); got != uuid {
		t.Errorf("%q has come to be %q", uuid, got)
	}
	for _, text := range []types.UID{"", "no UUID of a claim", uuid + " "} {
		if claimUID(text) != (UID{}) {
			t.Errorf("%q is kept", text)
		}
	}
	otherTexts.Range(func(_, text any) bool {
		if text == types.UID("no UUID of a claim") {
			t.Error("its text is kept")
		}
		return true
	})
}
