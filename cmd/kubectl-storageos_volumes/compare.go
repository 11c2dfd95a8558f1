package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// difference is where Kubernetes does not say what StorageOS says.
type difference struct {
	Object     string `json:"object"` // kind/name
	VolumeID   string `json:"volumeID"`
	Field      string `json:"field"`
	StorageOS  string `json:"storageOS"`
	Kubernetes string `json:"kubernetes"`
}

// name is the object as kubectl knows it; a volume without a record has only its ID.
func (d difference) name() string {
	kind, name, _ := strings.Cut(d.Object, "/")
	if kind == "PersistentVolume" {
		return persistentVolumeName(name)
	}
	return volumeName(plain(cmp.Or(name, d.VolumeID)))
}

// lasting are the differences that were there before and still are. Where both say something else
// than before, Kubernetes follows a volume that goes on changing.
func lasting(before, now []difference) []difference {
	return slices.DeleteFunc(now, func(d difference) bool {
		return !slices.ContainsFunc(before, func(b difference) bool {
			return b.Object == d.Object && b.VolumeID == d.VolumeID && b.Field == d.Field && (b.Kubernetes == d.Kubernetes || b.StorageOS == d.StorageOS)
		})
	})
}

// sight is a volume as StorageOS lists it.
type sight struct {
	namespaceID string
	volume      *storageos.Volume
	err         error // it cannot be decoded
}

// world is what StorageOS knows.
type world struct {
	cluster string
	nodes   map[string]string
	volumes map[string]sight
	read    time.Time // by the clock of Kubernetes

	currentCRD bool // of Kubernetes: records have no reason to lack anything
}

// errTwice is that one ID is listed twice, and not in the same way.
var errTwice = errors.New("it is listed more than once, and not alike")

// sees takes down a volume as it is listed.
func (w *world) sees(id string, s sight) {
	if was, known := w.volumes[id]; known && !reflect.DeepEqual(was, s) {
		s = sight{namespaceID: s.namespaceID, err: errTwice}
	}
	w.volumes[id] = s
}

