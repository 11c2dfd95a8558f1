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
		return record.Heartbeat{}, fmt.Errorf("the controller has not listed StorageOS completely yet, or does not run in namespace %s (--controller-namespace)", c.controllerNamespace)
	case err != nil:
		return record.Heartbeat{}, fmt.Errorf("reading the Lease that says when StorageOS was last listed: %w", err)
	}
	return record.ReadHeartbeat(lease)
}

// warn says if records that are shown are old. Who may not read that is not told: the records
// are what was asked for.
func (c *cli) warn(ctx context.Context, kube kubernetes.Interface) {
	if h, err := c.heartbeat(ctx, kube); err == nil {
		if said := doubts(h, nil, c.clock.now()); said != "" {
			fmt.Fprintln(c.ErrOut, said)
		}
	}
}

// doubts says what there is to be known before records are believed, "" if there is nothing.
func doubts(h record.Heartbeat, err error, now time.Time) string {
	switch age := now.Sub(h.Completed); {
	case err != nil:
		return fmt.Sprintf("Whether the records are up to date cannot be told: %v.", err)
	case age > record.Fresh:
		return fmt.Sprintf("StorageOS was last listed completely %v ago: records say how it was then.", age.Round(time.Second))
	}
	return ""
}
