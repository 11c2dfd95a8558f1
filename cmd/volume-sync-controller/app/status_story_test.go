package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"

	"github.com/prometheus/client_golang/prometheus"
)

// story is a page that has something to tell: 43 minutes in which a node was down, StorageOS
// was slow and could not be listed, and deletions were held. Its chapters follow each other
// when a test turns over.
type story struct {
	*statusPage
	chapter atomic.Int32
}

func newStory(t *testing.T) (*story, string) {
	t.Helper()
	m, registry := metrics.New(), prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	m.StartLeading()
	for health, n := range map[string]int{"Healthy": 114, "Degraded": 3, "Offline": 1, "Unknown": 0} {
		m.SetVolumes(health, n)
	}
	m.SetRecords(132)
	m.SetOrphans(metrics.OrphanMissing, 1)
	m.SetOrphans(metrics.OrphanUnclaimed, 2)
	m.SetHeld(14)
	m.SetInvalid(1)
	m.Error(metrics.StageList)
	took := &latency{LatencyMetric: m.SyncDuration, first: func() {}}
	took.Observe(26 * time.Millisecond)
	now := time.Now()
	s := &story{}
	s.statusPage = &statusPage{
		plugin: pluginOf("storageos", "csi.storageos.com"),
		phase:  func() phase { return leading }, gatherer: registry, changes: &changes{}, took: took, late: time.Minute,
		listing: func() controller.Listing { return controller.Listing{Heartbeat: record.Heartbeat{Held: 14}} },
		volumes: func() map[v1.Health]int { return nil },
		details: details{get: func(_ context.Context, name string) (*v1.Volume, error) { return storyRecords(name), nil }},
		concerns: func(int) ([]controller.Concern, string) {
			return storyConcerns(now, int(s.chapter.Load())), "too many records have lost their volumes at once and nothing explains it"
		},
	}
	s.history.begin(now.Add(-43 * time.Minute))
	for i := range 86 {
		s.history.add(storySample(i, now.Add(time.Duration(i-85)*samplePause)))
	}
	s.changes.wrote(metrics.VerbCreate, "pvc-4aeb792b-c085-463d-bcf4-7ccf847d9eaa")
	for i, reason := range []string{controller.EventDegraded, controller.EventOffline, controller.EventHealthy} {
		kind := map[bool]string{true: corev1.EventTypeWarning, false: corev1.EventTypeNormal}[i < 2]
		message := []string{"only 1/2 copies are usable", "the master is offline, 0/1 copies are usable", "2/2 copies are usable"}[i]
		s.changes.said(&corev1.ObjectReference{Kind: "Volume", Name: fmt.Sprintf("pvc-%d1000000-0000-4000-8000-000000000000", i)}, kind, reason, message)
	}
	s.changes.said(&corev1.ObjectReference{Kind: "Lease", Name: component}, corev1.EventTypeWarning, controller.EventHeld,
		"deletions of records are held: too many records have lost their volumes at once and nothing explains it")
	page := s.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Synced(time.Now().Add(-3 * time.Second))
		page.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return s, server.URL + "/"
}

// storySample is number i of 86: a node is down from 20 to 34, StorageOS is slow from 48 to
// 55 and cannot be listed until 60, and from 66 on deletions are held.
func storySample(i int, at time.Time) sample {
	s := sample{at: uint32(at.Unix()), known: i < 55 || i >= 60, poll: uint32(24 + i*7%9)}
	if !s.known {
		return sample{at: s.at}
	}
	s.volumes = [healths]uint32{healthy: 118}
	switch {
	case i >= 20 && i < 34:
		s.volumes = [healths]uint32{offline: 2, degraded: uint32(27 - (i - 20)), healthy: uint32(89 + i - 20)}
	case i >= 48 && i < 55:
		s.poll = uint32(400 * (i - 46))
	case i >= 66:
		s.held = 14
		s.volumes = [healths]uint32{offline: 1, degraded: 3, healthy: 114}
	}
	return s
}

// storyConcerns are those of a chapter: in the second the first two are mended, and there is
// another; in the third they have another order.
func storyConcerns(now time.Time, chapter int) []controller.Concern {
	all := []controller.Concern{
		{Kind: "Offline", Record: "pvc-11000000-0000-4000-8000-000000000000", ClaimNamespace: "bank", Claim: "data-ledger-0", Why: "the master is offline, 0/1 copies are usable", Since: now.Add(-10 * time.Minute)},
		{Kind: metrics.OrphanMissing, PersistentVolume: "pvc-21000000-0000-4000-8000-000000000000", ClaimNamespace: "shop", Claim: "cart", Why: "StorageOS does not have the volume that the PersistentVolume refers to"},
		{Kind: controller.ConcernInvalid, PersistentVolume: "by-hand", Why: "its volumeHandle cannot be read: it must be <namespace ID>/<volume ID> of StorageOS"},
		{Kind: "Degraded", Record: "pvc-01000000-0000-4000-8000-000000000000", ClaimNamespace: "shop", Claim: "data-postgres-0", Why: "only 1/2 copies are usable", Since: now.Add(-10 * time.Minute)},
		{Kind: "Degraded", Record: "pvc-02000000-0000-4000-8000-000000000000", ClaimNamespace: "shop", Claim: "data-postgres-1", Why: "only 1/2 copies are usable", Since: now.Add(-26 * time.Hour)},
		{Kind: "Degraded", Record: "pvc-03000000-0000-4000-8000-000000000000", ClaimNamespace: "team-with-a-very-long-name-that-does-not-fit", Claim: "a-claim-with-a-name-that-is-as-long-as-some-people-make-them", Why: "only 2/3 copies are usable", Since: now.Add(-9 * time.Minute)},
		{Kind: controller.ConcernHeld, Record: "pvc-31000000-0000-4000-8000-000000000000", ClaimNamespace: "web", Claim: "cache", Why: "too many records have lost their volumes at once and nothing explains it", Since: now.Add(-10 * time.Minute)},
		{Kind: metrics.OrphanUnclaimed, Record: "by-hand-1", Why: record.Unclaimed.Message, Since: now.Add(-30 * time.Minute)},
	}
	for i := range all {
		if all[i].Kind == controller.ConcernInvalid {
			continue // it names no volume
		}
		all[i].VolumeID = fmt.Sprintf("c2448e3e-ae60-4de5-8cc1-1317fd9ac81%d", i)
	}
	if chapter == 0 {
		return all
	}
	more := controller.Concern{Kind: "Degraded", VolumeID: "new", Record: "pvc-04000000-0000-4000-8000-000000000000", ClaimNamespace: "shop", Claim: "data-postgres-2", Why: "only 1/2 copies are usable"}
	all = append([]controller.Concern{more}, all[2:]...)
	if chapter == 2 {
		slices.Reverse(all)
	}
	return all
}

// storyRecords are the records of these volumes, on three nodes of which the third is down.
func storyRecords(name string) *v1.Volume {
	v := &v1.Volume{}
	v.Status.Master = &v1.Master{Hostname: "worker-1", Health: "online"}
	v.Status.Replicas = []v1.Replica{{Hostname: "worker-3", Health: "failed"}}
	switch name[:len("pvc-11")] {
	case "pvc-11":
		v.Status.Master, v.Status.Replicas = &v1.Master{Hostname: "worker-3", Health: "offline"}, nil
	case "pvc-03":
		v.Status.Replicas = append(v.Status.Replicas, v1.Replica{Hostname: "worker-2", Health: "ready"})
	case "by-han", "pvc-31":
		v.Status.Replicas = nil
	}
	return v
}
