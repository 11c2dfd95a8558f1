// Package cache knows what Kubernetes has: shared informers of PersistentVolumes and records,
// which keep them in few bytes and find them by the ID of their volume. Whoever uses it is
// told of each change by functions that it gives.
package cache
