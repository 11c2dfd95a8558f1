package controller

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

const (
	crdPatience = 30 * time.Second // how long a request for the CRD may take, but for the watch
	crdPause    = time.Second      // before it is listed again, after a watch
	crdRetry    = 30 * time.Second // after a failure: the right to look may come
)

// capability is what is known of the CRD.
type capability int32

const (
	crdUnknown capability = iota // nobody has looked yet, or may look
	crdOlder                     // it lacks something that is written, or is gone
	crdCurrent                   // it keeps all that is written
)

// crd looks at the CRD of the records and keeps what it is capable of. It is the store
// of a reflector: of the object itself nothing is kept.
type crd struct {
	api     dynamic.ResourceInterface
	metrics *metrics.Metrics
	renewed func() // is called when the CRD has come to keep all that is written
	logger  klog.Logger

	is     atomic.Int32 // capability
	lacked bool         // when it was last seen, it lacked something; of whoever looks
	mu     sync.Mutex
	said   string // what was last logged of it
}

func newCRD(client dynamic.Interface, m *metrics.Metrics, renewed func()) *crd {
	c := &crd{metrics: m, renewed: renewed, logger: klog.Background()}
	if client != nil {
		c.api = client.Resource(crdResource)
	}
	return c
}

func (c *crd) capability() capability { return capability(c.is.Load()) }

// run looks at the CRD until ctx ends. It says nothing of requests that fail but that
// there is no right to make them: they are made again.
func (c *crd) run(ctx context.Context) {
	if c.api == nil {
		return
	}
	defer c.metrics.ForgetCRD()
	c.logger = klog.FromContext(ctx)
	c.look(ctx)
	// By list and watch, not by a watch that lists: the right to either is asked for
	// by the field selector.
	selected := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", record.CRDName).String()
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			ctx, cancel := context.WithTimeout(ctx, crdPatience)
			defer cancel()
			selected(&o)
			list, err := c.api.List(ctx, o)
			return list, c.allowed(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			selected(&o)
			w, err := c.api.Watch(ctx, o)
			return w, c.allowed(err)
		},
	}
	quiet := logr.Discard() // what matters of its requests is said here
	r := cache.NewReflectorWithOptions(listThenWatch{lw}, &unstructured.Unstructured{}, c, cache.ReflectorOptions{Name: "CRD", Logger: &quiet})
	for ctx.Err() == nil {
		pause := crdPause
		if err := r.ListAndWatchWithContext(klog.NewContext(ctx, quiet)); err != nil {
			pause = crdRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listThenWatch tells the reflector not to list by a watch.
type listThenWatch struct{ *cache.ListWatch }

func (listThenWatch) IsWatchListSemanticsUnSupported() bool { return true }

// look reads the CRD by its name: what it is capable of is known before the first list
// has been asked for, let alone the first record written.
func (c *crd) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, crdPatience)
	defer cancel()
	obj, err := c.api.Get(ctx, record.CRDName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		c.found(nil)
	case c.allowed(err) == nil:
		c.found(obj)
	}
}

// allowed takes note that there is no right to look at the CRD, and hands the error on.
func (c *crd) allowed(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	c.is.Store(int32(crdUnknown))
	c.metrics.ForgetCRD()
	c.say("forbidden", func() {
		c.logger.Info("There is no right to look at the CRD of the records: whether it keeps all that is written cannot be told, what it drops is tried again at each resync", "crd", record.CRDName, "err", err)
	})
	return err
}

// found takes note of the CRD, nil if there is none.
func (c *crd) found(obj *unstructured.Unstructured) {
	if obj == nil {
		c.older("it is gone", "The CRD of the records is gone: no record can be written until it is installed again (deploy/crd)")
		return
	}
	if lacks := record.LackingFields(obj.Object); len(lacks) > 0 {
		c.older(strings.Join(lacks, " "), "The CRD of the records is older than this version: what it does not know is dropped, apply the one in deploy/crd")
		return
	}
	c.metrics.SetCRD(true)
	c.is.Store(int32(crdCurrent))
	if c.lacked {
		c.lacked = false
		c.renewed()
	}
	c.say("", func() {
		c.logger.Info("The CRD of the records keeps all that this version writes", "crd", record.CRDName)
	})
}

func (c *crd) older(lacks, text string) {
	c.is.Store(int32(crdOlder))
	c.lacked = true
	c.metrics.SetCRD(false)
	c.say(lacks, func() { c.logger.Error(nil, text, "crd", record.CRDName, "lacks", lacks) })
}

// say logs what is another than what was logged last. That all is well is not worth a
// line at the start.
func (c *crd) say(what string, log func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said != what {
		c.said = what
		log()
	}
}

// What the reflector calls.

func (c *crd) Add(obj any) error { return c.Update(obj) }

func (c *crd) Resync() error { return nil }

func (c *crd) Delete(obj any) error {
	if o, ok := obj.(*unstructured.Unstructured); ok && o.GetName() == record.CRDName {
		c.found(nil)
	}
	return nil
}

func (c *crd) Update(obj any) error {
	if o, ok := obj.(*unstructured.Unstructured); ok && o.GetName() == record.CRDName {
		c.found(o)
	}
	return nil
}

func (c *crd) Replace(all []any, _ string) error {
	if len(all) == 0 {
		c.found(nil)
	}
	for _, obj := range all {
		_ = c.Update(obj) // it never fails
	}
	return nil
}
