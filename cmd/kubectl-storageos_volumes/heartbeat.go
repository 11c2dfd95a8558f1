package main

import (
	"context"
	"fmt"
	"slices"

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
		return record.Heartbeat{}, fmt.Errorf("there is no right to get the Lease %s in namespace %s, which the ClusterRole storageos-volume-sync-on-call has", record.HeartbeatName, c.controllerNamespace)
	case err != nil:
		return record.Heartbeat{}, fmt.Errorf("reading the Lease that says when StorageOS was last listed: %w", err)
	}
	return record.ReadHeartbeat(lease)
}

// recordsNow reads what the controller says of its listings, and the records, and whether they are true
// now: warn says so, after what is shown, if they may not be. How old they are is asked first: the
// records may only be newer. How old they are is judged when it is said: CSINodes may take long.
func (c *cli) recordsNow(ctx context.Context, kube kubernetes.Interface, client versioned.Interface) (records []v1.Volume, h record.Heartbeat, warn func(), err error) {
	h, unknown := c.heartbeat(ctx, kube)
	if records, err = c.completeRecords(ctx, kube, client); err != nil {
		return nil, h, nil, err
	}
	all := slices.Clone(records) // who asks leaves some out
	return records, h, func() { c.warn(c.doubts(all, h, unknown, c.clock.now())) }, nil
}

// warn says what there is to be known before records are believed.
func (c *cli) warn(said string) {
	if said != "" {
		fmt.Fprintln(c.ErrOut, said)
	}
}
