package record

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	api "github.com/storageos/go-api/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// Content is the part of a record that the volume alone decides.
type Content struct {
	VolumeID    string
	NamespaceID string
	Spec        v1.VolumeSpec
	Status      v1.VolumeStatus // without PersistentVolume and conditions

	Name string `json:"-"` // the volume's own; a record may have another
}

// labelReplicas is the label of a volume that says how many replicas it wants.
const labelReplicas = "storageos.com/replicas"

// MaxBytes is the size in JSON beyond which a record is not sent to the
// API server, which stores objects of up to 1.5 MiB: metadata and what others
// add need room too.
const MaxBytes = 1 << 20

// FromVolume says what the record of a volume should say of it. Nodes gives the
// host names that the API did not send. The error says why the volume cannot be
// recorded.
func FromVolume(v *storageos.Volume, namespaceID string, nodes map[string]string) (Content, error) {
	if errs := validation.IsValidLabelValue(v.Id); len(errs) > 0 {
		return Content{}, fmt.Errorf("its ID cannot be the value of a label: %s", errs[0])
	}
	if v.SizeBytes > math.MaxInt64 {
		return Content{}, fmt.Errorf("its size of %d bytes is more than Kubernetes can express", v.SizeBytes)
	}
	wanted, ok := replicasLabel(v.Labels)
	c := Content{
		Name:        v.Name,
		VolumeID:    v.Id,
		NamespaceID: namespaceID,
		Spec: v1.VolumeSpec{
			ConfigLabels: v.Labels,
			Description:  v.Description,
			FsType:       string(v.FsType),
			NFS:          nfsOf(v.Nfs),
			Replicas:     wanted,
			SizeBytes:    int64(v.SizeBytes),
		},
		Status: v1.VolumeStatus{
			VolumeID:       v.Id,
			AttachedOn:     v.AttachedOn,
			AttachedOnHost: hostname(v.AttachedOnHost, v.AttachedOn, nodes),
			AttachmentType: string(v.AttachmentType),
			Capacity:       resource.NewQuantity(int64(v.SizeBytes), resource.BinarySI),
			Master:         masterOf(v, nodes),
			Replicas:       replicasOf(v, nodes),
		},
	}
	if !ok {
		wanted = -1
	}
	c.Status.Health, c.Status.Ready = healthOf(wanted, c.Status.Master, c.Status.Replicas)
	if c.mayBeLarge() && c.size() > MaxBytes {
		// Not how many: the reason is the same while its sync goes on.
		return Content{}, fmt.Errorf("its record would have more than the %d bytes that Kubernetes stores", MaxBytes)
	}
	return c, nil
}

// FromRecord reads the content off a record. What has no source in the API
// (strategy, consumerCount) is nobody's business here.
func FromRecord(r *v1.Volume) Content {
	c := Content{
		VolumeID:    r.Labels[v1.LabelVolumeID],
		NamespaceID: r.Annotations[v1.AnnotationNamespaceID],
		Spec:        r.Spec,
		Status:      r.Status,
	}
	c.Spec.Strategy, c.Status.ConsumerCount = 0, 0
	c.Status.PersistentVolume, c.Status.Conditions = nil, nil
	if q := c.Status.Capacity; q != nil {
		// A quantity can be written in more than one way.
		c.Status.Capacity = resource.NewQuantity(q.Value(), resource.BinarySI)
	}
	return c
}

// Apply writes the content into a record. A host name that neither the API nor
// the node list told stays as it was known: a node list that fails must not
// take away what is true.
func (c Content) Apply(r *v1.Volume) {
	metav1.SetMetaDataLabel(&r.ObjectMeta, v1.LabelVolumeID, c.VolumeID)
	metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationNamespaceID, c.NamespaceID)

	strategy, consumers := r.Spec.Strategy, r.Status.ConsumerCount
	pv, conditions := r.Status.PersistentVolume, r.Status.Conditions
	capacity := r.Status.Capacity
	known := knownHostnames(r)
	c.Spec.DeepCopyInto(&r.Spec)
	c.Status.DeepCopyInto(&r.Status)
	r.Spec.Strategy, r.Status.ConsumerCount = strategy, consumers
	r.Status.PersistentVolume, r.Status.Conditions = pv, conditions
	if capacity != nil && capacity.Cmp(*r.Status.Capacity) == 0 {
		r.Status.Capacity = capacity
	}

	fill := func(host *string, nodeID string) {
		if *host == "" && nodeID != "" {
			*host = known[nodeID]
		}
	}
	fill(&r.Status.AttachedOnHost, r.Status.AttachedOn)
	if m := r.Status.Master; m != nil {
		fill(&m.Hostname, m.NodeID)
	}
	for i := range r.Status.Replicas {
		fill(&r.Status.Replicas[i].Hostname, r.Status.Replicas[i].NodeID)
	}
}