func readStorageOS(ctx context.Context, api storageos.Lister) (*world, error) {
	w := &world{volumes: map[string]sight{}}
	var err error
	if w.cluster, err = api.Cluster(ctx); err != nil && !storageos.IsForbidden(err) {
		return nil, err
	}
	if w.nodes, err = api.Nodes(ctx); err != nil {
		return nil, err
	}
	namespaces, err := api.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, ns := range namespaces {
		_, err := api.ListVolumes(ctx, ns.Id, storageos.Fingerprint{}, func(e storageos.Entry) error {
			id, err := e.ID()
			if err != nil {
				return err
			}
			if e.Err != nil {
				w.sees(id, sight{namespaceID: ns.Id, err: e.Err})
				return nil
			}
			v, err := storageos.DecodeVolume(e.Raw)
			w.sees(id, sight{ns.Id, v, err})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// differences compares each record with its volume and its PersistentVolume, and
// finds volumes without a record and PersistentVolumes without a volume.
func differences(w *world, records []v1.Volume, pvs map[string][]corev1.PersistentVolume) []difference {
	var found []difference
	byID := map[string][]*v1.Volume{}
	for i := range records {
		if id := identity(&records[i]); id != "" {
			byID[id] = append(byID[id], &records[i])
		}
	}
	for id, s := range w.volumes {
		mine := byID[id]
		switch {
		case len(mine) == 0:
			found = append(found, difference{"Volume", id, "", "there", "no record"})
		case len(mine) > 1:
			found = append(found, difference{"Volume/" + mine[0].Name, id, "", "there", fmt.Sprintf("%d records", len(mine))})
		default:
			found = append(found, w.record(mine[0], id, s, pvs[id])...)
		}
	}
	for id, mine := range byID {
		if _, there := w.volumes[id]; there {
			continue
		}
		oldest := slices.MinFunc(mine, func(a, b *v1.Volume) int { return recordRank(a).Compare(recordRank(b)) })
		for _, r := range mine {
			if !isAbsent(r) {
				found = append(found, difference{"Volume/" + r.Name, id, "", "not there", "a record that says it is"})
			} else if r == oldest && r.DeletionTimestamp == nil { // which alone is kept true
				found = append(found, w.absent(r, id, pvs[id])...)
			}
		}
	}
	for id, refer := range pvs {
		if _, there := w.volumes[id]; there {
			continue
		}
		for i := range refer {
			if !deletes(&refer[i]) {
				found = append(found, difference{"PersistentVolume/" + refer[i].Name, id, "", "not there", "a PersistentVolume refers to it"})
			}
		}
	}
	slices.SortFunc(found, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.VolumeID, b.VolumeID), cmp.Compare(a.Field, b.Field))
	})
	return found
}

// differing adds to what is found where a record does not say what is wanted.
func differing(r *v1.Volume, id string, found *[]difference) func(field string, want, got any) {
	return func(field string, want, got any) {
		if a, b := text(want), text(got); a != b {
			*found = append(*found, difference{"Volume/" + r.Name, id, field, a, b})
		}
	}
}

// judges tells whether it is for this cluster to say that the volume of a record is not there.
func (w *world) judges(r *v1.Volume) bool {
	named := r.Annotations[v1.AnnotationClusterID]
	return named == "" || named == w.cluster
}

// absent compares the record of a volume that is not listed, and which says so: it says that of its health too.
// What else it says is of before, but for a PersistentVolume that is there.
func (w *world) absent(r *v1.Volume, id string, pvs []corev1.PersistentVolume) []difference {
	var found []difference
	differs := differing(r, id, &found)
	if isPruned(r) && !w.currentCRD {
		return nil
	}
	differs("status.health", v1.HealthUnknown, r.Status.Health)
	differs("status.ready", "", r.Status.Ready)
	if since := r.Annotations[v1.AnnotationAbsentSince]; w.judges(r) {
		if t, err := time.Parse(time.RFC3339, since); err != nil || t.After(w.read.Add(time.Minute)) { // clocks differ
			differs("absent-since", "a time that has passed", since)
		}
	}
	pv := joined(pvs)
	if pv != nil {
		differs("status.persistentVolume", pv, r.Status.PersistentVolume)
	}
	conditions(map[string]record.Condition{
		v1.ConditionPresent: record.NotListed, v1.ConditionHealthy: record.HealthNotListed.Condition, v1.ConditionBound: bound(r, pv),
	}, r, differs)
	return found
}

// record compares a record, field by field.
func (w *world) record(r *v1.Volume, id string, s sight, pvs []corev1.PersistentVolume) []difference {
	var found []difference
	differs := differing(r, id, &found)
	if s.err != nil {
		differs("", "cannot be read: "+s.err.Error(), "recorded as it was")
		return found
	}
	want, err := record.FromVolume(s.volume, s.namespaceID, w.nodes)
	if err != nil {
		differs("", "cannot be recorded: "+err.Error(), "recorded as it was")
		return found
	}
	differs("volume-id", id, r.Labels[v1.LabelVolumeID])
	differs("absent-since", "", r.Annotations[v1.AnnotationAbsentSince])
	if w.cluster != "" {
		differs("cluster-id", w.cluster, r.Annotations[v1.AnnotationClusterID])
	}
	differs("namespace-id", s.namespaceID, r.Annotations[v1.AnnotationNamespaceID])
	spec := r.Spec
	spec.Strategy = 0 // has no source in StorageOS
	fields("spec.", want.Spec, spec, differs)
	keepHosts(&want.Status, &r.Status)

	got := *r.Status.DeepCopy()
	join := got.PersistentVolume
	got.PersistentVolume, got.Conditions = nil, nil
	got.ConsumerCount = 0 // has no source in StorageOS
	if a, b := want.Status.Capacity, got.Capacity; a != nil && b != nil && a.Cmp(*b) == 0 {
		got.Capacity = a // 1Gi may be written otherwise
	}
	pruned := isPruned(r) && !w.currentCRD
	if pruned { // StorageOS's own CRD does not know them
		want.Status.Health, want.Status.Ready, want.Status.Capacity = "", "", nil
	}
	// The progress of a sync is written from time to time only.
	forgetProgress(want.Status.Replicas)
	forgetProgress(got.Replicas)
	fields("status.", want.Status, got, differs)
	if !pruned {
		differs("status.persistentVolume", joined(pvs), join)
		conditions(map[string]record.Condition{
			v1.ConditionPresent: record.Listed, v1.ConditionHealthy: want.HealthStatus().Condition, v1.ConditionBound: bound(r, joined(pvs)),
		}, r, differs)
	}
	return found
}

// bound is what a record concludes of the PersistentVolume. For how long nobody has claimed a volume is
// the controller's to know.
func bound(r *v1.Volume, pv *v1.PersistentVolumeStatus) record.Condition {
	if pv != nil {
		return record.BoundIn(corev1.PersistentVolumePhase(pv.Phase))
	}
	if is := record.ReadCondition(r, v1.ConditionBound); is == record.Unclaimed {
		return is
	}
	return record.NoPersistentVolume
}

// conditions compares what a record concludes.
func conditions(want map[string]record.Condition, r *v1.Volume, differs func(field string, want, got any)) {
	for kind, c := range want {
		got := record.ReadCondition(r, kind)
		differs("status.conditions."+kind, string(c.Status)+" "+c.Reason, string(got.Status)+" "+got.Reason)
	}
}

// keepHosts takes the host names that StorageOS does not tell, as of nodes that it does not list any
// more, from the record: the last that was known stays there.
func keepHosts(want, got *v1.VolumeStatus) {
	keep := func(node, gotNode, gotHost string, host *string) {
		if *host == "" && node == gotNode {
			*host = gotHost
		}
	}
	keep(want.AttachedOn, got.AttachedOn, got.AttachedOnHost, &want.AttachedOnHost)
	if want.Master != nil && got.Master != nil {
		keep(want.Master.NodeID, got.Master.NodeID, got.Master.Hostname, &want.Master.Hostname)
	}
	for i := range want.Replicas {
		for _, replica := range got.Replicas {
			if replica.ID == want.Replicas[i].ID {
				keep(want.Replicas[i].NodeID, replica.NodeID, replica.Hostname, &want.Replicas[i].Hostname)
			}
		}
	}
}

func forgetProgress(replicas []v1.Replica) {
	for i := range replicas {
		replicas[i].SyncProgress = nil
	}
}

// fields compares two values as their JSON has them, field by field.
func fields(prefix string, want, got any, differs func(field string, want, got any)) {
	a, b := object(want), object(got)
	names := slices.Sorted(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !reflect.DeepEqual(a[name], b[name]) {
			differs(prefix+name, a[name], b[name])
		}
	}
}

// object is a value as its JSON has it, whole numbers as such.
func object(v any) map[string]any {
	raw, err := json.Marshal(v)
	must(err)
	var m map[string]any
	must(json.Unmarshal(raw, &m))
	return m
}

// text is a value for people to read.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	must(err)
	if s := string(raw); s != "null" {
		return s
	}
	return ""
}
