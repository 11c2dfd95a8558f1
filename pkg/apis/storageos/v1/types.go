package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Volume is the record of one volume of StorageOS, joined to the
// PersistentVolume that uses it.
//
// Records are written by the volume sync controller alone, which puts back what
// anyone else changes of what StorageOS or the PersistentVolume says; editing or
// deleting a record does nothing to the volume.
//
// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:resource:path=volumes,singular=volume,scope=Cluster,categories=storageos
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=CLAIM-NAMESPACE,type=string,JSONPath=`.status.persistentVolume.claim.namespace`,description="Namespace of the claim that uses the volume"
// +kubebuilder:printcolumn:name=CLAIM,type=string,JSONPath=`.status.persistentVolume.claim.name`,description="Claim that uses the volume"
// +kubebuilder:printcolumn:name=CAPACITY,type=string,JSONPath=`.status.capacity`,description="Size of the volume"
// +kubebuilder:printcolumn:name=HEALTH,type=string,JSONPath=`.status.health`,description="State of the volume's master and replicas"
// +kubebuilder:printcolumn:name=READY,type=string,JSONPath=`.status.ready`,description="Usable copies of the data, of those wanted"
// +kubebuilder:printcolumn:name=ATTACHED-ON,type=string,JSONPath=`.status.attachedOnHost`,description="Host that the volume is attached on"
// +kubebuilder:printcolumn:name=AGE,type=date,JSONPath=`.metadata.creationTimestamp`,description="Age of the record"
// +kubebuilder:printcolumn:name=VOLUME-ID,type=string,priority=1,JSONPath=`.status.volumeId`,description="ID of the volume in StorageOS"
// +kubebuilder:printcolumn:name=PRESENT,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Present")].status`,description="Whether StorageOS still has the volume"
// +kubebuilder:printcolumn:name=BOUND,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Bound")].status`,description="Whether the volume is bound to a claim"
// +kubebuilder:selectablefield:JSONPath=`.status.volumeId`
// +kubebuilder:selectablefield:JSONPath=`.status.health`
// +kubebuilder:selectablefield:JSONPath=`.status.persistentVolume.claim.namespace`
type Volume struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object metadata. The label api.storageos.com/volume-id is the
	// record's identity.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is how the volume is configured in StorageOS.
	// +optional
	// +structType=atomic
	Spec VolumeSpec `json:"spec,omitempty"`

	// Status is the state that the volume was last seen in.
	// +optional
	Status VolumeStatus `json:"status,omitempty"`
}

// VolumeList is a list of records.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type VolumeList struct {
	metav1.TypeMeta `json:",inline"`

	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the records.
	Items []Volume `json:"items"`
}

// VolumeSpec is how a volume is configured in StorageOS. It describes the
// volume as it is and asks for nothing: StorageOS is configured through its own
// API.
type VolumeSpec struct {
	// ConfigLabels are all the labels of the StorageOS volume: those that
	// switch its features, those that the CSI provisioner set and those of its
	// owner.
	// +optional
	ConfigLabels map[string]string `json:"configLabels,omitempty"`

	// Description is the free text that the volume was given in StorageOS.
	// +optional
	Description string `json:"description,omitempty"`

	// FsType is the file system on the volume, or "block" for a raw block
	// volume, as StorageOS reports it: ext2, ext3, ext4, xfs, btrfs, block.
	// +optional
	FsType string `json:"fsType,omitempty"`

	// NFS is how the volume is shared over NFS. It is absent if it is not.
	// +optional
	NFS *NFSSpec `json:"nfs,omitempty"`

	// Replicas is how many copies of the data are wanted beside the master: the
	// number in the StorageOS label storageos.com/replicas, 0 without one.
	// +optional
	Replicas int `json:"replicas,omitempty"`

	// SizeBytes is the size of the volume in bytes, as StorageOS reports it.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`

	// Strategy has no source in the StorageOS API and stays unset. It is kept
	// because records always had it.
	// +optional
	Strategy int `json:"strategy,omitempty"`
}

