package controller

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// checkDeletion: the volume of a record that is deleted does not exist, has
// been known to be absent for the grace, and deletions that nothing explains
// are few.
func (m *model) checkDeletion(r *v1.Volume) {
	id := r.Status.VolumeID
	if id == "" {
		id = r.Labels[v1.LabelVolumeID]
	}
	names := r.Annotations[v1.AnnotationClusterID]
	if m.exists(id) && (names != "" || m.api.elsewhere == nil) {
		// One that names no cluster, because StorageOS refused to tell, is not
		// protected against another cluster.
		m.t.Fatalf("the record of volume %s, which exists, was deleted", id)
	}
	if names != "" && names != m.api.cluster {
		m.t.Fatalf("record of volume %s: cluster %q was asked, it names %q", id, m.api.cluster, names)
	}
	since, ok := absenceMark(r.Annotations[v1.AnnotationAbsentSince]).since(time.Now())
	if !ok || time.Since(since) < m.settings.OrphanGracePeriod {
		m.t.Fatalf("record of volume %s: absent since %q, deleted at %v", id, r.Annotations[v1.AnnotationAbsentSince], time.Now())
	}
	known := choosePersistentVolume(m.leader.pvIndex.of(id))
	if known != nil && known.deletes() || known == nil && r.Status.PersistentVolume != nil || time.Since(since) >= m.settings.MassOrphanHold {
		return // explained, or older than the hold
	}
	m.deleted = append(m.deleted, time.Now())
	m.deleted = slices.DeleteFunc(m.deleted, func(at time.Time) bool { return time.Since(at) >= m.settings.MassOrphanHold })
	if before := len(m.records.records) + len(m.deleted) - 1; len(m.deleted) > m.settings.MaxOrphanCount && len(m.deleted)*100 > m.settings.MaxOrphanPercent*before && m.zombie == nil {
		m.t.Fatalf("%d of %d records were deleted within the hold, and nothing explains it", len(m.deleted), before)
	}
}

func (m *model) exists(id string) bool {
	for _, volumes := range []map[string][]string{m.api.volumes, m.api.elsewhere} {
		for _, all := range volumes {
			if slices.ContainsFunc(all, func(v string) bool { return strings.HasPrefix(v, id+" ") }) {
				return true
			}
		}
	}
	return false
}

func (m *model) pvOf(id string) *persistentVolume {
	var all []*persistentVolume
	for _, p := range m.pvs {
		if p.volumeID == id {
			all = append(all, p)
		}
	}
	return choosePersistentVolume(all)
}

// check: after the last fault, records and volumes agree within a bounded
// number of listings, and then nothing is written any more.
func (m *model) check() {
	m.heal()
	if m.zombie != nil {
		m.zombie.queue.ShutDown()
		m.zombie = nil
	}
	// A mark that was refused is written when the pause is over, and the hold
	// begins with the mark.
	patience := refusedPause + m.settings.MassOrphanHold + m.settings.OrphanGracePeriod
	if m.upgraded {
		patience += m.settings.ResyncInterval
	}
	for range patience/m.settings.PollInterval + 6 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	m.agree()
	m.remembered()
	writes := m.records.writes
	for range 3 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	if n := m.records.writes - writes; n > 0 {
		m.t.Fatalf("%d writes at rest", n)
	}
	if most := 6*m.changes + 20; m.records.writes > most {
		m.t.Fatalf("%d writes for %d changes", m.records.writes, m.changes)
	}
}

// remembered: nothing that the cache knows, for every volume that ever was.
func (m *model) remembered() {
	for id, t := range m.leader.tracks.all {
		o := m.leader.observe(id)
		if t.written.record != nil && (o.record == nil || t.written.newest(o.record) == o.record || t.written.record.resourceVersion == o.record.resourceVersion) {
			m.t.Errorf("volume %s: what was written last is remembered, and known: %+v", id, t.written.record)
		}
		if t.settled != (settlement{}) && o.record != nil && o.record.state == t.settled.want {
			m.t.Errorf("volume %s: it is remembered as settled, and is right: %+v", id, t.settled)
		}
	}
}

// agree: one record for each volume, right in every field that the model knows.
func (m *model) agree() {
	byID := map[string]*v1.Volume{}
	for _, r := range m.records.records {
		if other := byID[r.Status.VolumeID]; other != nil {
			m.t.Fatalf("records %s and %s describe volume %s", r.Name, other.Name, r.Status.VolumeID)
		}
		byID[r.Status.VolumeID] = r
	}
	for ns, volumes := range m.api.volumes {
		for _, v := range volumes {
			is, err := storageos.DecodeVolume(entry(ns, v).Raw)
			must(m.t, err)
			should, err := contentOf(is, ns, m.api.nodes)
			must(m.t, err)
			id := is.Id
			r := byID[id]
			if r == nil {
				m.t.Fatalf("volume %s has no record", id)
			}
			delete(byID, id)
			if !m.records.pruned && contentOfRecord(r).digest() != should.digest() || m.foreign[r.UID] != (meta.FindStatusCondition(r.Status.Conditions, "Theirs") != nil) {
				m.t.Fatalf("volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			if m.annotated[r.UID] && r.Annotations["theirs"] == "" {
				m.t.Fatalf("volume %s: its record has lost an annotation of somebody else: %+v", v, r)
			}
			if r.Spec.SizeBytes != should.Spec.SizeBytes || r.Labels[v1.LabelVolumeID] != id || r.Annotations[v1.AnnotationNamespaceID] != ns || r.Annotations[v1.AnnotationAbsentSince] != "" {
				m.t.Fatalf("volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			want, bounds := join{}, []statement{boundNone, boundUnclaimed}
			if pv := m.pvOf(id); pv != nil {
				want, bounds = pv.join, []statement{boundOf(pv)}
			}
			if got := stateOf(r, 0); !m.records.pruned && (got.join != want || got.present != presentTrue || !slices.Contains(bounds, got.bound)) {
				m.t.Fatalf("volume %s: its record says %+v, %+v and %+v, not %+v and one of %+v", id, got.join, got.present.get(), got.bound.get(), want, bounds)
			}
		}
	}
	for id, r := range byID {
		if r.Annotations[v1.AnnotationClusterID] == "other" {
			continue // only that cluster may end it
		}
		o, d := m.leader.decide(id)
		m.t.Fatalf("volume %s has gone, its record %s has not: it is %+v, observed %+v, decided %+v", id, r.Name, r, o, d)
	}
}
