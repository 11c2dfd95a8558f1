package integration

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	pkgcontroller "github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// hook does something once, just before a request is sent.
type hook struct {
	mu      sync.Mutex
	matches func(*http.Request) bool
	do      func()
}

// before arms it; what it returns is closed when it was done.
func (h *hook) before(matches func(*http.Request) bool, do func()) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := make(chan struct{})
	h.matches, h.do = matches, func() { do(); close(done) }
	return done
}

func (h *hook) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		h.mu.Lock()
		var do func()
		if h.matches != nil && h.matches(req) {
			do, h.matches, h.do = h.do, nil, nil
		}
		h.mu.Unlock()
		if do != nil {
			do()
		}
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// reconciler runs the controller inside the test, so that requests to
// Kubernetes can be met on their way.
func (e *env) reconciler(h *hook) {
	e.t.Helper()
	config := rest.CopyConfig(e.config)
	config.Wrap(h.wrap)
	endpoint, err := storageos.ParseEndpoint(e.endpoint)
	e.must(err)
	client, err := storageos.New(storageos.Config{
		Endpoint: endpoint, SecretPath: e.secret, Timeout: 5 * time.Second,
		RefreshInterval: time.Minute, RetryInterval: time.Second,
	})
	e.must(err)
	settings := pkgcontroller.DefaultSettings()
	settings.PollInterval, settings.OrphanGracePeriod = 500*time.Millisecond, time.Second
	r, err := pkgcontroller.NewReconciler(pkgcontroller.Options{
		Settings: settings, StorageOS: client, Metrics: metrics.New(), Events: record.NewFakeRecorder(1000),
		Kubernetes: kubernetes.NewForConfigOrDie(config), Records: versioned.NewForConfigOrDie(config),
	})
	e.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	e.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			e.t.Error(err)
		}
	})
}

// What others write between our read and our write is neither lost nor left.
func TestFaultMeanwhile(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 1, CSI: -1})[0]
	h := &hook{}
	e.reconciler(h)
	volumes := e.records.StorageOSV1().Volumes()
	e.eventually("it is recorded", 15*time.Second, func() error {
		return e.want(f.ID, func(r *v1.Volume) bool { return boundReason(r) == "Unclaimed" })
	})
	edit := func() {
		_, err := volumes.Patch(context.Background(), f.Name, types.MergePatchType,
			[]byte(`{"spec":{"sizeBytes":1},"metadata":{"labels":{"theirs":"x"}}}`), metav1.PatchOptions{})
		e.must(err)
	}
	request := func(method, suffix string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
	}
	right := func(pv bool) func() error {
		return func() error {
			return e.want(f.ID, func(r *v1.Volume) bool {
				return r.Spec.SizeBytes == int64(f.SizeBytes) && (r.Status.PersistentVolume != nil) == pv && r.Labels["theirs"] == "x"
			})
		}
	}
	for _, tc := range []struct {
		name    string
		trigger func()
		meets   func(*http.Request) bool
		pv      bool
	}{
		{"before it is read", func() { e.persistentVolume(f) }, request(http.MethodGet, "/volumes/"+f.Name), true},
		{"between read and write", func() { e.deletePersistentVolume(f.Name) }, request(http.MethodPatch, "/"+f.Name+"/status"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			edited := h.before(tc.meets, edit)
			tc.trigger()
			select {
			case <-edited:
			case <-time.After(10 * time.Second):
				t.Fatal("the request did not come")
			}
			eventually(t, "it is right again", 10*time.Second, right(tc.pv))
		})
	}
	t.Run("it is deleted before it is read", func(t *testing.T) {
		deleted := h.before(request(http.MethodGet, "/volumes/"+f.Name), func() {
			e.must(volumes.Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
		})
		e.persistentVolume(f)
		<-deleted
		eventually(t, "it is made again", 10*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.Status.VolumeID == f.ID && r.Status.PersistentVolume != nil })
		})
	})
	t.Run("it is written before it is deleted", func(t *testing.T) {
		e.deletePersistentVolume(f.Name)
		written := h.before(request(http.MethodDelete, "/volumes/"+f.Name), func() {
			_, err := volumes.Patch(context.Background(), f.Name, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"theirs":"y"}}}`), metav1.PatchOptions{})
			e.must(err)
		})
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		<-written
		eventually(t, "it is deleted all the same", 10*time.Second, func() error { return e.names() })
	})
}
