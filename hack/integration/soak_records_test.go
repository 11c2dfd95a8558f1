package integration

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

// watchRecords notes which records come and go, in the order of the API server.
func (s *soak) watchRecords(over <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	records := s.records.StorageOSV1().Volumes()
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return records.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			return records.Watch(ctx, o)
		},
	}, &v1.Volume{}, 0, nil)
	note := func(kind history.Kind, obj any) {
		if r, ok := obj.(*v1.Volume); ok && idOf(r) != "" {
			s.log.Add(history.Event{Kind: kind, Volume: idOf(r), Record: r.Name, UID: string(r.UID), Version: r.ResourceVersion})
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { note(history.Came, obj) },
		UpdateFunc: func(old, obj any) {
			// Its identity may have been edited, or it is another of the same name.
			if o, r := old.(*v1.Volume), obj.(*v1.Volume); o.UID != r.UID || idOf(o) != idOf(r) {
				note(history.Went, old)
				note(history.Came, obj)
			}
		},
		DeleteFunc: func(obj any) {
			if missed, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = missed.Obj
			}
			note(history.Went, obj)
		},
	})
	if err != nil {
		s.t.Error(err)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		informer.RunWithContext(ctx)
	}()
	<-over
	cancel()
	<-done
}

// wrong is what is not true of the records now.
func (s *soak) wrong() []history.Event {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return []history.Event{{Kind: history.Wrong, Detail: err.Error()}}
	}
	records := map[string]*v1.Volume{}
	var wrong []history.Event
	not := func(id, format string, args ...any) {
		wrong = append(wrong, history.Event{Kind: history.Wrong, Volume: id, Detail: fmt.Sprintf(format, args...)})
	}
	for i := range list.Items {
		r := &list.Items[i]
		if other := records[idOf(r)]; other != nil {
			not(idOf(r), "records %s and %s", other.Name, r.Name)
		}
		records[idOf(r)] = r
	}
	hosts := map[string]string{}
	for _, n := range s.sim.Nodes() {
		hosts[n.ID] = n.Name
	}
	for _, ns := range s.sim.Namespaces() {
		for _, v := range s.sim.Volumes(ns.ID) {
			r := records[v.ID]
			delete(records, v.ID)
			if r == nil {
				not(v.ID, "no record")
			} else if err := s.differs(r, v, hosts); err != nil {
				not(v.ID, "record %s: %v", r.Name, err)
			}
		}
	}
	for id, r := range records {
		not(id, "record %s of a volume that is gone", r.Name)
	}
	return wrong
}

// differs compares a record with its volume.
func (s *soak) differs(r *v1.Volume, v simulator.Volume, hosts map[string]string) error {
	wanted, err := strconv.Atoi(v.Labels[simulator.LabelReplicas])
	if err != nil {
		return err
	}
	usable := 0
	if v.Master.Health == simulator.HealthOnline {
		usable++
	}
	for _, replica := range v.Replicas {
		if replica.Health == simulator.HealthReady {
			usable++
		}
	}
	health := v1.HealthHealthy
	switch {
	case v.Master.Health != simulator.HealthOnline:
		health = v1.HealthOffline
	case usable < 1+wanted:
		health = v1.HealthDegraded
	}
	switch {
	case r.Annotations[v1.AnnotationAbsentSince] != "":
		return errors.New("it is marked as absent")
	case r.Labels[v1.LabelVolumeID] != v.ID, r.Annotations[v1.AnnotationNamespaceID] != v.NamespaceID, r.Annotations[v1.AnnotationClusterID] != s.sim.ClusterID():
		return fmt.Errorf("it is of %v %v", r.Labels, r.Annotations)
	case r.Spec.SizeBytes != int64(v.SizeBytes):
		return fmt.Errorf("size %d of %d", r.Spec.SizeBytes, v.SizeBytes)
	case r.Status.AttachedOn != v.AttachedOn || r.Status.AttachedOnHost != hosts[v.AttachedOn]:
		return fmt.Errorf("attached on %q, not %q", r.Status.AttachedOn, v.AttachedOn)
	case r.Status.Master == nil || r.Status.Master.NodeID != v.Master.NodeID:
		return fmt.Errorf("master %+v, not %+v", r.Status.Master, v.Master)
	case len(r.Status.Replicas) != len(v.Replicas):
		return fmt.Errorf("%d replicas of %d", len(r.Status.Replicas), len(v.Replicas))
	case r.Status.Health != health || r.Status.Ready != fmt.Sprintf("%d/%d", usable, 1+wanted):
		return fmt.Errorf("%s %s, not %s %d/%d", r.Status.Health, r.Status.Ready, health, usable, 1+wanted)
	}
	if claim := v.Labels[simulator.LabelPVCName]; claim != "" && v.ID != s.witness.ID {
		pv := r.Status.PersistentVolume
		if r.Name != v.Labels[simulator.LabelPVName] || pv == nil || pv.Name != r.Name || pv.Claim == nil || pv.Claim.Name != claim {
			return fmt.Errorf("claim %s, and the record says %+v", claim, pv)
		}
	}
	return nil
}
