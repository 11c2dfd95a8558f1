package simulator

import "slices"

// LoseNodes takes nodes away, all at once, as if they lost their power: what is on them is not
// answered any more, a volume whose master was there is led by a ready replica elsewhere that may
// be promoted, if there is one, and nothing is attached there any more. The error wraps
// ErrNotFound if there is no such node.
func (s *Simulator) LoseNodes(ids ...string) error {
	for _, id := range ids {
		if err := s.SetNodeHealth(id, HealthOffline); err != nil {
			return err
		}
	}
	lost := func(id string) bool { return slices.Contains(ids, id) }
	for _, ns := range s.Namespaces() {
		for _, v := range s.Volumes(ns.ID) {
			if err := s.UpdateVolume(ns.ID, v.ID, func(v *Volume) { failOver(v, lost) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func failOver(v *Volume, lost func(nodeID string) bool) {
	for i := range v.Replicas {
		if lost(v.Replicas[i].NodeID) {
			v.Replicas[i].Health = HealthFailed
		}
	}
	if lost(v.AttachedOn) {
		v.AttachedOn, v.AttachmentType = "", AttachmentDetached
	}
	if !lost(v.Master.NodeID) {
		return
	}
	heir := slices.IndexFunc(v.Replicas, func(r Replica) bool { return r.Health == HealthReady && r.Promotable })
	if heir < 0 {
		v.Master.Health = HealthOffline
		return
	}
	old, next := v.Master, v.Replicas[heir]
	v.Master = Master{ID: next.ID, NodeID: next.NodeID, Hostname: next.Hostname, Promotable: true, Health: HealthOnline}
	v.Replicas[heir] = Replica{ID: old.ID, NodeID: old.NodeID, Hostname: old.Hostname, Promotable: old.Promotable, Health: HealthFailed}
}
