// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import "math/rand/v2"

// Change does to n volumes, chosen at random, what time does to volumes: they
// are attached and detached, their masters fail over, their replicas fall behind
// and catch up. It never adds or removes one, and leaves raw ones alone. It
// returns how many volumes it changed: fewer than n only if there are none.
func (s *Simulator) Change(n int) int {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	total := 0
	for _, ns := range s.state.namespaces {
		total += len(ns.volumes)
	}
	if total == 0 {
		return 0
	}
	changed := 0
	for range n {
		if s.changeOne(s.state.ids.rand.IntN(total)) {
			changed++
		}
	}
	return changed
}

// changeOne changes the volume with that number, counted through all
// namespaces. It wants the state locked.
func (s *Simulator) changeOne(number int) bool {
	for _, ns := range s.state.namespaces {
		if number >= len(ns.volumes) {
			number -= len(ns.volumes)
			continue
		}
		entry := ns.volumes[number]
		if entry.raw {
			return false
		}
		v, err := entry.decode()
		if err != nil {
			return false
		}
		s.age(&v)
		v.UpdatedAt, v.Version = s.now(), s.state.ids.version()
		s.put(ns, v)
		return true
	}
	return false
}

// age makes one step in the life of a volume.
func (s *Simulator) age(v *Volume) {
	random := s.state.ids.rand
	switch {
	case len(v.Replicas) > 0 && random.IntN(3) > 0:
		ageReplica(random, &v.Replicas[random.IntN(len(v.Replicas))])
	case len(v.Replicas) > 0 && random.IntN(4) == 0:
		replica := &v.Replicas[0]
		v.Master.NodeID, replica.NodeID = replica.NodeID, v.Master.NodeID
	case v.AttachedOn != "":
		v.AttachedOn, v.AttachmentType = "", AttachmentDetached
	default:
		v.AttachedOn, v.AttachmentType = v.Master.NodeID, AttachmentHost
	}
}

// ageReplica has a ready replica fall behind, and another one catch up by half
// of what is left, or for good.
func ageReplica(random *rand.Rand, r *Replica) {
	const throughput = 64 << 20
	remaining := uint64(8 << 30)
	if r.Health != HealthReady {
		remaining = 0
		if r.SyncProgress != nil && random.IntN(3) > 0 {
			remaining = r.SyncProgress.BytesRemaining / 2
		}
	}
	if remaining < throughput {
		r.Health, r.SyncProgress = HealthReady, nil
		return
	}
	r.Health = HealthSyncing
	r.SyncProgress = &SyncProgress{
		BytesRemaining:            remaining,
		ThroughputBytes:           throughput,
		EstimatedSecondsRemaining: remaining / throughput,
	}
}
