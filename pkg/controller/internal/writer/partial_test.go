package writer

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// anOutlined is a record as the controller has left it, and its content.
func anOutlined(t *testing.T) (*v1.Volume, record.Content) {
	t.Helper()
	_, c := recordtest.Volume(t)
	for _, host := range []*string{&c.Status.AttachedOnHost, &c.Status.Master.Hostname} {
		*host = "host"
	}
	for i := range c.Status.Replicas {
		c.Status.Replicas[i].Hostname = "host"
	}
	r := recordtest.Written(c, "cluster", &state.PV{PVSummary: state.PVSummary{Name: "pv", ClaimName: "data", Phase: state.Intern(corev1.VolumeBound)}})
	for i := range r.Status.Conditions {
		r.Status.Conditions[i].LastTransitionTime = metav1.Unix(1_700_000_000+int64(i), 0)
	}
	return r, c
}

// Whatever is written, a record comes to say the same by the patches of its outline as
// by those of the record itself.
func TestPatchesOfAnOutline(t *testing.T) {
	t.Parallel()
	bound := state.PVSummary{Name: "pv", ClaimName: "data", Phase: state.Intern(corev1.VolumeBound)}
	for name, tc := range map[string]struct {
		before  func(*v1.Volume)      // the record
		content func(*record.Content) // nil: it is not written
		summary func(*state.Summary)
	}{
		"a master offline": {content: func(c *record.Content) {
			c.Status.Master.Health = "offline"
		}, summary: func(s *state.Summary) {
			s.Health = state.Intern(record.NewHealthStatus(v1.HealthOffline, "1/2"))
		}},
		"fewer copies, and as healthy": {summary: func(s *state.Summary) {
			s.Health = state.Intern(record.NewHealthStatus(v1.HealthHealthy, "1/1"))
		}},
		"a health that somebody has edited": {before: func(r *v1.Volume) {
			r.Status.Health, r.Status.Ready, r.Status.Conditions[0].Reason = "Fine", "", "x"
		}},
		"detached": {content: func(c *record.Content) {
			c.Status.AttachedOn, c.Status.AttachedOnHost, c.Status.AttachmentType = "", "", ""
		}},
		"no replicas any more": {content: func(c *record.Content) { c.Status.Replicas = nil }},
		"another replica":      {content: func(c *record.Content) { c.Status.Replicas = []v1.Replica{{ID: "new", Promotable: true}} }},
		"a master less":        {content: func(c *record.Content) { c.Status.Master = &v1.Master{Health: "unknown"} }},
		"a master promotable":  {content: func(c *record.Content) { c.Status.Master.Promotable = true }},
		"one not promotable": {
			before:  func(r *v1.Volume) { r.Status.Master.Promotable = true },
			content: func(*record.Content) {},
		},
		"a status that was not written yet": {
			before:  func(r *v1.Volume) { r.Status = v1.VolumeStatus{} },
			content: func(*record.Content) {},
		},
		"a status that somebody has edited": {
			before: func(r *v1.Volume) {
				r.Status.AttachedOn, r.Status.VolumeID, r.Status.Replicas = "x", "x", []v1.Replica{{ID: "x"}}
				r.Status.Master = &v1.Master{Hostname: "x", NodeID: "y"}
				q := resource.MustParse("7Ti")
				r.Status.Capacity = &q
			},
			content: func(*record.Content) {},
		},
		"conditions in another order": {
			before:  func(r *v1.Volume) { slices.Reverse(r.Status.Conditions) },
			summary: func(s *state.Summary) { s.Present = state.PresentFalse },
		},
		"a label that somebody has edited": {
			before: func(r *v1.Volume) { r.Labels[v1.LabelVolumeID] = "x" }, content: func(*record.Content) {},
		},
		"labels and annotations of others": {
			before:  func(r *v1.Volume) { r.Labels["a"], r.Annotations["b"], r.Finalizers = "1", "2", []string{"c"} },
			content: func(*record.Content) {},
			summary: func(s *state.Summary) { s.Mark = "2026-01-02T03:04:05Z" },
		},
		"released": {summary: func(s *state.Summary) {
			s.PV.Phase, s.Bound = state.Intern(corev1.VolumeReleased), state.BoundUnclaimed
		}},
		"no PersistentVolume": {summary: func(s *state.Summary) { s.PV, s.Bound = state.PVSummary{}, state.BoundNone }},
		"another":             {summary: func(s *state.Summary) { s.PV = state.PVSummary{Name: "other"} }},
		"absent": {summary: func(s *state.Summary) {
			s.Present, s.Mark, s.Health = state.PresentFalse, "2026-01-02T03:04:05Z", state.NotListed
		}},
		"absent, and no content":  {before: func(r *v1.Volume) { r.Status.AttachedOn = "x" }, summary: func(s *state.Summary) { s.Present = state.PresentFalse }},
		"there again":             {before: func(r *v1.Volume) { r.Annotations[v1.AnnotationAbsentSince] = "x" }},
		"nothing of its own time": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := anOutlined(t)
			w := &Change{VolumeID: c.VolumeID, Cluster: "cluster", Now: metav1.Unix(1_800_000_000, 0),
				Summary: state.Summary{Health: state.Intern(c.HealthStatus()), PV: bound, Bound: state.BoundTrue, Present: state.PresentTrue}}
			if tc.before != nil {
				tc.before(r)
			}
			if tc.content != nil {
				tc.content(&c)
				w.Content = &c
				_, w.SpecHash = state.DigestContent(c)
			}
			if tc.summary != nil {
				tc.summary(&w.Summary)
			}
			known := state.NewRecord(r)
			if !w.outlined(known) {
				t.Fatal("the outline is taken not to be enough")
			}
			p, err := w.patchesOf(known)
			if err != nil {
				t.Fatal(err)
			}
			q, err := w.patches(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(having(t, r, q), having(t, r, p)); diff != "" {
				t.Errorf("after the patches of the outline (-want +got):\n%s", diff)
			}
			if len(p.resource) > 0 && len(q.resource) == 0 || p.status != nil && q.status == nil && w.Content == nil {
				t.Errorf("a patch that the record does not need: %v", p)
			}
		})
	}
}

