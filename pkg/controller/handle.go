package controller

import "strings"

// parseHandle takes the volumeHandle of a PersistentVolume of StorageOS apart:
// "<namespace ID>/<volume ID>", as the CSI driver writes it. It reports false
// for anything else, such as a handle that somebody made up for a static
// PersistentVolume.
func parseHandle(handle string) (namespaceID, volumeID string, ok bool) {
	namespaceID, volumeID, ok = strings.Cut(handle, "/")
	if !ok || namespaceID == "" || volumeID == "" || strings.Contains(volumeID, "/") {
		return "", "", false
	}
	return namespaceID, volumeID, true
}
