package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

const listed = `{"id": "v1", "name": "pvc-1", "labels": {"storageos.com/replicas": "1"}, "fsType": "ext4", "sizeBytes": 1073741824,
	"attachmentType": "host", "attachedOn": "n1", "master": {"id": "m", "nodeID": "n1", "health": "online"},
	"replicas": [{"id": "r", "nodeID": "n2", "health": "ready", "syncProgress": {"bytesRemaining": 7}}]}`

// agreeing are a StorageOS with one volume, its record and its PersistentVolume.
func agreeing(t *testing.T) (*world, *v1.Volume, *corev1.PersistentVolume) {
	t.Helper()
	volume, err := storageos.DecodeVolume([]byte(listed))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{cluster: "c1", nodes: map[string]string{"n1": "node-1", "n2": "node-2"}, volumes: map[string]sight{"v1": {"ns1", volume, nil}}, read: time.Now()}
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-1"},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{VolumeHandle: "ns1/v1"}},
			ClaimRef:               &corev1.ObjectReference{Namespace: "team", Name: "data"},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	}
	r := &v1.Volume{ObjectMeta: metav1.ObjectMeta{
		Name: "pvc-1", Labels: map[string]string{v1.LabelVolumeID: "v1"},
		Annotations: map[string]string{v1.AnnotationClusterID: "c1", v1.AnnotationNamespaceID: "ns1"},
	}}
	c, err := record.FromVolume(volume, "ns1", w.nodes)
	if err != nil {
		t.Fatal(err)
	}
	r.Spec, r.Status = c.Spec, c.Status
	r.Status.PersistentVolume = joined([]corev1.PersistentVolume{*pv})
	record.Listed.Apply(r, v1.ConditionPresent, old.Time)
	c.HealthStatus().Condition.Apply(r, v1.ConditionHealthy, old.Time)
	record.Bound.Apply(r, v1.ConditionBound, old.Time)
	return w, r.DeepCopy(), pv
}

// notListed takes the volume away, and has the record say so.
func notListed(w *world, r *v1.Volume) {
	clear(w.volumes)
	r.Annotations[v1.AnnotationAbsentSince] = "2026-01-02T03:04:05Z"
	record.NotListed.Apply(r, v1.ConditionPresent, old.Time)
	record.HealthNotListed.Apply(r, old.Time)
}

// meant is a PersistentVolume whose volume is meant to go with it.
func meant(pv *corev1.PersistentVolume) {
	pv.Status.Phase, pv.Spec.PersistentVolumeReclaimPolicy = corev1.VolumeReleased, corev1.PersistentVolumeReclaimDelete
}

// gone has no PersistentVolume refer to the volume any more; the record keeps the last.
func gone(r *v1.Volume, pv *corev1.PersistentVolume) {
	meant(pv)
	pv.Spec.CSI = nil
	record.NoPersistentVolume.Apply(r, v1.ConditionBound, old.Time)
}

