// Package policy decides what is to be done about one volume, out of what StorageOS and
// Kubernetes are known to say of it and of what is remembered. It does no I/O, reads no
// clock and holds no lock: the same values lead to the same decision.
//
//	decide.go    the decision: Decide, by whether the volume is present, absent or unknown
//	observed.go  what StorageOS is known to say of it
//	rules.go     the rules of deletion
//	voucher.go   whose word counts for records that name no cluster
//	watch.go     watched time
//	breaker.go   too many absences at once
//	memory.go    what is remembered of one volume
//	after.go     what to remember of what became of a decision; Confirms
//	doubt.go     writes that were not answered
//	pace.go      waiting where somebody undoes what is written
//	mark.go      marks that have to wait for others
//	name.go      names that have to be waited for
//	unclaimed.go volumes and PersistentVolumes without each other
//	behind.go    whether a record is known to be right
//	event.go     what is to be said
package policy
