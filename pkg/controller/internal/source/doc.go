// Package source knows what StorageOS has: a poller lists it, the view keeps what the lists
// have shown, as hashes, and an asker asks for single volumes. Whoever uses it is told which
// volumes are new, changed or gone by functions that it gives.
package source
