// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
)

// The labels that the CSI provisioner puts on a volume, and the one that asks
// for replicas.
const (
	LabelPVName       = "csi.storage.k8s.io/pv/name"
	LabelPVCName      = "csi.storage.k8s.io/pvc/name"
	LabelPVCNamespace = "csi.storage.k8s.io/pvc/namespace"
	LabelReplicas     = "storageos.com/replicas"
)

// FillOptions say how large a population is. The JSON names are those of the
// admin interface.
type FillOptions struct {
	Namespaces int `json:"namespaces"` // to add; 0: use those there are
	Nodes      int `json:"nodes"`      // to add; 0: use those there are
	Volumes    int `json:"volumes"`    // spread over all namespaces in turn

	// CSI is how many of the volumes look as if the CSI driver had made them;
	// the rest look as if somebody had made them by hand, with no csi labels
	// and a name of their own. Negative: all.
	CSI int `json:"csi"`
}

// Filled is what Fill made of one volume: enough to make the PersistentVolume
// that goes with it, whose handle is NamespaceID/ID and whose name is Name.
type Filled struct {
	NamespaceID   string `json:"namespaceID"`
	NamespaceName string `json:"namespaceName"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	PVCName       string `json:"pvcName,omitempty"`      // empty: made by hand
	PVCNamespace  string `json:"pvcNamespace,omitempty"` // as NamespaceName
	SizeBytes     uint64 `json:"sizeBytes"`
	FSType        string `json:"fsType"`
	Replicas      int    `json:"replicas"`
}

// Handle returns the volume handle of the PersistentVolume.
func (f Filled) Handle() string { return f.NamespaceID + "/" + f.ID }

// Fill adds a realistic population and tells what it made, in the order in which
// it was added: volumes of whole GiB, with no, one or two replicas, about half
// of them attached, on ext4 or xfs. If there is no namespace to use it adds one.
// With one seed it makes the same population.
func (s *Simulator) Fill(options FillOptions) []Filled {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for range options.Nodes {
		s.addNode(fmt.Sprintf("node-%02d", len(s.state.nodes)+1))
	}
	for range options.Namespaces {
		s.addNamespace(fmt.Sprintf("team-%02d", len(s.state.namespaces)+1))
	}
	if len(s.state.namespaces) == 0 && options.Volumes > 0 {
		s.addNamespace("default")
	}
	csi := options.CSI
	if csi < 0 || csi > options.Volumes {
		csi = options.Volumes
	}
	made := make([]Filled, 0, options.Volumes)
	for i := range options.Volumes {
		ns := s.state.namespaces[i%len(s.state.namespaces)]
		made = append(made, s.fillOne(ns, i < csi))
	}
	return made
}

// fillOne wants the state locked.
func (s *Simulator) fillOne(ns *namespace, csi bool) Filled {
	random := s.state.ids.rand
	number := len(ns.volumes) + 1
	f := Filled{
		NamespaceID:   ns.ID,
		NamespaceName: ns.Name,
		SizeBytes:     uint64(2+random.IntN(63)) << 30, // the specification's minimum is a little above 1 GiB
		FSType:        pick(random, "ext4", "ext4", "xfs"),
		Replicas:      random.IntN(3),
	}
	labels := map[string]string{LabelReplicas: strconv.Itoa(f.Replicas)}
	if csi {
		f.Name = "pvc-" + s.state.ids.uuid()
		f.PVCName = fmt.Sprintf("data-%s-%d", pick(random, "postgres", "kafka", "redis", "mongo"), number)
		f.PVCNamespace = ns.Name
		maps.Copy(labels, map[string]string{
			LabelPVName: f.Name, LabelPVCName: f.PVCName, LabelPVCNamespace: f.PVCNamespace,
		})
	} else {
		f.Name = fmt.Sprintf("by-hand-%d", number)
	}
	spec := VolumeSpec{
		Name: f.Name, Labels: labels, FSType: f.FSType, SizeBytes: f.SizeBytes, Replicas: f.Replicas,
	}
	// Volumes are used on the node of their master, as far as the scheduler can.
	if nodes := s.state.nodes; len(nodes) > 0 && random.IntN(2) == 0 {
		node := nodes[random.IntN(len(nodes))]
		spec.MasterNodeID, spec.AttachedOn = node.ID, node.ID
	}
	v := s.newVolume(ns.ID, spec)
	s.put(ns, v)
	f.ID = v.ID
	return f
}

func pick(random *rand.Rand, choices ...string) string {
	return choices[random.IntN(len(choices))]
}
