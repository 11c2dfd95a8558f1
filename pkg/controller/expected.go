package controller

import (
	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Expected is what the record of a volume has to say of it, for whoever compares
// the two: without its PersistentVolume and conditions. Nodes gives the host
// names that the API did not send. The error says why the volume cannot be
// recorded.
func Expected(v *storageos.Volume, namespaceID string, nodes map[string]string) (v1.VolumeSpec, v1.VolumeStatus, error) {
	c, err := contentOf(v, namespaceID, nodes)
	return c.Spec, c.Status, err
}
