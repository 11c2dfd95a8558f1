package controller

import (
	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Reasons of a record's conditions; see package record.
const (
	ReasonListed             = record.ReasonListed
	ReasonNotListed          = record.ReasonNotListed
	ReasonBound              = record.ReasonBound
	ReasonNoPersistentVolume = record.ReasonNoPersistentVolume
	ReasonUnclaimed          = record.ReasonUnclaimed
)

// Expected is what the record of a volume has to say of it, for whoever compares
// the two: without its PersistentVolume and conditions. Nodes gives the host
// names that the API did not send. The error says why the volume cannot be
// recorded.
func Expected(v *storageos.Volume, namespaceID string, nodes map[string]string) (v1.VolumeSpec, v1.VolumeStatus, error) {
	c, err := record.FromVolume(v, namespaceID, nodes)
	return c.Spec, c.Status, err
}
