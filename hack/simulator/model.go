// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import "time"

// Values of Volume.AttachmentType.
const (
	AttachmentUnknown  = "unknown"
	AttachmentDetached = "detached"
	AttachmentNFS      = "nfs"
	AttachmentHost     = "host"
)

// Health of nodes, masters and replicas. Nodes and masters know the first
// three, replicas the others and HealthUnknown.
const (
	HealthOnline  = "online"
	HealthOffline = "offline"
	HealthUnknown = "unknown"

	HealthRecovering   = "recovering"
	HealthProvisioning = "provisioning"
	HealthProvisioned  = "provisioned"
	HealthSyncing      = "syncing"
	HealthReady        = "ready"
	HealthDeleted      = "deleted"
	HealthFailed       = "failed"
)

// Volume is a volume exactly as the API renders it. The simulator has no
// opinion on its content: a test may store any combination.
type Volume struct {
	ID             string            `json:"id"`
	Name           string            `json:"name"`
	Description    string            `json:"description"`
	AttachedOn     string            `json:"attachedOn"` // a node's ID; empty: detached
	NFS            *NFSConfig        `json:"nfs"`        // nil: null
	NamespaceID    string            `json:"namespaceID"`
	Labels         map[string]string `json:"labels"`
	FSType         string            `json:"fsType"`         // ext2, ext3, ext4, xfs, btrfs or block
	AttachmentType string            `json:"attachmentType"` // one of the Attachment constants
	Master         Master            `json:"master"`
	Replicas       []Replica         `json:"replicas"` // nil: null
	SizeBytes      uint64            `json:"sizeBytes"`
	CreatedAt      time.Time         `json:"createdAt"`
	UpdatedAt      time.Time         `json:"updatedAt"`
	Version        string            `json:"version"` // opaque, 30 characters at most

	// Sent by newer servers only. With Options.NewerServer the host names
	// follow from the nodes; without it, they are sent as they are set here.
	AttachedOnHost string            `json:"attachedOnHost,omitempty"`
	TopologyLabels map[string]string `json:"topologyLabels,omitempty"`
}

// Master is the master deployment of a volume.
type Master struct {
	ID         string `json:"id"`
	NodeID     string `json:"nodeID"`
	Hostname   string `json:"hostname,omitempty"` // newer servers only
	Promotable bool   `json:"promotable"`
	Health     string `json:"health"`
}

// Replica is a replica deployment of a volume.
type Replica struct {
	ID           string        `json:"id"`
	NodeID       string        `json:"nodeID"`
	Hostname     string        `json:"hostname,omitempty"` // newer servers only
	Promotable   bool          `json:"promotable"`
	Health       string        `json:"health"`
	SyncProgress *SyncProgress `json:"syncProgress,omitempty"`
}

// SyncProgress tells how far the sync of a replica is.
type SyncProgress struct {
	BytesRemaining            uint64 `json:"bytesRemaining"`
	ThroughputBytes           uint64 `json:"throughputBytes"` // per second
	EstimatedSecondsRemaining uint64 `json:"estimatedSecondsRemaining"`
}

// NFSConfig is how a volume is shared over NFS.
type NFSConfig struct {
	Exports         []NFSExport `json:"exports"`         // nil: null
	ServiceEndpoint *string     `json:"serviceEndpoint"` // nil: null
}

// NFSExport is one export of a shared volume.
type NFSExport struct {
	ExportID   uint64   `json:"exportID"`
	Path       string   `json:"path"`
	PseudoPath string   `json:"pseudoPath"`
	ACLs       []NFSACL `json:"acls"`
}

// NFSACL says who may use an export, and how.
type NFSACL struct {
	Identity     NFSIdentity     `json:"identity"`
	SquashConfig NFSSquashConfig `json:"squashConfig"`
	AccessLevel  string          `json:"accessLevel"` // ro or rw
}

// NFSIdentity selects clients of an export.
type NFSIdentity struct {
	IdentityType string `json:"identityType"` // cidr, hostname or netgroup
	Matcher      string `json:"matcher"`
}

// NFSSquashConfig says how the user IDs of clients are mapped.
type NFSSquashConfig struct {
	UID    int64  `json:"uid"`
	GID    int64  `json:"gid"`
	Squash string `json:"squash"` // none, root, rootuid or all
}

// Node is a node as the API renders it.
type Node struct {
	ID                 string            `json:"id"`
	Name               string            `json:"name"` // its host name
	Health             string            `json:"health"`
	Capacity           Capacity          `json:"capacity"`
	IOEndpoint         string            `json:"ioEndpoint"`
	SupervisorEndpoint string            `json:"supervisorEndpoint"`
	GossipEndpoint     string            `json:"gossipEndpoint"`
	ClusteringEndpoint string            `json:"clusteringEndpoint"`
	Labels             map[string]string `json:"labels"`
	CreatedAt          time.Time         `json:"createdAt"`
	UpdatedAt          time.Time         `json:"updatedAt"`
	Version            string            `json:"version"`
}

// Capacity of a node, in bytes.
type Capacity struct {
	Total     uint64 `json:"total"`
	Free      uint64 `json:"free"`
	Available uint64 `json:"available"`
}

// Namespace is a namespace as the API renders it.
type Namespace struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`
	CreatedAt time.Time         `json:"createdAt"`
	UpdatedAt time.Time         `json:"updatedAt"`
	Version   string            `json:"version"`
}

type cluster struct {
	ID                    string    `json:"id"`
	DisableTelemetry      bool      `json:"disableTelemetry"`
	DisableCrashReporting bool      `json:"disableCrashReporting"`
	DisableVersionCheck   bool      `json:"disableVersionCheck"`
	LogLevel              string    `json:"logLevel"`
	LogFormat             string    `json:"logFormat"`
	CreatedAt             time.Time `json:"createdAt"`
	UpdatedAt             time.Time `json:"updatedAt"`
	Version               string    `json:"version"`
}

type userSession struct {
	ID        string    `json:"id"`
	Username  string    `json:"username"`
	IsAdmin   bool      `json:"isAdmin"`
	Groups    []string  `json:"groups"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Version   string    `json:"version"`
	Session   session   `json:"session"`
}

type session struct {
	ExpiresInSeconds uint64 `json:"expiresInSeconds"`
	Token            string `json:"token"`
}

type apiError struct {
	Error string `json:"error"`
}
