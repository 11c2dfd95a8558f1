package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	recordsfake "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var (
	old   = metav1.NewTime(time.Unix(1000, 0))
	young = metav1.NewTime(time.Unix(3000, 0))
)

func volume(id string, changes ...func(*v1.Volume)) v1.Volume {
	r := v1.Volume{ObjectMeta: metav1.ObjectMeta{
		Name: "r-" + id, CreationTimestamp: old, Labels: map[string]string{v1.LabelVolumeID: id}, Annotations: map[string]string{},
	}}
	r.Status.VolumeID = id
	record.Listed.Apply(&r, v1.ConditionPresent, old.Time)
	record.NoPersistentVolume.Apply(&r, v1.ConditionBound, old.Time)
	for _, change := range changes {
		change(&r)
	}
	return r
}

func absent(r *v1.Volume) { r.Annotations[v1.AnnotationAbsentSince] = "2026-01-02T03:04:05Z" }

// bare is a record as it is made.
func bare(r *v1.Volume) { r.Status = v1.VolumeStatus{} }

// pruned is what an older CRD does to a record.
func pruned(r *v1.Volume) {
	r.Status.Health, r.Status.Ready, r.Status.Capacity, r.Status.PersistentVolume, r.Status.Conditions = "", "", nil, nil, nil
}

func persistentVolume(id string, changes ...func(*corev1.PersistentVolume)) corev1.PersistentVolume {
	p := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "p-" + id, CreationTimestamp: old}}
	p.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "csi.storageos.com", VolumeHandle: "ns/" + id}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// Orphans of each kind are found, and what is only young or wanted is not.
func TestFindOrphans(t *testing.T) {
	t.Parallel()
	bound := func(c record.Condition) func(*v1.Volume) {
		return func(r *v1.Volume) { c.Apply(r, v1.ConditionBound, old.Time) }
	}
	records := []v1.Volume{
		volume("fine"),
		volume("absent", absent, func(r *v1.Volume) {
			r.Status.PersistentVolume = &v1.PersistentVolumeStatus{Claim: &v1.ClaimReference{Namespace: "team-1", Name: "data"}}
		}),
		volume("unclaimed", bound(record.Unclaimed)),
		volume("claimed-since", bound(record.Unclaimed)),
		volume("not yet unclaimed", bound(record.NoPersistentVolume)),
		volume(""),
		volume("fine", absent, func(r *v1.Volume) { r.Name, r.CreationTimestamp = "copy", young }),
		volume("older-crd", pruned),
		volume("older-crd-joined", pruned),
		volume("older-crd-young", pruned, func(r *v1.Volume) { r.CreationTimestamp = young }),
		volume("older-crd-absent", pruned, absent),
		volume("elsewhere", func(r *v1.Volume) { r.Annotations[v1.AnnotationClusterID] = "another" }),
		volume("here", func(r *v1.Volume) { r.Annotations[v1.AnnotationClusterID] = "c1" }),
	}
	pvs := []corev1.PersistentVolume{
		persistentVolume("fine"), persistentVolume("gone", func(p *corev1.PersistentVolume) {
			p.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "team-2", Name: "data"}
		}), persistentVolume("absent"), persistentVolume("claimed-since"), persistentVolume("older-crd-joined"),
		persistentVolume("elsewhere"), persistentVolume("here"),
		persistentVolume("young", func(p *corev1.PersistentVolume) { p.CreationTimestamp = young }),
		persistentVolume("terminating", func(p *corev1.PersistentVolume) { p.DeletionTimestamp = &old }),
	}
	complete(records, pvs)
	var got []string
	for _, o := range findOrphans(records, pvs, time.Unix(2000, 0), record.Heartbeat{Cluster: "c1"}) {
		since := "unknown"
		if o.Since != nil {
			since = o.Since.UTC().Format(time.RFC3339)
		}
		got = append(got, o.Kind+" "+o.Name+" "+o.VolumeID+" "+since+" "+o.namespace)
	}
	want := []string{
		"absent_record r-absent absent 2026-01-02T03:04:05Z team-1",
		"absent_record r-older-crd-absent older-crd-absent 2026-01-02T03:04:05Z ",
		"missing_volume p-absent absent 2026-01-02T03:04:05Z ",
		"missing_volume p-elsewhere elsewhere unknown ",
		"missing_volume p-gone gone unknown team-2",
		"unclaimed_volume r-older-crd older-crd unknown ",
		"unclaimed_volume r-unclaimed unclaimed 1970-01-01T00:16:40Z ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for beat, why := range map[record.Heartbeat]string{
		{Invalid: 1}:               "; 1 volume or PersistentVolume cannot be recorded, and it may be that",
		{Invalid: 2, Unwritten: 1}: "; 3 volumes or PersistentVolumes cannot be recorded, and it may be one of them",
	} {
		if found := findOrphans(nil, pvs[:1], time.Unix(2000, 0), beat); len(found) != 1 || !strings.Contains(found[0].Why, why) {
			t.Errorf("a volume that cannot be recorded is said to be missing: %+v", found)
		}
	}
}

