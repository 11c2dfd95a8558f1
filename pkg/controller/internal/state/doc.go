// Package state has a record, a PersistentVolume and the content of a volume in few bytes
// and comparable: what the caches hold and the decision reads. What it hashes can be
// compared within this process only.
package state