// mayBeLarge is an estimate that costs nothing. If it is false, the record cannot be too
// large for Kubernetes, as a character takes up to six bytes of JSON.
func (c Content) mayBeLarge() bool {
	n := len(c.Name) + len(c.Spec.Description) + len(c.VolumeID) + len(c.NamespaceID) + len(c.Spec.FsType)
	for key, value := range c.Spec.ConfigLabels {
		n += len(key) + len(value) + 8
	}
	for _, d := range c.Status.Replicas {
		n += len(d.ID) + len(d.NodeID) + len(d.Hostname) + len(d.Health) + 100
	}
	if m := c.Status.Master; m != nil {
		n += len(m.ID) + len(m.NodeID) + len(m.Hostname) + len(m.Health) + 100
	}
	n += len(c.Status.AttachedOn) + len(c.Status.AttachedOnHost) + len(c.Status.AttachmentType) + 1000
	return c.Spec.NFS != nil || 6*n > MaxBytes
}

func (c Content) size() int {
	var n countingWriter
	if err := json.NewEncoder(&n).Encode(c); err != nil {
		return math.MaxInt
	}
	return int(n)
}

type countingWriter int

func (n *countingWriter) Write(p []byte) (int, error) {
	*n += countingWriter(len(p))
	return len(p), nil
}

func hostname(told, nodeID string, nodes map[string]string) string {
	if told != "" {
		return told
	}
	return nodes[nodeID]
}

func knownHostnames(r *v1.Volume) map[string]string {
	known := map[string]string{r.Status.AttachedOn: r.Status.AttachedOnHost}
	if m := r.Status.Master; m != nil && m.Hostname != "" {
		known[m.NodeID] = m.Hostname
	}
	for _, d := range r.Status.Replicas {
		if d.Hostname != "" {
			known[d.NodeID] = d.Hostname
		}
	}
	return known
}

func masterOf(v *storageos.Volume, nodes map[string]string) *v1.Master {
	return &v1.Master{
		Health:     string(v.Master.Health),
		Hostname:   hostname(v.Master.Hostname, v.Master.NodeID, nodes),
		ID:         v.Master.Id,
		NodeID:     v.Master.NodeID,
		Promotable: v.Master.Promotable,
	}
}

func replicasOf(v *storageos.Volume, nodes map[string]string) []v1.Replica {
	var replicas []v1.Replica
	for _, r := range v.Replicas {
		replicas = append(replicas, v1.Replica{
			Health:       string(r.Health),
			Hostname:     hostname(r.Hostname, r.NodeID, nodes),
			ID:           r.Id,
			NodeID:       r.NodeID,
			Promotable:   r.Promotable,
			SyncProgress: progressOf(r.Health, r.SyncProgress),
		})
	}
	return replicas
}

// progressOf is nil for a replica that does not sync and has no figures.
func progressOf(health api.ReplicaHealth, p api.SyncProgress) *v1.SyncProgress {
	if health != api.REPLICAHEALTH_SYNCING && p == (api.SyncProgress{}) {
		return nil
	}
	return &v1.SyncProgress{
		BytesRemaining:            clamp(p.BytesRemaining),
		ThroughputBytes:           clamp(p.ThroughputBytes),
		EstimatedSecondsRemaining: clamp(p.EstimatedSecondsRemaining),
	}
}

// clamp brings a figure of the API, which counts to 2^64, into Kubernetes'
// range.
func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// replicasLabel is the number in the label storageos.com/replicas, if there is
// one.
func replicasLabel(labels map[string]string) (int, bool) {
	n, err := strconv.ParseUint(labels[labelReplicas], 10, 16)
	if err != nil {
		return 0, false // what is out of range is not even near
	}
	return int(n), true
}

// NamesHosts tells whether each node of the volume has its host name.
func (c Content) NamesHosts() bool {
	s := c.Status
	ok := (s.AttachedOn == "" || s.AttachedOnHost != "") && (s.Master == nil || s.Master.NodeID == "" || s.Master.Hostname != "")
	for _, d := range s.Replicas {
		ok = ok && (d.NodeID == "" || d.Hostname != "")
	}
	return ok
}