// What a claim has used is found in its namespace, also once the volume has outlived its PersistentVolume, of
// which its record says nothing any more then.
func TestOrphansOfNamespace(t *testing.T) {
	t.Parallel()
	made := func(r *v1.Volume) {
		r.Spec.ConfigLabels = map[string]string{"csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "team-1"}
	}
	unclaimed := func(r *v1.Volume) { record.Unclaimed.Apply(r, v1.ConditionBound, old.Time) }
	for name, tc := range map[string]struct {
		record v1.Volume
		left   string // of whom nobody knows
		early  string // which is not called an orphan yet
	}{
		"nobody claims its volume":      {record: volume("v1", made, unclaimed)},
		"nor behind an older CRD":       {record: volume("v1", made, pruned)},
		"its volume is absent":          {record: volume("v1", made, absent)},
		"it may get one still":          {record: volume("v1", made), early: "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed."},
		"so may one made by a hand":     {record: volume("v1"), early: "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed."},
		"it may behind an older CRD":    {record: volume("v1", pruned, func(r *v1.Volume) { r.CreationTimestamp = young }), early: "1 volume has no PersistentVolume, and is given time to get one before being called unclaimed."},
		"its volume was made by a hand": {record: volume("v1", unclaimed), left: "1 orphan is left out, as nobody knows whose claim has used the volume: see without --namespace."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			copied := tc.record.DeepCopy() // of one volume
			copied.Name, copied.CreationTimestamp = "copy", metav1.NewTime(young.Add(time.Second))
			records := []v1.Volume{tc.record, *copied}
			complete(records, nil)
			found := findOrphans(records, nil, time.Unix(2000, 0), record.Heartbeat{})
			if early := notYet(records, nil, "team-1", time.Unix(2000, 0), record.Heartbeat{}); early != tc.early {
				t.Errorf("%q, want %q", early, tc.early)
			}
			if tc.early != "" {
				found = append(found, orphan{namespace: "team-1"})
			}
			if len(found) != 1 || (found[0].namespace == "team-1") != (tc.left == "") || nobodys(found) != tc.left {
				t.Errorf("%+v, and it is said %q", found, nobodys(found))
			}
		})
	}
}

