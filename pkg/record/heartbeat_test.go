package record

import (
	"maps"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is written is read; what others wrote stays.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	completed := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, h := range map[string]Heartbeat{
		"all of it":                    {"c1", completed, 3, 5, 7, 9, 1<<64 - 1, completed.Add(-time.Minute), 1<<64 - 2, 0},
		"a cluster that tells no name": {"", completed, 0, 0, 0, 0, 0, completed, 0, 0},
		"nothing is recorded yet":      {"c1", completed, 0, 0, 0, 0, 0, time.Time{}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"mine": "stays"}}}
			h.Write(lease, completed)
			if got, err := ReadHeartbeat(lease); err != nil || got != h || lease.Annotations["mine"] != "stays" {
				t.Errorf("read %+v, %v, %v; want %+v", got, err, lease.Annotations, h)
			}
		})
	}
}

// Of a Lease that somebody has changed nothing is concluded.
func TestHeartbeatUnreadable(t *testing.T) {
	t.Parallel()
	empty := ""
	for name, tc := range map[string]struct {
		spoil func(*coordinationv1.Lease)
		names string // in the error
	}{
		"no time":                       {func(l *coordinationv1.Lease) { l.Spec.RenewTime = nil }, "when it ended"},
		"no holder":                     {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil }, "of which cluster"},
		"an empty holder":               {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = &empty }, "of which cluster"},
		"no annotations":                {func(l *coordinationv1.Lease) { l.Annotations = nil }, "has no annotation api.storageos.com/unwritten, "},
		"held: many":                    {func(l *coordinationv1.Lease) { l.Annotations["api.storageos.com/held"] = "many" }, `api.storageos.com/held of the Lease storageos-volume-sync-listing is "many"`},
		"unwritten by an older version": {func(l *coordinationv1.Lease) { delete(l.Annotations, "api.storageos.com/unwritten") }, `has no annotation api.storageos.com/unwritten, `},
		"volumes by an older version":   {func(l *coordinationv1.Lease) { delete(l.Annotations, "api.storageos.com/volumes") }, `has no annotation api.storageos.com/volumes, `},
		"recorded by an older version":  {func(l *coordinationv1.Lease) { delete(l.Annotations, "api.storageos.com/recorded") }, `has no annotation api.storageos.com/recorded, `},
		"records by an older version":   {func(l *coordinationv1.Lease) { delete(l.Annotations, "api.storageos.com/records") }, `has no annotation api.storageos.com/records, `},
		"kept by an older version":      {func(l *coordinationv1.Lease) { delete(l.Annotations, "api.storageos.com/kept") }, `has no annotation api.storageos.com/kept, `},
		"kept: some":                    {func(l *coordinationv1.Lease) { l.Annotations["api.storageos.com/kept"] = "some" }, `api.storageos.com/kept of the Lease storageos-volume-sync-listing is "some"`},
		"written: yesterday":            {func(l *coordinationv1.Lease) { l.Annotations["api.storageos.com/written"] = "yesterday" }, `api.storageos.com/written of the Lease storageos-volume-sync-listing is "yesterday"`},
		"invalid: -1":                   {func(l *coordinationv1.Lease) { l.Annotations["api.storageos.com/invalid"] = "-1" }, `api.storageos.com/invalid of the Lease storageos-volume-sync-listing is "-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := &coordinationv1.Lease{}
			Heartbeat{"c1", time.Now(), 1, 2, 3, 4, 5, time.Now(), 6, 0}.Write(lease, time.Now())
			lease.Annotations = maps.Clone(lease.Annotations)
			tc.spoil(lease)
			if h, err := ReadHeartbeat(lease); err == nil || h != (Heartbeat{}) || !strings.Contains(err.Error(), tc.names) {
				t.Errorf("%+v, %v; want an error that names %q", h, err, tc.names)
			}
		})
	}
}

// The API server notes when the Lease was written, whatever the controller's clock says.
func TestHeartbeatAhead(t *testing.T) {
	t.Parallel()
	completed := time.Date(2024, 5, 6, 7, 8, 9, 500_000, time.UTC)
	for name, tc := range map[string]struct {
		written []time.Duration // after the end of the listing by the API server's clock, by whom it may be
		want    time.Duration
		again   time.Duration // it was written so long after the end of the listing by the controller's
		older   bool          // by a controller that does not say when
	}{
		"no note":                 {},
		"written again":           {written: []time.Duration{-10 * time.Minute}, again: 5 * time.Minute, want: 15*time.Minute - time.Second},
		"and before, of another":  {written: []time.Duration{-10 * time.Minute}, again: -time.Hour, want: 10*time.Minute - time.Second},
		"of which nobody tells":   {written: []time.Duration{-10 * time.Minute}, again: 5 * time.Minute, older: true, want: 10*time.Minute - time.Second},
		"written then":            {written: []time.Duration{0}},
		"written later":           {written: []time.Duration{time.Hour}},
		"in the same second":      {written: []time.Duration{-time.Second}},
		"written before":          {written: []time.Duration{-10 * time.Minute}, want: 10*time.Minute - time.Second},
		"and touched by somebody": {written: []time.Duration{-10 * time.Minute, -5 * time.Minute, -7 * time.Minute}, want: 5*time.Minute - time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "without a time"}}}}
			for _, after := range tc.written {
				lease.ManagedFields = append(lease.ManagedFields, metav1.ManagedFieldsEntry{Time: &metav1.Time{Time: completed.Add(after)}})
			}
			Heartbeat{Cluster: "c1", Completed: completed, Recorded: completed}.Write(lease, completed.Add(tc.again))
			if tc.older {
				delete(lease.Annotations, "api.storageos.com/written")
			}
			h, err := ReadHeartbeat(lease)
			if err != nil || h.Ahead != tc.want || !h.Completed.Equal(completed) {
				t.Errorf("%v ahead, %+v, %v, want %v", h.Ahead, h, err, tc.want)
			}
		})
	}
}
