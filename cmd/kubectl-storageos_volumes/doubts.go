package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// doubts says what there is to be known before records are believed, a sentence each, "" if there is
// nothing.
func (c *cli) doubts(records []v1.Volume, h record.Heartbeat, err error, now time.Time) string {
	var age time.Duration
	if err == nil {
		age, err = h.Age(h.Completed, now)
	}
	bare := withoutStatus(records)
	if bare != "" {
		bare += ": where the copies are is not known."
	}
	if err != nil {
		return strings.TrimSpace(fmt.Sprintf("Whether the records are up to date cannot be told: %v. %s", err, bare))
	}
	are, lag, untrue := countRecords(records, h), lagOf(records, h), h.Invalid+h.Unwritten
	fewer := are.present+untrue < h.Volumes
	var said []string
	for _, doubt := range []struct {
		is       bool
		sentence string
	}{
		{isOld(h, now), fmt.Sprintf("StorageOS was last listed completely %v ago%s: records say at best how it was then.", age.Round(time.Second), byLease(c.controllerNamespace))},
		{lag != "", capital(lag) + "."},
		{fewer, fmt.Sprintf("StorageOS has listed %d volumes, and there are records of %d.", h.Volumes, are.present)},
		// That may also be one that went as it should, until the Lease is written again.
		{are.others && !fewer, "There are other records than the controller knew of when StorageOS was last listed: there may be more volumes."},
		{h.Held > 0, how(h.Held, "record is held, as its volume is neither listed", "records are held, as their volumes are neither listed") +
			" nor proven gone: the leader's status page says why."},
		{bare != "", bare},
		{are.claimless > 0, how(are.claimless, "record does", "records do") + " not say yet which claim uses the volume."},
		{are.elsewhere > 0, fmt.Sprintf("%s of another StorageOS cluster than the one that was listed, and %s how it was before.",
			how(are.elsewhere, "record is", "records are"), verb(are.elsewhere, "says", "say"))},
		{are.going > 0, how(are.going, "record is", "records are") + " being deleted and not kept true any more."},
		{untrue > 0, how(untrue, "volume or PersistentVolume is not recorded as it is", "volumes or PersistentVolumes are not recorded as they are") + " now."},
	} {
		if doubt.is {
			said = append(said, doubt.sentence)
		}
	}
	return strings.Join(said, " ")
}

// isOld tells whether the last complete listing was too long ago for records to be believed.
func isOld(h record.Heartbeat, now time.Time) bool {
	age, err := h.Age(h.Completed, now)
	return err == nil && age > record.Fresh
}

// byLease says which Lease tells of the listings: there may be another, of a controller elsewhere.
func byLease(namespace string) string {
	return " by the Lease in namespace " + namespace + " (--controller-namespace)"
}

// unplaced says that copies may be on any node, whichever is asked about, "" if none may.
func unplaced(records []v1.Volume) string {
	n := record.Unplaced(records)
	if n == 0 {
		return ""
	}
	return how(n, "volume has", "volumes have") + " a copy of which StorageOS does not say on which node it is: it may be on any."
}

// recordCounts counts the records that there are by what makes them be believed less.
type recordCounts struct {
	present   int  // volumes that a record shows as listed
	others    bool // than those of which the controller knew
	claimless int  // that do not say whose the volume is
	elsewhere int  // of another cluster than the one that was listed
	going     int  // being deleted
}

func countRecords(records []v1.Volume, h record.Heartbeat) recordCounts {
	named := slices.DeleteFunc(slices.Clone(records), func(r v1.Volume) bool { return identity(&r) == "" })
	are := recordCounts{others: record.SumOf(named, h.Completed) != h.Records} // the controller counts each of several of one volume
	present := slices.DeleteFunc(theirs(records), func(r v1.Volume) bool {
		return isElsewhere(&r, h) || isAbsent(&r) && !absentLater(&r, h.Completed)
	})
	are.present = len(present)
	for i := range records {
		r := &records[i]
		if isElsewhere(r, h) {
			are.elsewhere++
		}
		if r.DeletionTimestamp != nil {
			are.going++
		}
		if identity(r) != "" && !saysWhose(r) {
			are.claimless++
		}
	}
	return are
}

// lagOf says what was listed and may not be recorded, "" if there is nothing. That is judged by the
// listing: since then nothing was listed that could be recorded, as far as the Lease tells.
func lagOf(records []v1.Volume, h record.Heartbeat) string {
	if waits := record.Waiting(records, h); waits != "" && h.Recorded.IsZero() {
		return waits + "; meanwhile it cannot be told whether all else is recorded" // it may be nothing else
	}
	return record.Lag(h, h.Completed.Add(-h.Ahead))
}

// capital is a text as a sentence begins.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// isElsewhere tells whether a record is of another cluster than the one that was listed, and not kept
// true: whether its volume is there nobody knows.
func isElsewhere(r *v1.Volume, h record.Heartbeat) bool {
	named := r.Annotations[v1.AnnotationClusterID]
	return named != "" && h.Cluster != "" && named != h.Cluster
}

// notElsewhere are the records but for those.
func notElsewhere(records []v1.Volume, h record.Heartbeat) []v1.Volume {
	return slices.DeleteFunc(slices.Clone(records), func(r v1.Volume) bool { return isElsewhere(&r, h) })
}

// absentLater tells whether a record may have been marked after that listing, which has shown its volume.
func absentLater(r *v1.Volume, completed time.Time) bool {
	since, err := time.Parse(time.RFC3339, r.Annotations[v1.AnnotationAbsentSince])
	return err == nil && !since.Before(completed.Truncate(time.Second))
}
