package controller

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// Settings are what an operator can choose of the controller's behaviour. The
// flags of the binary set them; DefaultSettings are the flags' defaults.
type Settings struct {
	// PollInterval is the time from the begin of one listing to the next.
	PollInterval time.Duration
	// RetryInterval is the pause after a listing that was not complete.
	RetryInterval time.Duration
	// CSIDriver is the driver whose PersistentVolumes are ours.
	CSIDriver string
	// Workers is how many volumes are worked on at a time.
	Workers int
	// ResyncInterval is how often every ID is compared again; 0: never.
	ResyncInterval time.Duration
	// DeleteOrphans false: decide, count and report, but delete nothing.
	DeleteOrphans bool
	// OrphanGracePeriod is how long a volume must be watched to be absent before its
	// record may go. It is the patience of reports as well.
	OrphanGracePeriod time.Duration
	// MaxOrphanPercent, MaxOrphanCount: when more than this percentage of the
	// records and more than this many of them have lost their volumes, and
	// nothing explains it, their deletion is held.
	MaxOrphanPercent int
	MaxOrphanCount   int
	// MassOrphanHold is for how long.
	MassOrphanHold time.Duration
	// AcceptClusterID names the StorageOS cluster that may also judge records
	// that name another.
	AcceptClusterID string
	// ProgressInterval is how often at most the sync progress of replicas
	// alone causes a write.
	ProgressInterval time.Duration
	// EarlyReads has a volume read by its ID when Kubernetes tells that it may have changed: a
	// PersistentVolume is new or has grown, or the volume is being attached or detached.
	EarlyReads bool
	// ClaimEvents has claims told, too, of what becomes of their volumes: it takes the right
	// to write events in every namespace.
	ClaimEvents bool
	// LeaseDuration is that of the election, 0 without one. A process whose watch of
	// records has told nothing for longer lists them anew before it creates one.
	LeaseDuration time.Duration
	// StopTimeout is how long the writes in hand may take when Start's context
	// has ended.
	StopTimeout time.Duration
}

// DefaultSettings are the defaults of the binary's flags.
func DefaultSettings() Settings {
	return Settings{
		PollInterval:      5 * time.Second,
		RetryInterval:     5 * time.Second,
		CSIDriver:         "csi.storageos.com",
		Workers:           10,
		ResyncInterval:    10 * time.Minute,
		DeleteOrphans:     true,
		OrphanGracePeriod: 15 * time.Second,
		MaxOrphanPercent:  20,
		MaxOrphanCount:    10,
		MassOrphanHold:    10 * time.Minute,
		ProgressInterval:  30 * time.Second,
		EarlyReads:        true,
		StopTimeout:       10 * time.Second,
	}
}

// rules are those of them that decisions depend on.
func (s *Settings) rules() policy.Rules {
	return policy.Rules{
		PollInterval:      s.PollInterval,
		DeleteOrphans:     s.DeleteOrphans,
		OrphanGracePeriod: s.OrphanGracePeriod,
		MaxOrphanPercent:  s.MaxOrphanPercent,
		MaxOrphanCount:    s.MaxOrphanCount,
		MassOrphanHold:    s.MassOrphanHold,
		AcceptClusterID:   s.AcceptClusterID,
		ProgressInterval:  s.ProgressInterval,
	}
}
