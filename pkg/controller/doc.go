// Package controller keeps one record, a cluster-scoped Volume resource, in
// Kubernetes for each StorageOS volume.
//
// Data flows one way through it. A poller lists StorageOS and keeps what it
// learns in the view; shared informers keep PersistentVolumes and records.
// Whatever changes in one of the three puts the ID of its volume into a
// workqueue. A worker takes an ID, looks it up in the three (observe), decides
// what is to be done (policy) and has it done (save, remove).
//
// Below it are internal/state, a record, a PersistentVolume and the content of a volume in
// few bytes, comparable; and internal/policy, the decision, the rules of deletion and the
// breaker, which are pure; and internal/writer, which creates, patches and deletes records.
//
//	poller.go     when StorageOS is listed
//	lists.go      what a listing asks for, finding what changed
//	reading.go    one list of volumes, read into the view
//	view.go       what this process knows of StorageOS
//	cluster.go    which cluster answers
//	movement.go   when a request of a listing last began or ended
//	contents.go   volumes as listed or asked for, until a worker has recorded them
//	informers.go  what fills the caches of records and PersistentVolumes (trim.go), and counts them (counts.go)
//	index.go      finding what they hold by volume ID
//	unreadable.go PersistentVolumes whose handle names no volume
//	track.go      what is remembered of the volumes between two decisions
//	save.go       having a record written
//	caches.go     what the writer asks of the caches
//	refuse.go     what the API server will not take
//	unanswered.go finding out what a write has left whose answer did not come
//	undone.go     waiting where somebody undoes what is written
//	turns.go      what only so many volumes may do at a time
//	namewait.go   waiting for the name that a record should have
//	remove.go     proving that a volume is gone, deleting its record
//	crd.go        whether the CRD knows what was added (crdfields.go)
//	completion.go completing records when it has come to know it
//	events.go     what is said on the objects themselves
//	trouble.go    failures in the log, not too often
//	cycles.go     how long a listing took, until its last key was tried
//	concerns.go   what is orphaned or held, for people (status page)
//	expected.go   names of package record that were here
//	reconcile.go  observing one volume, deciding, having it done
//	listings.go   what follows from a listing's begin and end (listing_status.go)
//	sets.go       what waits for the next listing, what was said once
//	settings.go   what an operator can choose
//	reconciler.go the wiring, the workers
package controller
