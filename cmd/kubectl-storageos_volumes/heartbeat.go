package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// heartbeat reads what the controller says of its listings.
func (c *cli) heartbeat(ctx context.Context, kube kubernetes.Interface) (record.Heartbeat, error) {
	lease, err := kube.CoordinationV1().Leases(c.controllerNamespace).Get(ctx, record.HeartbeatName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return record.Heartbeat{}, fmt.Errorf("there is no Lease of the listings in namespace %s: the controller has not listed StorageOS completely yet, or runs elsewhere (--controller-namespace)", c.controllerNamespace)
	case apierrors.IsForbidden(err):
		return record.Heartbeat{}, fmt.Errorf("there is no right to get the Lease %s in namespace %s", record.HeartbeatName, c.controllerNamespace)
	case err != nil:
		return record.Heartbeat{}, fmt.Errorf("reading the Lease that says when StorageOS was last listed: %w", err)
	}
	return record.ReadHeartbeat(lease)
}

// recordsNow reads the records, and whether they are true now: warn says so, after what is shown, if
// they may not be. How old they are is asked first: the records may only be newer.
func (c *cli) recordsNow(ctx context.Context, kube kubernetes.Interface, client versioned.Interface) (records []v1.Volume, warn func(), err error) {
	h, unknown := c.heartbeat(ctx, kube)
	now := c.clock.now()
	if records, err = c.completeRecords(ctx, kube, client); err != nil {
		return nil, nil, err
	}
	said := doubts(records, h, unknown, now)
	return records, func() { c.warn(said) }, nil
}

// warn says what there is to be known before records are believed.
func (c *cli) warn(said string) {
	if said != "" {
		fmt.Fprintln(c.ErrOut, said)
	}
}

// doubts says what there is to be known before records are believed, "" if there is nothing.
func doubts(records []v1.Volume, h record.Heartbeat, err error, now time.Time) string {
	var age time.Duration
	if err == nil {
		age, err = record.Age(h.Completed, now)
	}
	if err != nil {
		return fmt.Sprintf("Whether the records are up to date cannot be told: %v.", err)
	}
	var said []string
	if age > record.Fresh {
		said = append(said, fmt.Sprintf("StorageOS was last listed completely %v ago: records say at best how it was then.", age.Round(time.Second)))
	}
	present := slices.DeleteFunc(theirs(records), func(r v1.Volume) bool {
		return isElsewhere(&r, h) || isAbsent(&r) && !absentLater(&r, h.Completed)
	})
	lag := record.Lag(h, h.Completed)
	if waits := record.Waiting(records); waits != "" && h.Recorded.IsZero() {
		lag = waits + "; meanwhile it cannot be told whether all else is recorded" // it may be nothing else
	}
	if lag != "" {
		said = append(said, strings.ToUpper(lag[:1])+lag[1:]+".")
	}
	if len(present)+h.Invalid+h.Unwritten < h.Volumes { // their sum would tell of each that went as it should, too
		said = append(said, fmt.Sprintf("StorageOS has listed %d volumes, and there are records of %d.", h.Volumes, len(present)))
	}
	if n := h.Held; n > 0 {
		said = append(said, how(n, "record is held, as its volume is neither listed", "records are held, as their volumes are neither listed")+
			" nor proven gone: the leader's status page says why.")
	}
	others, going, bare := 0, 0, 0
	for i := range records {
		if isElsewhere(&records[i], h) {
			others++
		}
		if records[i].DeletionTimestamp != nil {
			going++
		}
		if identity(&records[i]) != "" && !saysWhose(&records[i]) {
			bare++
		}
	}
	if bare > 0 {
		said = append(said, how(bare, "record does", "records do")+" not say yet which claim uses the volume.")
	}
	if others > 0 {
		said = append(said, fmt.Sprintf("%s of another StorageOS cluster than the one that was listed, and %s how it was before.",
			how(others, "record is", "records are"), verb(others, "says", "say")))
	}
	if going > 0 {
		said = append(said, how(going, "record is", "records are")+" being deleted and not kept true any more.")
	}
	if n := h.Invalid + h.Unwritten; n > 0 {
		said = append(said, how(n, "volume or PersistentVolume is not recorded as it is", "volumes or PersistentVolumes are not recorded as they are")+" now.")
	}
	return strings.Join(said, " ")
}

// isElsewhere tells whether a record is of another cluster than the one that was listed, and not kept
// true: whether its volume is there nobody knows.
func isElsewhere(r *v1.Volume, h record.Heartbeat) bool {
	named := r.Annotations[v1.AnnotationClusterID]
	return named != "" && h.Cluster != "" && named != h.Cluster
}

// absentLater tells whether a record may have been marked after that listing, which has shown its volume.
func absentLater(r *v1.Volume, completed time.Time) bool {
	since, err := time.Parse(time.RFC3339, r.Annotations[v1.AnnotationAbsentSince])
	return err == nil && !since.Before(completed.Truncate(time.Second))
}
