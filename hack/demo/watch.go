package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions"
)

// watch prints a line for each change of a record.
func (s *story) watch(ctx context.Context) {
	informer := externalversions.NewSharedInformerFactory(s.records, 0).StorageOS().V1().Volumes().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) {}, // it says little before it has its status
		UpdateFunc: func(old, obj any) {
			before, after := line(old.(*v1.Volume)), line(obj.(*v1.Volume))
			if before != after {
				said("record", obj.(*v1.Volume).Name, after)
			}
		},
		DeleteFunc: func(obj any) {
			if r, ok := obj.(*v1.Volume); ok {
				said("record", r.Name, "deleted")
			}
		},
	})
	if err == nil {
		informer.RunWithContext(ctx)
	}
}

func line(r *v1.Volume) string {
	capacity, health, claim, attached := "-", string(r.Status.Health), "no claim", "detached"
	if q := r.Status.Capacity; q != nil {
		capacity = q.String()
	}
	if pv := r.Status.PersistentVolume; pv != nil && pv.Claim != nil {
		claim = pv.Claim.Namespace + "/" + pv.Claim.Name
	}
	if r.Status.Ready != "" {
		health += " " + r.Status.Ready
	}
	if r.Status.AttachedOnHost != "" {
		attached = "on " + r.Status.AttachedOnHost
	}
	absent := ""
	if r.Annotations[v1.AnnotationAbsentSince] != "" || meta.IsStatusConditionFalse(r.Status.Conditions, v1.ConditionPresent) { // which are two writes
		absent = ", absent"
	}
	return fmt.Sprintf("%s, %s, %s, %s%s", capacity, health, attached, claim, absent)
}

func said(who, name, what string) {
	fmt.Printf("%s  %-9s  %-42s  %s\n", time.Now().Format("15:04:05"), who, name, what)
}