// NFSSpec is how a volume is shared over NFS.
type NFSSpec struct {
	// Exports are the paths that are shared.
	// +optional
	Exports []NFSExport `json:"exports,omitempty"`

	// ServiceEndpoint is the address (host:port) that clients mount from.
	// +optional
	ServiceEndpoint string `json:"serviceEndpoint,omitempty"`
}

// NFSExport is one path of a volume that is shared over NFS.
type NFSExport struct {
	// ExportID is the number that identifies the export on its server.
	// +optional
	ExportID int64 `json:"exportID,omitempty"`

	// Path is the path on the volume that is shared.
	// +optional
	Path string `json:"path,omitempty"`

	// PseudoPath is the path that NFSv4 clients see instead of Path.
	// +optional
	PseudoPath string `json:"pseudoPath,omitempty"`

	// ACLs tell who may use the export, and how.
	// +optional
	ACLs []NFSExportACL `json:"acls,omitempty"`
}

// NFSExportACL is what some clients of an NFS export may do.
type NFSExportACL struct {
	// AccessLevel is what the clients may do, as StorageOS reports it: "ro" to
	// read, "rw" to read and write.
	// +optional
	AccessLevel string `json:"accessLevel,omitempty"`

	// Identity is which clients the rule is for.
	// +optional
	Identity *NFSExportIdentity `json:"identity,omitempty"`

	// SquashConfig is which user the clients act as.
	// +optional
	SquashConfig *NFSExportSquashConfig `json:"squashConfig,omitempty"`
}

// NFSExportIdentity is a set of NFS clients.
type NFSExportIdentity struct {
	// IdentityType is what Matcher is compared with, as StorageOS reports it:
	// cidr, hostname, netgroup.
	// +optional
	IdentityType string `json:"identityType,omitempty"`

	// Matcher is the pattern that a client's identity has to match.
	// +optional
	Matcher string `json:"matcher,omitempty"`
}

// NFSExportSquashConfig maps the users of NFS clients to a local user.
type NFSExportSquashConfig struct {
	// UID is the user ID that squashed users act with.
	// +optional
	UID int64 `json:"uid,omitempty"`

	// GID is the group ID that squashed users act with.
	// +optional
	GID int64 `json:"gid,omitempty"`

	// Squash is which users are squashed, as StorageOS reports it: none, root,
	// rootuid, all.
	// +optional
	Squash string `json:"squash,omitempty"`
}