// What an older CRD has dropped is what the controller has written.
func TestComplete(t *testing.T) {
	t.Parallel()
	_, r, pv := agreeing(t)
	for name, change := range map[string]func(*v1.Volume, *corev1.PersistentVolume){
		"healthy":               func(*v1.Volume, *corev1.PersistentVolume) {},
		"degraded":              func(r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.Replicas[0].Health = "syncing" },
		"offline":               func(r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.Master.Health = "offline" },
		"absent":                func(r *v1.Volume, _ *corev1.PersistentVolume) { absent(r) },
		"a PV that is released": func(_ *v1.Volume, pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeReleased },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, pv := *r.DeepCopy(), *pv.DeepCopy()
			change(&r, &pv)
			want := r.DeepCopy()
			health, present := record.FromRecord(want).HealthStatus(), record.Listed
			if isAbsent(want) {
				health, present = record.HealthNotListed, record.NotListed
			}
			want.Status.Conditions = nil
			health.Apply(want, old.Time)
			present.Apply(want, v1.ConditionPresent, old.Time)
			record.BoundIn(pv.Status.Phase).Apply(want, v1.ConditionBound, old.Time)
			want.Status.PersistentVolume = joined([]corev1.PersistentVolume{pv})
			for i := range want.Status.Conditions {
				want.Status.Conditions[i].LastTransitionTime = metav1.Time{} // nobody knows
			}

			got := []v1.Volume{*want.DeepCopy()}
			pruned(&got[0])
			complete(got, []corev1.PersistentVolume{pv})
			if diff := cmp.Diff(*want, got[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want.Status.Health == "" || want.Status.Capacity == nil {
				t.Error("nothing was to be completed")
			}
		})
	}
}

// PersistentVolumes are asked for only where records lack something, and then without the
// right to do so nothing is claimed.
func TestOlderCRDWithoutRight(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		record v1.Volume
		err    string
	}{
		"the current CRD": {record: volume("v1")},
		"the older CRD":   {record: volume("v1", pruned), err: "the CRD of the records is an older one"},
		"not ours":        {record: volume("", pruned)},
		"just made":       {record: volume("v1", bare)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := fake.NewClientset()
			kube.PrependReactor("list", "persistentvolumes", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(corev1.Resource("persistentvolumes"), "", errors.New("no right"))
			})
			c := &cli{csiDriver: "csi.storageos.com"}
			got, err := c.completeRecords(context.Background(), kube, recordsfake.NewSimpleClientset(&tc.record))
			switch {
			case tc.err == "" && (err != nil || len(got) != 1):
				t.Errorf("%d records, %v", len(got), err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), "no right")):
				t.Errorf("error %v, want %s", err, tc.err)
			}
		})
	}
}

