// Package controller keeps one record, a cluster-scoped Volume resource, in
// Kubernetes for each StorageOS volume.
//
// Data flows one way through it. A poller lists StorageOS and keeps what it
// learns in the view; shared informers keep PersistentVolumes and records.
// Whatever changes in one of the three puts the ID of its volume into a
// workqueue; of those that a listing tells only the ones of which something is
// to be done. A worker takes an ID, looks it up in the three (observe), decides
// what is to be done (policy) and has it done (save, remove).
//
// Below it, each knowing at most some of those above it in this list:
//
//	internal/state   a record, a PersistentVolume and the content of a volume, in few bytes
//	internal/policy  the decision about one volume and the rules of deletion, which are pure
//	internal/cache   what Kubernetes has: informers, and finding what they hold by volume ID
//	internal/source  what StorageOS has: the poller, the view, questions by ID
//	internal/writer  creating, patching and deleting records
//
// And here, the way of an ID first:
//
//	reconciler.go the wiring, the workers
//	listings.go   what follows from a listing's begin and end (listing_status.go)
//	changes.go    what follows from a change of a record or a PersistentVolume
//	reconcile.go  observing one volume, deciding, having it done
//	save.go       having a record written
//	remove.go     proving that a volume is gone, deleting its record
//	tracker.go    what is remembered of the volumes between two decisions
//	recheck.go    what waits for the next listing
//	caches.go     what the writer asks of the caches
//	early.go      having volumes read of which Kubernetes tells something
//	refuse.go     what the API server will not take
//	unanswered.go finding out what a write has left whose answer did not come
//	undone.go     waiting where somebody undoes what is written
//	turns.go      what only so many volumes may do at a time
//	namewait.go   waiting for the name that a record should have
//	backlog.go    what is not recorded yet, and since when
//	failing.go    what cannot be written, again and again
//	crd.go        whether the CRD keeps all that is written
//	completion.go completing records when the CRD has come to keep it
//	events.go     what is said on the objects themselves
//	errorlog.go   failures in the log, not too often
//	cycles.go     how long a listing took, until its last key was tried
//	concerns.go   what is orphaned or held, for people (status page)
//	worst.go      which of those have room
//	expected.go   what a record should say, for embedders; the rest is in package record
//	settings.go   what an operator can choose
package controller
