// Package controller keeps one record, a cluster-scoped Volume resource, in
// Kubernetes for each StorageOS volume.
//
// Data flows one way through it. A poller lists StorageOS and keeps what it
// learns in the view; shared informers keep PersistentVolumes and records.
// Whatever changes in one of the three puts the ID of its volume into a
// workqueue. A worker takes an ID, looks it up in the three (observe), decides
// what is to be done (decide, a pure function) and does it (save, remove).
//
//	poller.go     listing StorageOS, finding what changed
//	view.go       what this process knows of StorageOS
//	pv.go         the cache of PersistentVolumes
//	record.go     the cache of records
//	content.go    volume -> what its record should say of it
//	state.go      PersistentVolume and presence -> what its record should say of them
//	decide.go     the three together -> what to do
//	rules.go      when a record may be deleted
//	save.go       creating and patching a record
//	remove.go     proving that a volume is gone, deleting its record
//	reconciler.go the wiring, the workers
package controller
