package record

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The heartbeat of truth: a Lease that says until when records are known to be true, for
// whoever must know whether they can be believed. It is nobody's lock.
const (
	HeartbeatName = "storageos-volume-sync-listing"
	// annotationHeld and annotationInvalid are annotations of the Lease.
	annotationHeld    = "api.storageos.com/held"
	annotationInvalid = "api.storageos.com/invalid"
	// Versions before 0.2.0 write none of these.
	annotationUnwritten = "api.storageos.com/unwritten"
	annotationVolumes   = "api.storageos.com/volumes"
	annotationRecords   = "api.storageos.com/records"
	annotationRecorded  = "api.storageos.com/recorded"
	annotationKept      = "api.storageos.com/kept"
	// annotationWritten is when it was written, by the controller's clock: later than the listing ended
	// if something else has changed. Without it the Lease is as good as written when that ended.
	annotationWritten = "api.storageos.com/written"
	// unnamed is the holder while StorageOS refuses to tell its cluster: a Lease has no
	// empty one.
	unnamed = "unnamed"
)

// Heartbeat is what that Lease says.
type Heartbeat struct {
	Cluster   string    // which StorageOS cluster was listed, empty if it does not tell
	Completed time.Time // when the last complete listing ended
	Held      int       // records that the rules of deletion hold back
	Invalid   int       // what cannot be recorded
	Unwritten int       // volumes and PersistentVolumes of which what is known could not be written
	Volumes   int       // volumes that the last complete listing has shown
	Records   Sum       // the records that there were then, as the controller knew
	// Recorded is the begin of a complete listing: what it has shown, or something newer, is in
	// the records, but for those that the numbers above count. The zero time: of none, as long as
	// what was listed first is not in them, or one has gone that is to be made again.
	Recorded time.Time
	// Kept are the records of volumes that are proven gone, while deletions are switched off.
	Kept Sum
	// Ahead is by how much the controller's clock is ahead of the API server's at least, as far as
	// the Lease that was read tells: by a clock that is ahead, what is old would be new.
	Ahead time.Duration
}

// Write writes it into the Lease now, and nothing else that somebody may have written there.
func (h Heartbeat) Write(lease *coordinationv1.Lease, now time.Time) {
	holder := cmp.Or(h.Cluster, unnamed)
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &metav1.MicroTime{Time: h.Completed}}
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationHeld, strconv.Itoa(h.Held))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationInvalid, strconv.Itoa(h.Invalid))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationUnwritten, strconv.Itoa(h.Unwritten))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationVolumes, strconv.Itoa(h.Volumes))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationRecords, strconv.FormatUint(uint64(h.Records), 10))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationKept, strconv.FormatUint(uint64(h.Kept), 10))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationRecorded, h.Recorded.UTC().Format(metav1.RFC3339Micro))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, annotationWritten, now.UTC().Format(metav1.RFC3339Micro))
}

// ReadHeartbeat reads it off the Lease. What cannot be read is an error: nothing may be
// concluded from half of it.
func ReadHeartbeat(lease *coordinationv1.Lease) (Heartbeat, error) {
	if lease.Spec.RenewTime == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return Heartbeat{}, fmt.Errorf("the Lease %s says of no complete listing when it ended, or of which cluster", HeartbeatName)
	}
	h := Heartbeat{Cluster: *lease.Spec.HolderIdentity, Completed: lease.Spec.RenewTime.Time}
	if h.Cluster == unnamed {
		h.Cluster = ""
	}
	for _, name := range []string{annotationUnwritten, annotationVolumes, annotationRecords, annotationRecorded, annotationKept} {
		if _, ok := lease.Annotations[name]; !ok {
			return Heartbeat{}, fmt.Errorf("the Lease %s has no annotation %s, as one that a controller before 0.2.0 writes", HeartbeatName, name)
		}
	}
	for name, n := range map[string]*int{
		annotationHeld: &h.Held, annotationInvalid: &h.Invalid, annotationUnwritten: &h.Unwritten, annotationVolumes: &h.Volumes,
	} {
		var err error
		if *n, err = strconv.Atoi(lease.Annotations[name]); err != nil || *n < 0 {
			return Heartbeat{}, fmt.Errorf("the annotation %s of the Lease %s is %q, not a number", name, HeartbeatName, lease.Annotations[name])
		}
	}
	for name, sum := range map[string]*Sum{annotationRecords: &h.Records, annotationKept: &h.Kept} {
		n, err := strconv.ParseUint(lease.Annotations[name], 10, 64)
		if err != nil {
			return Heartbeat{}, fmt.Errorf("the annotation %s of the Lease %s is %q, not a sum", name, HeartbeatName, lease.Annotations[name])
		}
		*sum = Sum(n)
	}
	written := h.Completed
	for name, at := range map[string]*time.Time{annotationRecorded: &h.Recorded, annotationWritten: &written} {
		value, ok := lease.Annotations[name]
		if !ok {
			continue
		}
		var err error
		if *at, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return Heartbeat{}, fmt.Errorf("the annotation %s of the Lease %s is %q, not a time", name, HeartbeatName, value)
		}
	}
	if h.Completed.After(written) {
		written = h.Completed // that was of before, and who wrote since does not know it
	}
	h.Ahead = ahead(lease, written)
	return h, nil
}

// ahead is by how much the Lease was written later by the controller's clock than the API server notes.
// Its note is in whole seconds, and of the last one who wrote anything there.
func ahead(lease *coordinationv1.Lease, written time.Time) time.Duration {
	var noted time.Time
	for _, by := range lease.ManagedFields {
		if by.Time != nil && by.Time.After(noted) {
			noted = by.Time.Time
		}
	}
	if noted.IsZero() {
		return 0
	}
	return max(0, written.Sub(noted.Add(time.Second)))
}