// VolumeStatus is the state that a volume was last seen in. Nothing in it
// changes merely because time passes.
type VolumeStatus struct {
	// AttachedOn is the StorageOS ID of the node that the volume is attached
	// on. It is absent while the volume is detached.
	// +optional
	AttachedOn string `json:"attachedOn,omitempty"`

	// AttachedOnHost is the host name of the node that the volume is attached
	// on: what StorageOS says or, where it does not say, the name of the node
	// with the ID in AttachedOn.
	// +optional
	AttachedOnHost string `json:"attachedOnHost,omitempty"`

	// AttachmentType is how the volume is attached, as StorageOS reports it:
	// unknown, detached, nfs, host.
	// +optional
	AttachmentType string `json:"attachmentType,omitempty"`

	// ConsumerCount has no source in the StorageOS API and stays unset. It is
	// kept because records always had it.
	// +optional
	ConsumerCount int64 `json:"consumerCount,omitempty"`

	// Master is the copy of the data that serves reads and writes.
	// +optional
	// +structType=atomic
	Master *Master `json:"master,omitempty"`

	// Replicas are the copies of the data that follow the master.
	// +optional
	Replicas []Replica `json:"replicas,omitempty"`

	// VolumeID is the ID of the volume in StorageOS.
	// +optional
	VolumeID string `json:"volumeId,omitempty"`

	// Capacity is the size of the volume as a quantity; it is the same size as
	// spec.sizeBytes.
	// +optional
	Capacity *resource.Quantity `json:"capacity,omitempty"`

	// Health sums up the state of Master and Replicas: Healthy, Degraded,
	// Offline or Unknown. It is Unknown while StorageOS does not list the volume;
	// Master and Replicas are then as they were last known.
	// +optional
	Health Health `json:"health,omitempty"`

	// Ready is how many copies of the data are usable, of how many are wanted,
	// such as "2/3". The master counts among both. It is empty while StorageOS does
	// not list the volume.
	// +optional
	Ready string `json:"ready,omitempty"`

	// PersistentVolume is the PersistentVolume that refers to the volume. The
	// last one stays here after it is gone, until StorageOS has been seen to
	// keep the volume without it.
	// +optional
	// +structType=atomic
	PersistentVolume *PersistentVolumeStatus `json:"persistentVolume,omitempty"`

	// Conditions are the current states of the volume: Present (StorageOS has
	// it), Bound (a claim uses it) and Healthy (all wanted copies are usable).
	// Conditions of other types belong to others and are left alone.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Master is the copy of a volume's data that serves reads and writes.
type Master struct {
	// Health is the state of the master as StorageOS reports it: online,
	// offline, unknown.
	// +optional
	Health string `json:"health,omitempty"`

	// Hostname is the name of the host that the master is on.
	// +optional
	Hostname string `json:"hostname,omitempty"`

	// ID is the StorageOS ID of this copy (of the deployment, not of the
	// volume).
	// +optional
	ID string `json:"id,omitempty"`

	// NodeID is the StorageOS ID of the node that the master is on.
	// +optional
	NodeID string `json:"nodeID,omitempty"`

	// Promotable tells whether this copy may be made the master.
	// +optional
	Promotable bool `json:"promotable"`
}

// Replica is a copy of a volume's data that follows the master.
type Replica struct {
	// Health is the state of the replica as StorageOS reports it: recovering,
	// provisioning, provisioned, syncing, ready, deleted, failed, unknown. Only
	// a ready replica is a usable copy.
	// +optional
	Health string `json:"health,omitempty"`

	// Hostname is the name of the host that the replica is on.
	// +optional
	Hostname string `json:"hostname,omitempty"`

	// ID is the StorageOS ID of this copy (of the deployment, not of the
	// volume).
	// +optional
	ID string `json:"id,omitempty"`

	// NodeID is the StorageOS ID of the node that the replica is on.
	// +optional
	NodeID string `json:"nodeID,omitempty"`

	// Promotable tells whether this copy may be made the master.
	// +optional
	Promotable bool `json:"promotable"`

	// SyncProgress is how far the replica has caught up with the master. It is
	// absent for a replica that is not syncing and has no figures.
	// +optional
	SyncProgress *SyncProgress `json:"syncProgress,omitempty"`
}

// SyncProgress is how far a replica has caught up with its master. StorageOS
// counts with unsigned numbers; those beyond the range of int64 are recorded as
// its maximum. Progress alone is recorded only every so often.
type SyncProgress struct {
	// BytesRemaining is how many bytes the replica still lacks.
	// +optional
	BytesRemaining int64 `json:"bytesRemaining,omitempty"`

	// EstimatedSecondsRemaining is how many seconds StorageOS expects the rest
	// to take.
	// +optional
	EstimatedSecondsRemaining int64 `json:"estimatedSecondsRemaining,omitempty"`

	// ThroughputBytes is how many bytes the replica receives per second.
	// +optional
	ThroughputBytes int64 `json:"throughputBytes,omitempty"`
}

// PersistentVolumeStatus is what a record holds of the PersistentVolume that
// refers to its volume.
type PersistentVolumeStatus struct {
	// Name is the name of the PersistentVolume.
	// +optional
	Name string `json:"name,omitempty"`

	// Phase is the phase of the PersistentVolume: Pending, Available, Bound,
	// Released, Failed.
	// +optional
	Phase string `json:"phase,omitempty"`

	// ReclaimPolicy is what happens to the volume when its claim is released:
	// Retain, Delete, Recycle.
	// +optional
	ReclaimPolicy string `json:"reclaimPolicy,omitempty"`

	// Claim is the claim that the PersistentVolume names. It is absent if it
	// names none.
	// +optional
	Claim *ClaimReference `json:"claim,omitempty"`
}

// ClaimReference names a PersistentVolumeClaim.
type ClaimReference struct {
	// Namespace is the Kubernetes namespace of the claim.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Name is the name of the claim.
	// +optional
	Name string `json:"name,omitempty"`
}
