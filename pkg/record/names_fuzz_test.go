package record

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
)

// Whatever a volume is called, its record can have a name: legal, made from the
// ID at last, and another one for another ID.
func FuzzRecordNames(f *testing.F) {
	f.Add("c6066eef-2b51-435f-8a7f-516c34dfa082", "pvc-1", "pvc-1")
	f.Add("c6066eef-2b51-435f-8a7f-516c34dfa082", "-a..b.-", "")
	f.Add("x", strings.Repeat("a.", 200), "🦊")
	f.Fuzz(func(t *testing.T, id, volume, label string) {
		if legalName(id) == "" || len(id) > 63 {
			return // refused before: it could not be the value of a label
		}
		names := Names(id, volume, map[string]string{LabelPV: label}, label, func(string) bool { return false })
		if len(names) == 0 {
			t.Fatal("no name")
		}
		for _, name := range names {
			if errs := validation.NameIsDNSSubdomain(name, false); len(errs) > 0 {
				t.Errorf("name %q: %v", name, errs)
			}
		}
		if last := names[len(names)-1]; !strings.HasSuffix(last, legalName(id)) {
			t.Errorf("the last name %q does not end with the ID", last)
		}
	})
}