// Each way in which the three can disagree is found, and named.
func TestDifferences(t *testing.T) {
	t.Parallel()
	type change func(w *world, r *v1.Volume, pv *corev1.PersistentVolume)
	for name, tc := range map[string]struct {
		change change
		want   []string // object field
	}{
		"they agree":            {func(*world, *v1.Volume, *corev1.PersistentVolume) {}, nil},
		"size":                  {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Spec.SizeBytes = 1 }, []string{"Volume/pvc-1 spec.sizeBytes"}},
		"labels":                {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Spec.ConfigLabels = nil }, []string{"Volume/pvc-1 spec.configLabels"}},
		"label":                 {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { delete(r.Labels, v1.LabelVolumeID) }, []string{"Volume/pvc-1 volume-id"}},
		"attached":              {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.AttachedOn = "n2" }, []string{"Volume/pvc-1 status.attachedOn"}},
		"health":                {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.Health = "Offline" }, []string{"Volume/pvc-1 status.health"}},
		"host name":             {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.Master.Hostname = "x" }, []string{"Volume/pvc-1 status.master"}},
		"a node that has left":  {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { clear(w.nodes) }, nil},
		"a node without a name": {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { w.nodes["n1"] = "" }, nil},
		"a host name that StorageOS tells of a node that has left": {func(w *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			clear(w.nodes)
			r.Status.Master.Hostname = "x"
			volume, err := storageos.DecodeVolume([]byte(strings.Replace(listed, `"id": "m",`, `"id": "m", "hostname": "node-1",`, 1)))
			must(err)
			w.volumes["v1"] = sight{"ns1", volume, nil}
		}, []string{"Volume/pvc-1 status.master"}},
		"somebody's strategy": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Spec.Strategy = 1 }, nil},
		"a capacity that is written otherwise": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			must(r.Status.Capacity.UnmarshalJSON([]byte(`"1073741824"`)))
		}, nil},
		"another node, which has left": {func(w *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			clear(w.nodes)
			r.Status.Master.NodeID = "n3"
		}, []string{"Volume/pvc-1 status.master"}},
		"progress":         {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.Replicas[0].SyncProgress = nil }, nil},
		"cluster":          {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { w.cluster = "c2" }, []string{"Volume/pvc-1 cluster-id"}},
		"cluster not told": {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { w.cluster = "" }, nil},
		"namespace": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			r.Annotations[v1.AnnotationNamespaceID] = "x"
		}, []string{"Volume/pvc-1 namespace-id"}},
		"marked absent": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			r.Annotations[v1.AnnotationAbsentSince] = "x"
		}, []string{"Volume/pvc-1 absent-since"}},
		"claim": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Status.PersistentVolume.Claim.Name = "x" }, []string{"Volume/pvc-1 status.persistentVolume"}},
		"phase": {func(_ *world, _ *v1.Volume, pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeReleased }, []string{"Volume/pvc-1 status.conditions.Bound", "Volume/pvc-1 status.persistentVolume"}},
		"it says that it is absent": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			record.NotListed.Apply(r, v1.ConditionPresent, old.Time)
		}, []string{"Volume/pvc-1 status.conditions.Present"}},
		"it says that it is not well": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			record.NewHealthStatus(v1.HealthOffline, "0/2").Condition.Apply(r, v1.ConditionHealthy, old.Time)
		}, []string{"Volume/pvc-1 status.conditions.Healthy"}},
		"it says that nobody claims it": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			record.Unclaimed.Apply(r, v1.ConditionBound, old.Time)
		}, []string{"Volume/pvc-1 status.conditions.Bound"}},
		"the older CRD": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			pruned(r)
		}, nil},
		"the current CRD, and it says nothing": {func(w *world, r *v1.Volume, _ *corev1.PersistentVolume) {
			w.currentCRD = true
			pruned(r)
		}, []string{
			"Volume/pvc-1 status.capacity", "Volume/pvc-1 status.conditions.Bound", "Volume/pvc-1 status.conditions.Healthy",
			"Volume/pvc-1 status.conditions.Present", "Volume/pvc-1 status.health", "Volume/pvc-1 status.persistentVolume", "Volume/pvc-1 status.ready",
		}},
		"listed twice alike": {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { w.sees("v1", w.volumes["v1"]) }, nil},
		"listed twice, not alike": {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) {
			w.sees("v1", sight{"ns2", w.volumes["v1"].volume, nil})
			w.sees("v1", w.volumes["v1"])
		}, []string{"Volume/pvc-1 "}},
		"another one's record": {func(_ *world, r *v1.Volume, _ *corev1.PersistentVolume) { r.Labels = nil; r.Status.VolumeID = "" }, []string{"Volume "}},
		"no such volume": {
			func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) { clear(w.volumes) }, []string{"PersistentVolume/pvc-1 ", "Volume/pvc-1 "},
		},
		"no such volume, which the record says": {
			func(w *world, r *v1.Volume, _ *corev1.PersistentVolume) { notListed(w, r) }, []string{"PersistentVolume/pvc-1 "},
		},
		"no such volume, and the record says that it is well": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				well := *r.Status.DeepCopy()
				notListed(w, r)
				r.Status = well
				meant(pv)
				r.Status.PersistentVolume = joined([]corev1.PersistentVolume{*pv})
				record.BoundIn(corev1.VolumeReleased).Apply(r, v1.ConditionBound, old.Time)
			}, []string{"Volume/pvc-1 status.conditions.Healthy", "Volume/pvc-1 status.conditions.Present", "Volume/pvc-1 status.health", "Volume/pvc-1 status.ready"},
		},
		"no such volume, and the record says another phase": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) { notListed(w, r); meant(pv) },
			[]string{"Volume/pvc-1 status.conditions.Bound", "Volume/pvc-1 status.persistentVolume"},
		},
		"no such volume of another cluster, and the record says another phase": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				meant(pv)
				w.cluster = "c2"
			}, []string{"Volume/pvc-1 status.conditions.Bound", "Volume/pvc-1 status.persistentVolume"},
		},
		"no such volume, and no time is said": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				r.Annotations[v1.AnnotationAbsentSince] = "banana"
			}, []string{"Volume/pvc-1 absent-since"},
		},
		"no such volume, and a time to come": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				r.Annotations[v1.AnnotationAbsentSince] = "2999-01-02T03:04:05Z"
			}, []string{"Volume/pvc-1 absent-since"},
		},
		"the same, and the cluster does not tell its name": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				r.Annotations[v1.AnnotationAbsentSince] = "banana"
				w.cluster = ""
			}, nil,
		},
		"the same of another cluster": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				r.Annotations[v1.AnnotationAbsentSince] = "banana"
				w.cluster = "c2"
			}, nil,
		},
		"no such volume, and none refers to it": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				record.Bound.Apply(r, v1.ConditionBound, old.Time)
			}, []string{"Volume/pvc-1 status.conditions.Bound"},
		},
		"nor did one before": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				gone(r, pv)
				record.Unclaimed.Apply(r, v1.ConditionBound, old.Time)
			}, nil,
		},
		"no such volume, and the record goes": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				meant(pv)
				r.DeletionTimestamp = &old
			}, nil,
		},
		"no such volume, in the older CRD": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) { notListed(w, r); meant(pv); pruned(r) }, nil,
		},
		"no such volume, which was asked for": {
			func(w *world, r *v1.Volume, pv *corev1.PersistentVolume) {
				notListed(w, r)
				meant(pv)
				r.Status.PersistentVolume = joined([]corev1.PersistentVolume{*pv})
				record.BoundIn(corev1.VolumeReleased).Apply(r, v1.ConditionBound, old.Time)
			}, nil,
		},
		"not to be read": {func(w *world, _ *v1.Volume, _ *corev1.PersistentVolume) {
			w.volumes["v1"] = sight{"ns1", nil, errors.New("no")}
		}, []string{"Volume/pvc-1 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r, pv := agreeing(t)
			tc.change(w, r, pv)
			var got []string
			pvs := map[string][]corev1.PersistentVolume{}
			if pv.Spec.CSI != nil {
				pvs["v1"] = append(pvs["v1"], *pv)
			}
			for _, d := range differences(w, []v1.Volume{*r}, pvs) {
				got = append(got, d.Object+" "+d.Field)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of several records of a volume that is gone the oldest is kept true.
func TestDifferencesAbsentTwice(t *testing.T) {
	t.Parallel()
	w, r, _ := agreeing(t)
	well := r.Status.Health
	notListed(w, r)
	record.NoPersistentVolume.Apply(r, v1.ConditionBound, old.Time)
	other := *r.DeepCopy()
	other.Name = r.Name + "-again"
	other.Status.Health = well
	if found := differences(w, []v1.Volume{other, *r}, nil); len(found) != 0 {
		t.Errorf("the younger one differs: %v", found)
	}
	other.Name, other.Status.Health, r.Status.Health = "a", r.Status.Health, well
	other.CreationTimestamp, r.CreationTimestamp = metav1.NewTime(old.Add(time.Hour)), old
	if found := differences(w, []v1.Volume{other, *r}, nil); len(found) != 1 || found[0].Field != "status.health" {
		t.Errorf("the oldest one differs: %v", found)
	}
}

// Two records of one volume are a difference; one that is passing is none.
func TestLasting(t *testing.T) {
	t.Parallel()
	w, r, pv := agreeing(t)
	double := *r.DeepCopy()
	double.Name = "pvc-1-again"
	found := differences(w, []v1.Volume{*r, double}, map[string][]corev1.PersistentVolume{"v1": {*pv}})
	if len(found) != 1 || found[0].Kubernetes != "2 records" {
		t.Errorf("differences %v", found)
	}
	if left := lasting(nil, found); len(left) != 0 {
		t.Errorf("it was not there before: %v", left)
	}
	if left := lasting(found, append([]difference{}, found...)); len(left) != 1 {
		t.Errorf("it was there before: %v", left)
	}
	follows := append([]difference{}, found...)
	follows[0].Kubernetes = "3 records"
	if left := lasting(found, follows); len(left) != 1 {
		t.Errorf("StorageOS says what it said, and Kubernetes something else each time: %v", left)
	}
	follows[0].StorageOS = "elsewhere"
	if left := lasting(found, follows); len(left) != 0 {
		t.Errorf("Kubernetes follows a volume that goes on changing: %v", left)
	}
}

// What differs is named as kubectl knows it.
func TestDifferenceName(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		"Volume/a": "volume.api.storageos.com/a", "PersistentVolume/a": "persistentvolume/a", "Volume": "volume.api.storageos.com/id",
	} {
		if got := (difference{Object: object, VolumeID: "id"}).name(); got != want {
			t.Errorf("%s is named %q, want %q", object, got, want)
		}
	}
}

// Mistakes are answered by what to do, before anything is asked.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"list -o csv":                       `unknown output format "csv": use -o with one of table, wide, json, yaml, kyaml, name, jsonpath=..., `,
		"nodes --output=":                   `unknown output format "": use -o with one of table, `,
		"orphans --grace -1s":               "--grace -1s is less than 0",
		"verify --settle -5s":               "--settle -5s is less than 0",
		"list -o jsonpath={.items":          "unclosed action",
		"orphans -o custom-columns=":        "custom-columns format specified but no custom columns given",
		"list --health Sick":                `unknown health "Sick": use --health with one of Healthy`,
		"orphans now":                       `orphans takes no names, and "now" is one: see `,
		"nodes now":                         `nodes takes no names`,
		"verify now":                        `verify takes no names`,
		"drain-check":                       "name the nodes, or say --selector: ",
		"drain-check a -l b=c":              "name the nodes or say --selector, not both",
		"list --nonsense":                   "unknown flag: --nonsense",
		"nonsense":                          "unknown command",
		"verify --kubeconfig /does/not/be":  "see --kubeconfig and --context",
		"orphans --kubeconfig /does/not/be": "see --kubeconfig and --context",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			streams, _, _, stderr := genericiooptions.NewTestIOStreams()
			if code := run(strings.Fields(args), streams); code != exitError || !strings.Contains(stderr.String(), want) {
				t.Errorf("exit code %d, said %q, want %q", code, stderr, want)
			}
		})
	}
}

