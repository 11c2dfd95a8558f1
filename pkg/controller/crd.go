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
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// crdName is the only CRD that is looked at, and that there is a right to look at.
var crdName = "volumes." + v1.SchemeGroupVersion.Group

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// crdPatience is how long the first request for the CRD may take.
const crdPatience = 30 * time.Second

// capability is what is known of the CRD.
type capability int32

const (
	crdUnknown capability = iota // nobody has looked yet, or may look
	crdOlder                     // it lacks something that is written, or is gone
	crdCurrent                   // it keeps all that is written
)

// crd looks at the CRD of the records and keeps what it is capable of.
type crd struct {
	client  dynamic.Interface // nil: nobody looks
	metrics *metrics.Metrics
	renewed func() // is called when the CRD has come to keep all that is written
	logger  klog.Logger

	is   atomic.Int32 // capability
	mu   sync.Mutex
	said string // what was last logged of it
}

func newCRD(client dynamic.Interface, m *metrics.Metrics, renewed func()) *crd {
	return &crd{client: client, metrics: m, renewed: renewed, logger: klog.Background()}
}

func (c *crd) capability() capability { return capability(c.is.Load()) }

// run looks at the CRD until ctx ends. It says nothing of requests that fail but that
// there is no right to make them: they are made again.
func (c *crd) run(ctx context.Context) {
	if c.client == nil {
		return
	}
	defer c.metrics.ForgetCRD()
	c.logger = klog.FromContext(ctx)
	c.look(ctx)
	informer := dynamicinformer.NewFilteredDynamicInformer(c.client, crdResource, "", 0, nil, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, crdName).String()
	}).Informer()
	// None of these fails before it runs. What a list shows is looked at even if it has not
	// changed: the right to look may have been away.
	_ = informer.SetTransform(func(obj any) (any, error) { c.seen(obj); return obj, nil })
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { c.allowed(err) })
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(any) { c.found(nil) }})
	informer.RunWithContext(klog.NewContext(ctx, logr.Discard())) // what matters of its requests is said here
}

// seen takes note of a CRD that a list shows or the watch tells of.
func (c *crd) seen(obj any) {
	if o, ok := obj.(*unstructured.Unstructured); ok {
		c.found(o)
	}
}

// look reads the CRD by its name: what it is capable of is known before the first list
// has been asked for, let alone the first record written.
func (c *crd) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, crdPatience)
	defer cancel()
	obj, err := c.client.Resource(crdResource).Get(ctx, crdName, metav1.GetOptions{})
	switch {
	case err == nil:
		c.found(obj)
	case apierrors.IsNotFound(err):
		c.found(nil)
	default:
		c.allowed(err)
	}
}

// allowed takes note of an error that tells that there is no right to look at the CRD.
func (c *crd) allowed(err error) {
	if !apierrors.IsForbidden(err) {
		return
	}
	c.is.Store(int32(crdUnknown))
	c.metrics.ForgetCRD()
	c.say("forbidden", func() {
		c.logger.Info("There is no right to look at the CRD of the records: whether it keeps all that is written cannot be told, what it drops is tried again at each resync", "crd", crdName, "err", err)
	})
}

// found takes note of the CRD, nil if there is none.
func (c *crd) found(obj *unstructured.Unstructured) {
	if obj == nil {
		c.older("it is gone", "The CRD of the records is gone: no record can be written until it is installed again (deploy/crd)")
		return
	}
	if lacks := lackingFields(obj.Object); len(lacks) > 0 {
		c.older(strings.Join(lacks, " "), "The CRD of the records is older than this version: what it does not know is dropped, apply the one in deploy/crd")
		return
	}
	c.metrics.SetCRD(true)
	if was := capability(c.is.Swap(int32(crdCurrent))); was == crdOlder {
		c.renewed()
	}
	c.say("", func() { c.logger.Info("The CRD of the records keeps all that this version writes", "crd", crdName) })
}

func (c *crd) older(lacks, text string) {
	c.is.Store(int32(crdOlder))
	c.metrics.SetCRD(false)
	c.say(lacks, func() { c.logger.Error(nil, text, "crd", crdName, "lacks", lacks) })
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
