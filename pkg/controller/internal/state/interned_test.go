package state

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestPackUID(t *testing.T) {
	t.Parallel()
	for text, bytes := range map[types.UID]int{
		"":                                     0,
		"c6066eef-2b51-435f-8a7f-516c34dfa082": 17,
		"C6066EEF-2B51-435F-8A7F-516C34DFA082": 36, // another text
		"{c6066eef-2b51-435f-8a7f-516c34dfa0}": 36,
		"not-a-uuid":                           10,
		"seventeen--bytes-":                    17,
	} {
		packed := PackUID(text)
		if packed.Unpack() != text || len(packed) != bytes {
			t.Errorf("%q is packed in %d bytes, want %d, and unpacked as %q", text, len(packed), bytes, packed.Unpack())
		}
	}
}