// having is a record after its patches.
func having(t *testing.T, r *v1.Volume, p patches) *v1.Volume {
	t.Helper()
	both := maps.Clone(p.resource)
	if p.status != nil {
		both["status"] = p.status
	}
	raw, err := json.Marshal(both)
	if err != nil {
		t.Fatal(err)
	}
	patch := map[string]any{}
	if err := json.Unmarshal(raw, &patch); err != nil {
		t.Fatal(err)
	}
	is, err := recordtest.Patched(r, patch)
	if err != nil {
		t.Fatal(err)
	}
	// They are a map, by type.
	slices.SortFunc(is.Status.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return is
}

// Where the outline does not say all that a write has to know, it is not enough.
func TestOutlined(t *testing.T) {
	t.Parallel()
	condition := metav1.Condition{Type: "Theirs", Status: metav1.ConditionTrue, Reason: "R", LastTransitionTime: metav1.Unix(1_700_000_000, 0)}
	for name, tc := range map[string]struct {
		record  func(*v1.Volume)
		content func(*record.Content)
	}{
		"a condition of somebody else":    {record: func(r *v1.Volume) { r.Status.Conditions = append(r.Status.Conditions, condition) }},
		"no namespace":                    {record: func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationNamespaceID) }},
		"a condition twice":               {record: func(r *v1.Volume) { r.Status.Conditions[1] = r.Status.Conditions[0] }},
		"a condition of a generation":     {record: func(r *v1.Volume) { r.Status.Conditions[0].ObservedGeneration = 1 }},
		"a condition without a time":      {record: func(r *v1.Volume) { r.Status.Conditions[0].LastTransitionTime = metav1.Time{} }},
		"a condition of times to come":    {record: func(r *v1.Volume) { r.Status.Conditions[0].LastTransitionTime = metav1.Unix(1<<32, 0) }},
		"a condition without a status":    {record: func(r *v1.Volume) { r.Status.Conditions[0].Status = "" }},
		"half a claim":                    {record: func(r *v1.Volume) { r.Status.PersistentVolume.Claim.Name = "" }},
		"a PersistentVolume with no name": {record: func(r *v1.Volume) { r.Status.PersistentVolume.Name = "" }},
		"a strategy":                      {record: func(r *v1.Volume) { r.Spec.Strategy = 1 }},
		"consumers":                       {record: func(r *v1.Volume) { r.Status.ConsumerCount = 1 }},
		"a spec that differs":             {content: func(c *record.Content) { c.Spec.SizeBytes++ }},
		"a label that has gone":           {content: func(c *record.Content) { c.Spec.ConfigLabels = nil }},
		"a host without a name":           {content: func(c *record.Content) { c.Status.AttachedOn, c.Status.AttachedOnHost = "n", "" }},
		"a master without a host name":    {content: func(c *record.Content) { c.Status.Master.Hostname = "" }},
		"a replica without a host name":   {content: func(c *record.Content) { c.Status.Replicas[0].Hostname = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := anOutlined(t)
			if tc.record != nil {
				tc.record(r)
			}
			if tc.content != nil {
				tc.content(&c)
			}
			w := &Change{Content: &c}
			_, w.SpecHash = state.DigestContent(c)
			if w.outlined(state.NewRecord(r)) {
				t.Error("the outline is taken to be enough")
			}
		})
	}
}

// No field that the volume decides is left out where all of them are written.
func TestUnreadContent(t *testing.T) {
	t.Parallel()
	fields := func(of any, but ...string) map[string]bool {
		all := map[string]bool{}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !slices.Contains(but, name) {
				all[name] = true
			}
		}
		return all
	}
	known := func(m any) map[string]bool {
		all := map[string]bool{}
		for name := range m.(map[string]any) {
			all[name] = true
		}
		return all
	}
	if diff := cmp.Diff(fields(v1.VolumeStatus{}, "consumerCount", "persistentVolume", "conditions", "health", "ready"), known(unreadContent)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fields(v1.Master{}), known(unreadContent["master"])); diff != "" {
		t.Errorf("master (-want +got):\n%s", diff)
	}
}
