package record

import (
	"strings"
	"unicode"
)

// ParseHandle takes the volumeHandle of a PersistentVolume of StorageOS apart:
// "<namespace ID>/<volume ID>", as the CSI driver writes it. It reports false
// for anything else, such as a handle that somebody made up for a static
// PersistentVolume. No ID holds white space: one that looked as if would be missed for ever.
func ParseHandle(handle string) (namespaceID, volumeID string, ok bool) {
	namespaceID, volumeID, ok = strings.Cut(handle, "/")
	if !ok || strings.ContainsFunc(handle, unreadableRune) || namespaceID == "" || volumeID == "" || strings.Contains(volumeID, "/") {
		return "", "", false
	}
	return namespaceID, volumeID, true
}

func unreadableRune(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
