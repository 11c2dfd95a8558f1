package record

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
)

// LabelPV is the label with which the CSI provisioner says for
// which PersistentVolume a volume was made.
const LabelPV = "csi.storage.k8s.io/pv/name"

const maxNameLength = 253

// Names are the names that a new record may take, the best first: that of the
// PersistentVolume whose handle names the volume, "" if there is none; that in the
// volume's label; the volume's own; one made from it and the ID. That of a PersistentVolume
// of another volume is left to the record of that one; names that Kubernetes would refuse
// are left out; the last is always legal. The first that is free is taken.
func Names(id, volumeName string, labels map[string]string, pvName string, others func(pvName string) bool) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) && len(validation.NameIsDNSSubdomain(name, false)) == 0 {
			names = append(names, name)
		}
	}
	add(pvName)
	for _, name := range []string{labels[LabelPV], volumeName} {
		if !others(name) {
			add(name)
		}
	}
	base, suffix := legalName(volumeName), legalName(id)
	if base == "" {
		base = "volume"
	}
	short := suffix
	if len(short) > 8 {
		short = short[:8]
	}
	add(withSuffix(base, short))
	add(withSuffix(base, suffix))
	return names
}

// withSuffix joins the two, the base cut to fit.
func withSuffix(base, suffix string) string {
	if room := maxNameLength - len(suffix) - 1; len(base) > room {
		base = base[:max(room, 0)]
	}
	// A cut may have left a dash or dot at the end.
	return strings.Trim(strings.TrimRight(base, "-.")+"-"+suffix, "-.")
}

// legalName makes the nearest legal object name out of any text, or "" if
// nothing of it can stay: lower case letters, digits, dashes and dots, with no
// part between two dots that begins or ends with a dash.
func legalName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, s)
	parts := strings.Split(s, ".")
	kept := parts[:0]
	for _, part := range parts {
		if part = strings.Trim(part, "-"); part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ".")
}
