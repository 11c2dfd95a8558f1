package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes/fake"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	recordsfake "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// What is on its way is waited for, and not for long.
func TestSettled(t *testing.T) {
	t.Parallel()
	of := func(ids ...string) (all []v1.Volume) {
		for _, id := range ids {
			all = append(all, copies(id, "a"))
		}
		return all
	}
	made := func(id string, at time.Time) v1.Volume {
		r := copies(id, "a")
		r.CreationTimestamp = metav1.NewTime(at)
		return r
	}
	joins := func(ids ...string) []v1.Volume {
		all := of(ids...)
		for i := range all {
			all[i].Status.PersistentVolume = &v1.PersistentVolumeStatus{Name: "p-" + ids[i]}
		}
		return all
	}
	const never = time.Hour
	for name, tc := range map[string]struct {
		before, after evidence      // what is read until that time, and from then on
		at            time.Duration // since the beginning
		age           time.Duration // of the listing
		behind        bool          // before that time not all is recorded
		waiting       bool          // before that time the records wait for the proof that their volumes are gone
		kept          bool          // which is there, and deletions are switched off
		held          int           // of them
		want, more    string        // the doubts
		waits         time.Duration
	}{
		"all is there":                          {before: evidence{records: of("v1", "v2")}, at: never},
		"a record comes":                        {before: evidence{records: of("v1")}, after: evidence{records: of("v1", "v2")}, at: 1500 * time.Millisecond, waits: 2 * time.Second},
		"a record does not come":                {before: evidence{records: of("v1")}, at: never, want: "StorageOS has listed 2 volumes, and there are records of 1", waits: settling},
		"another record than was known":         {before: evidence{records: of("v1", "v2", "v3")}, at: never, want: "there are other records than the controller knew of", waits: settling},
		"new ones come all the time":            {before: evidence{records: append(of("v1", "v2"), made("v3", time.Now()))}, at: never},
		"a PersistentVolume's does not":         {before: evidence{records: of("v1", "v2"), pvs: []corev1.PersistentVolume{persistentVolume("v3")}}, at: never, want: "the PersistentVolume p-v3 has no record", waits: settling},
		"a PersistentVolume's comes":            {before: evidence{records: of("v1"), pvs: []corev1.PersistentVolume{persistentVolume("v2")}}, after: evidence{records: of("v1", "v2")}, at: time.Second, waits: time.Second},
		"a record has no status yet":            {before: evidence{records: []v1.Volume{volume("v1", bare), volume("v2", bare)}}, after: evidence{records: of("v1", "v2")}, at: time.Second, waits: time.Second},
		"all is recorded a moment later":        {before: evidence{records: of("v1", "v2")}, after: evidence{records: of("v1", "v2")}, at: time.Second, behind: true, waits: time.Second},
		"their volumes are not listed":          {before: evidence{records: of("v1", "v2")}, at: never, waiting: true, want: "2 records wait", more: "StorageOS has listed 2 volumes", waits: proving},
		"they are held":                         {before: evidence{records: of("v1", "v2")}, at: never, waiting: true, held: 2, want: "2 records are held"},
		"their volumes are proven gone":         {before: evidence{records: of("v1", "v2")}, at: never, waiting: true, kept: true},
		"they are listed again":                 {before: evidence{records: of("v1", "v2")}, after: evidence{records: of("v1", "v2")}, at: 20 * time.Second, waiting: true, waits: 20 * time.Second},
		"another doubt is not waited for":       {before: evidence{records: of("v1", "v2")}, at: never, age: time.Hour, want: "last listed completely 1h0m0s ago"},
		"nor is an older CRD":                   {before: evidence{records: of("v1", "v2"), older: "the CRD drops all"}, at: never, want: "the CRD drops all"},
		"a driver that is mistyped":             {before: evidence{records: joins("v1", "v2"), driver: "typo"}, at: never, want: "records name PersistentVolumes, and none is of the CSI driver typo (--csi-driver)", waits: settling},
		"the last PersistentVolume goes":        {before: evidence{records: joins("v1", "v2")}, after: evidence{records: of("v1", "v2")}, at: time.Second, waits: time.Second},
		"those that went with their volumes":    {before: evidence{records: joins("v1", "v2")}, at: never, waiting: true, kept: true},
		"with another doubt numbers say little": {before: evidence{records: of("v1")}, at: never, age: time.Hour, want: "last listed completely 1h0m0s ago"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
				_, doubts, err := (&cli{IOStreams: streams}).settled(t.Context(), func() (evidence, error) {
					is := tc.before
					if time.Since(begun) >= tc.at {
						is = tc.after
					}
					for i := range is.records {
						is.records[i].Annotations = map[string]string{v1.AnnotationClusterID: "c1"}
						if tc.waiting && time.Since(begun) < tc.at {
							is.records[i].Annotations[v1.AnnotationAbsentSince] = "2026-01-02T03:04:05Z"
						}
					}
					is.beat = record.Heartbeat{Cluster: "c1", Completed: time.Now().Add(-tc.age), Recorded: time.Now().Add(-tc.age), Volumes: 2, Held: tc.held}
					is.beat.Records = record.SumOf(of("v1", "v2"), is.beat.Completed)
					if tc.kept {
						is.beat.Kept, is.beat.Volumes = is.beat.Records, 0
					}
					if tc.behind && time.Since(begun) < tc.at {
						is.beat.Recorded = time.Time{}
					}
					return is, nil
				})
				if got := strings.Join(doubts, "; "); err != nil || !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") || !strings.Contains(got, tc.more) || strings.Contains(got, "; ") != (tc.more != "") {
					t.Errorf("%q, %v, want %q", got, err, tc.want)
				}
				if waits := time.Since(begun); waits != tc.waits {
					t.Errorf("it took %v, want %v", waits, tc.waits)
				}
				if told := stderr.String(); strings.Count(told, "Waiting for up to") != min(1, int(tc.waits/(settlePause+1))) || stdout.Len() > 0 {
					t.Errorf("it took %v, and that is what was told: %q, %q", tc.waits, told, stdout)
				}
			})
		})
	}
}

