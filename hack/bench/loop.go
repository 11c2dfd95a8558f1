package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// bareGroup is where the loop makes its records: the same CRD under another name, so
// that nobody watches them.
const bareGroup = "bench.storageos.com"

// bareLoop makes records as the controller makes them and does nothing else.
type bareLoop struct {
	b       *bench
	turn    int  // how many it makes at a time
	patches bool // it makes the controller's own requests, not what is usual
	watches bool // it has its records watched, and throws away what comes

	client *gentype.ClientWithList[*v1.Volume, *v1.VolumeList] // nil before the first turn
	models []v1.Volume                                         // what the controller has made
	last   []*v1.Volume                                        // what the last turn has made
	made   int
	pace   pace
}

// bareCRD writes the manifest of the loop's CRD.
func (b *bench) bareCRD() (string, error) {
	raw, err := os.ReadFile(b.crd)
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "bare.yaml")
	return file, os.WriteFile(file, []byte(strings.ReplaceAll(string(raw), v1.GroupName, bareGroup)), 0o600)
}

// open makes a client like the generated one, but for the group.
func (l *bareLoop) open(ctx context.Context) error {
	list, err := l.b.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{Limit: int64(l.turn)})
	if err != nil {
		return err
	}
	if l.models = list.Items; len(l.models) == 0 {
		return errors.New("the controller has not made a record yet")
	}
	gv := schema.GroupVersion{Group: bareGroup, Version: v1.SchemeGroupVersion.Version}
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(gv, &v1.Volume{}, &v1.VolumeList{})
	metav1.AddToGroupVersion(scheme, gv)
	config := rest.CopyConfig(l.b.config)
	config.GroupVersion, config.APIPath = &gv, "/apis"
	config.NegotiatedSerializer = rest.CodecFactoryForGeneratedClient(scheme, serializer.NewCodecFactory(scheme)).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return err
	}
	l.client = gentype.NewClientWithList("volumes", client, runtime.NewParameterCodec(scheme), "",
		func() *v1.Volume { return &v1.Volume{} }, func() *v1.VolumeList { return &v1.VolumeList{} })
	return nil
}

// run makes some more.
func (l *bareLoop) run(ctx context.Context) error {
	if l.client == nil {
		if err := l.open(ctx); err != nil {
			return err
		}
	}
	if l.watches {
		stop, err := l.watch(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	l.last = make([]*v1.Volume, l.turn)
	begun := time.Now()
	err := l.b.each(ctx, "records by a bare loop", l.turn, func(ctx context.Context, i int) error {
		model := &l.models[i%len(l.models)]
		made, err := l.client.Create(ctx, &v1.Volume{
			ObjectMeta: metav1.ObjectMeta{
				Name: fmt.Sprintf("%s-%t-%d", model.Name, l.patches, l.made+i), Labels: model.Labels, Annotations: model.Annotations,
			},
			Spec: model.Spec,
		}, metav1.CreateOptions{FieldValidation: l.validation()})
		if err != nil {
			return err
		}
		l.last[i], err = l.setStatus(ctx, made, model.Status)
		return err
	})
	l.made += l.turn
	l.pace.add(float64(l.turn), time.Since(begun))
	return err
}

// watch lets the API server send every event of the records from now on. It takes as
// little time of the processor as it can: nothing is read but bytes.
func (l *bareLoop) watch(ctx context.Context) (stop func(), err error) {
	list, err := l.client.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	events, err := l.client.GetClient().Get().Resource("volumes").
		Param("watch", "true").Param("resourceVersion", list.ResourceVersion).Stream(ctx)
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, events)
	}()
	return func() {
		_ = events.Close()
		<-read
	}, nil
}

// validation is what the API server is to make of unknown fields, "" for its default.
func (l *bareLoop) validation() string {
	if l.patches {
		return metav1.FieldValidationIgnore
	}
	return ""
}

// setStatus writes a status: by an update, as is usual, or by a merge patch of one
// resourceVersion, as the controller does.
func (l *bareLoop) setStatus(ctx context.Context, of *v1.Volume, status v1.VolumeStatus) (*v1.Volume, error) {
	if !l.patches {
		of.Status = status
		return l.client.UpdateStatus(ctx, of, metav1.UpdateOptions{})
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": of.ResourceVersion}, "status": status,
	})
	if err != nil {
		return nil, err
	}
	return l.client.Patch(ctx, of.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldValidation: l.validation()}, "status")
}

// again writes the status of the records of the last turn once more, changed, and
// tells how long that took.
func (l *bareLoop) again(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	err := l.b.each(ctx, "statuses by a bare loop", len(l.last), func(ctx context.Context, i int) (err error) {
		status := l.last[i].Status
		if status.Health == v1.HealthOffline {
			status.Health = v1.HealthHealthy
		} else {
			status.Health = v1.HealthOffline
		}
		l.last[i], err = l.setStatus(ctx, l.last[i], status)
		return err
	})
	return time.Since(begun), err
}

// deletable is a client of records, or of the loops'.
type deletable interface {
	List(ctx context.Context, o metav1.ListOptions) (*v1.VolumeList, error)
	Delete(ctx context.Context, name string, o metav1.DeleteOptions) error
}

// deleteAll deletes one by one: the API server has a minute for a whole collection.
func (b *bench) deleteAll(ctx context.Context, of deletable) error {
	list, err := of.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return b.each(ctx, "deletions", len(list.Items), func(ctx context.Context, i int) error {
		return of.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{})
	})
}