// Old records are not shown without a word.
func TestDoubts(t *testing.T) {
	t.Parallel()
	now := time.Unix(5000, 0)
	of := func(cluster string) func(*v1.Volume) {
		return func(r *v1.Volume) { r.Annotations[v1.AnnotationClusterID] = cluster }
	}
	records := []v1.Volume{volume("v1", of("c1")), volume("v2", of("c1")), volume("v3", of("c2")), volume("v4")}
	going := volume("v5", func(r *v1.Volume) { r.DeletionTimestamp = &old })
	for name, tc := range map[string]struct {
		age    time.Duration // of the last complete listing; 0: there is no Lease
		behind time.Duration // of what was listed before that not all is recorded
		said   record.Heartbeat
		want   string
		more   []v1.Volume
		gone   types.UID // of a record that was there at that time
	}{
		"fresh":                           {age: 59 * time.Second},
		"what was listed is not recorded": {age: time.Second, behind: 3 * time.Minute, want: "What was listed in the last 3m0s is not all recorded yet."},
		"the last listing took long":      {age: 48 * time.Second, behind: 20 * time.Second},
		"nor before that":                 {age: 12 * time.Minute, behind: 3 * time.Minute, want: "how it was then. What was listed in the last 3m0s is not all recorded yet."},
		"nothing was recorded yet":        {age: time.Second, behind: 1 << 62, want: "What was listed is not all recorded yet, or not any more."},
		"a volume is deleted": {age: time.Second, behind: 1 << 62, more: []v1.Volume{volume("v6", absent)},
			want: "1 record waits for the proof that its volume is gone; meanwhile it cannot be told whether all else is recorded."},
		"there are fewer records":                {age: time.Second, said: record.Heartbeat{Volumes: 9}, want: "StorageOS has listed 9 volumes, and there are records of 4."},
		"there are, and some cannot be recorded": {age: time.Second, said: record.Heartbeat{Volumes: 9, Invalid: 2}, want: "StorageOS has listed 9 volumes, and there are records of 4."},
		"there are not, as some cannot be":       {age: time.Second, said: record.Heartbeat{Volumes: 6, Invalid: 2}, want: "2 volumes or PersistentVolumes are not recorded as they are now."},
		"one of them waits": {age: time.Second, more: []v1.Volume{volume("v6", func(r *v1.Volume) { r.Annotations[v1.AnnotationAbsentSince] = old.UTC().Format(time.RFC3339) })},
			said: record.Heartbeat{Volumes: 5}, want: "StorageOS has listed 5 volumes, and there are records of 4."},
		"one of them was marked since": {age: time.Second, more: []v1.Volume{volume("v6", absent)}, said: record.Heartbeat{Volumes: 5}},
		"there are of another cluster": {age: time.Second, said: record.Heartbeat{Cluster: "c2", Volumes: 4}, want: "StorageOS has listed 4 volumes, and there are records of 2. 2 records are of another"},
		"another is there for one":     {age: time.Second, gone: "v7", said: record.Heartbeat{Volumes: 4}, want: "There are other records than the controller knew of when StorageOS was last listed: there may be more volumes."},
		"one is there twice":           {age: time.Second, more: []v1.Volume{volume("v1", func(r *v1.Volume) { r.Name, r.UID = "zz-second", "second" })}, said: record.Heartbeat{Volumes: 4}},
		"there are fewer, and others":  {age: time.Second, gone: "v7", said: record.Heartbeat{Volumes: 9}, want: "StorageOS has listed 9 volumes, and there are records of 4."},
		"a record without status":      {age: time.Second, more: []v1.Volume{volume("v6", bare)}, want: "1 record has no status yet: where the copies are is not known. 1 record does not say yet which claim uses the volume."},
		"a record without claim":       {age: time.Second, more: []v1.Volume{volume("v6", pruned)}, want: "1 record does not say yet which claim uses the volume."},
		"of which a condition is left": {age: time.Second, more: []v1.Volume{volume("v6", func(r *v1.Volume) { record.Bound.Apply(r, v1.ConditionBound, old.Time) })}, want: "1 record does not say yet which claim uses the volume."},
		"a record goes":                {age: time.Second, more: []v1.Volume{going}, want: "1 record is being deleted and not kept true any more."},
		"of another cluster": {age: time.Second, said: record.Heartbeat{Cluster: "c2"},
			want: "2 records are of another StorageOS cluster than the one that was listed, and say how it was before."},
		"of one that is not told":  {age: time.Second},
		"a record that is held":    {age: time.Second, said: record.Heartbeat{Held: 1}, want: "1 record is held, as its volume is neither listed nor proven gone: the leader's status page says why."},
		"not all of it":            {age: time.Second, said: record.Heartbeat{Invalid: 1, Unwritten: 2}, want: "3 volumes or PersistentVolumes are not recorded as they are now."},
		"old":                      {age: 12 * time.Minute, want: "StorageOS was last listed completely 12m0s ago by the Lease in namespace there (--controller-namespace): records say at best how it was then."},
		"old, and not all of that": {age: 12 * time.Minute, behind: 1 << 62, want: "how it was then. What was listed is not all recorded yet, or not any more."},
		"nobody says":              {want: "Whether the records are up to date cannot be told: there is no Lease of the listings in namespace there: the controller has not listed StorageOS completely yet, or runs elsewhere (--controller-namespace)."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := fake.NewClientset()
			if tc.age > 0 {
				lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "there", Name: record.HeartbeatName}}
				tc.said.Completed = now.Add(-tc.age)
				if tc.behind < time.Hour {
					tc.said.Recorded = tc.said.Completed.Add(-tc.behind)
				}
				tc.said.Records = record.SumOf(append(slices.Clone(records), tc.more...), tc.said.Completed)
				if tc.gone != "" {
					tc.said.Records += record.SumOfOne(tc.gone)
				}
				tc.said.Write(lease, tc.said.Completed)
				if err := kube.Tracker().Add(lease); err != nil {
					t.Fatal(err)
				}
			}
			c := &cli{controllerNamespace: "there"}
			h, err := c.heartbeat(context.Background(), kube)
			if got := c.doubts(append(slices.Clone(records), tc.more...), h, err, now); !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