// Who waits for longer than was said is told so.
func TestSettledLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		streams, _, _, stderr := genericiooptions.NewTestIOStreams()
		_, _, err := (&cli{IOStreams: streams}).settled(t.Context(), func() (evidence, error) {
			r := copies("v1", "a")
			r.Annotations = map[string]string{v1.AnnotationClusterID: "c1"}
			if time.Since(begun) >= 5*time.Second {
				r.Annotations[v1.AnnotationAbsentSince] = "2026-01-02T03:04:05Z"
			}
			return evidence{records: []v1.Volume{r}, beat: record.Heartbeat{Cluster: "c1", Completed: time.Now(), Recorded: time.Now(), Volumes: 2}}, nil
		})
		first, second, _ := strings.Cut(stderr.String(), "\n")
		if err != nil || !strings.HasPrefix(first, "Waiting for up to 10s: StorageOS has listed 2 volumes, ") || !strings.HasPrefix(second, "Waiting for up to 25s: 1 record waits ") || time.Since(begun) != proving {
			t.Errorf("%v after %v: %s", err, time.Since(begun), stderr)
		}
	})
}

// Nothing becomes of a volume that is proven gone, whatever its record says.
func TestNotGone(t *testing.T) {
	t.Parallel()
	there, gone := copies("v1", "a"), copies("v2", "a")
	there.Name, gone.Name, gone.UID = "there", "gone", "gone"
	gone.Annotations = map[string]string{v1.AnnotationAbsentSince: "2026-01-02T03:04:05Z"}
	for want, kept := range map[string]record.Sum{"there": record.SumOfOne("gone"), "there gone": 0} {
		is := evidence{records: []v1.Volume{there, gone}, beat: record.Heartbeat{Kept: kept}}
		var names []string
		for _, r := range is.notGone() {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != want || len(is.records) != 2 {
			t.Errorf("%q of %d, want %q", got, len(is.records), want)
		}
	}
}

// Who has had enough is not kept waiting, and an error is the end.
func TestSettledEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		if _, _, err := (&cli{}).settled(t.Context(), func() (evidence, error) { return evidence{}, broken }); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), settlePause/2)
		defer cancel()
		unsettled := evidence{beat: record.Heartbeat{Cluster: "c1", Completed: time.Now(), Recorded: time.Now(), Volumes: 1}}
		if _, _, err := (&cli{}).settled(ctx, func() (evidence, error) { return unsettled, nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// Which nodes are meant is read anew each time, too: a node may be made anew meanwhile.
func TestReadNodes(t *testing.T) {
	t.Parallel()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "there", Name: record.HeartbeatName}}
	record.Heartbeat{Completed: time.Now()}.Write(lease, time.Now())
	kube := fake.NewClientset(lease)
	d := &drainCheck{cli: &cli{controllerNamespace: "there", csiDriver: "csi.storageos.com"}}
	for _, id := range []string{"before", "now"} {
		n := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}, Spec: storagev1.CSINodeSpec{
			Drivers: []storagev1.CSINodeDriver{{Name: "csi.storageos.com", NodeID: id}},
		}}
		_ = kube.Tracker().Delete(storagev1.SchemeGroupVersion.WithResource("csinodes"), "", n.Name)
		if err := kube.Tracker().Add(n); err != nil {
			t.Fatal(err)
		}
		is, err := d.read(t.Context(), kube, recordsfake.NewSimpleClientset())
		if err != nil || is.csi["worker-1"] != id {
			t.Errorf("%v, %v, want %s", is.csi, err, id)
		}
	}
}
