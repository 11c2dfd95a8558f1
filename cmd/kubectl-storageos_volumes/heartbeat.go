package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

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

// warn says if records that are shown are old, or if nobody says how old they are.
func (c *cli) warn(ctx context.Context, kube kubernetes.Interface) {
	h, err := c.heartbeat(ctx, kube)
	if said := doubts(h, err, c.clock.now()); said != "" {
		fmt.Fprintln(c.ErrOut, said)
	}
}

// doubts says what there is to be known before records are believed, "" if there is nothing.
func doubts(h record.Heartbeat, err error, now time.Time) string {
	var age time.Duration
	if err == nil {
		age, err = record.Age(h.Completed, now)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("Whether the records are up to date cannot be told: %v.", err)
	case age > record.Fresh:
		return fmt.Sprintf("StorageOS was last listed completely %v ago: records say how it was then.", age.Round(time.Second))
	}
	return ""
}
