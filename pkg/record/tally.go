package record

import (
	"fmt"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// young is how old a record must be when a listing ends to be in its sum: of one that was made
// later the controller may not have been told yet.
const young = 10 * time.Second

// Sum is of the records that describe volumes and were made well before a listing ended. With one
// more, one less, or another in the place of one it is another. Those that come later do not
// change it, so that it can be compared while volumes are made all the time.
type Sum uint64

// SumOfOne is the sum of one record.
func SumOfOne(uid types.UID) Sum {
	h := fnv.New64a()
	_, _ = h.Write([]byte(uid)) // never fails
	return Sum(h.Sum64())
}

// TooYoung tells whether a record that was made at that time, in Unix seconds, is not in the sum of
// the listing that was completed then.
func TooYoung(created int64, completed time.Time) bool {
	return created > completed.Add(-young).Unix()
}

// SumOf is the sum of records for the listing that was completed then.
func SumOf(records []v1.Volume, completed time.Time) (s Sum) {
	for i := range records {
		if !TooYoung(records[i].CreationTimestamp.Unix(), completed) {
			s += SumOfOne(records[i].UID)
		}
	}
	return s
}

// Tally is why it seems that not all records are there, "" if they are. Each of them describes
// another volume. The controller's watch may not have told it that one has gone, and then nothing
// but their sum does: what has come meanwhile can make good the number. What has been listed just
// now is recorded in a moment, and a record that somebody has deleted is made again. Where there
// are other doubts the numbers differ for their reasons. A volume that is absent was not listed.
func Tally(records []v1.Volume, h Heartbeat) string {
	present := 0
	for i := range records {
		if records[i].Annotations[v1.AnnotationAbsentSince] == "" {
			present++
		}
	}
	switch {
	case present < h.Volumes:
		return fmt.Sprintf("StorageOS has listed %s, and there are records of %d", count(h.Volumes, "volume", "volumes"), present)
	case SumOf(records, h.Completed) != h.Records:
		return "there are other records than the controller knew of when StorageOS was last listed"
	}
	return ""
}
