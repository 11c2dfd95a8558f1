package controller

import "testing"

// A message begins with a capital letter, if it begins with a letter.
func TestCapitalized(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a": "A", "it is": "It is", "1 of 2": "1 of 2", "über": "Über", "\xff is no character": "\xff is no character",
	} {
		if got := capitalized(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