// Help has examples, and values can be completed.
func TestHelp(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"list -h":                          "kubectl storageos-volumes list --health Degraded,Offline -o wide",
		"orphans -h":                       "kubectl storageos-volumes orphans -o json",
		"verify -h":                        "kubectl storageos-volumes verify",
		"--version":                        "kubectl-storageos_volumes ",
		"version":                          "(commit ",
		"__complete list --health ":        "Degraded",
		"completion bash":                  "bash completion V2",
		"completion zsh --no-descriptions": "#compdef",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
			words := strings.Split(args, " ")
			if code := run(words, streams); code != exitOK || !strings.Contains(stdout.String(), want) {
				t.Errorf("exit code %d, said %q %q, want %q", code, stdout, stderr, want)
			}
		})
	}
}

// What differs is a difference if it still does at the next look, whichever look has shown it first.
func TestVerifyLasts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		looks []string // the objects that differ, a letter each
		want  string
	}{
		"nothing differs":                 {looks: []string{""}},
		"it is over":                      {looks: []string{"a", ""}},
		"it lasts":                        {looks: []string{"ab", "a"}, want: "a"},
		"it is new, and is over":          {looks: []string{"a", "b", ""}},
		"it is new, and lasts":            {looks: []string{"a", "b", "b"}, want: "b"},
		"both last":                       {looks: []string{"a", "ab", "ab"}, want: "ab"},
		"there is something new for ever": {looks: []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				streams, _, _, _ := genericiooptions.NewTestIOStreams()
				v, begun, n := &verify{cli: &cli{IOStreams: streams}, settlement: time.Minute}, time.Now(), 0
				found, counted, err := v.lasts(t.Context(), func() (found []difference, counted string, err error) {
					for _, object := range tc.looks[n] {
						found = append(found, difference{Object: string(object), Kubernetes: "differs"})
					}
					n++
					return found, tc.looks[n-1], nil
				})
				got := ""
				for _, d := range found {
					got += d.Object
				}
				if err != nil || got != tc.want || n != len(tc.looks) || counted != tc.looks[n-1] || time.Since(begun) != time.Duration(n-1)*time.Minute {
					t.Errorf("%q, %v, after %d looks and %v, want %q", got, err, n, time.Since(begun), tc.want)
				}
			})
		})
	}
}
