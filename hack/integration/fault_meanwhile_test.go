package integration

import (
	"context"
	"fmt"
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

// hook does something just before some requests are sent.
type hook struct {
	mu      sync.Mutex
	matches []func(*http.Request) bool
	do      func()
	done    chan struct{}
}

// before arms it for one request that matches, then for another, and so on; what it
// returns is closed when it was done before the last.
func (h *hook) before(do func(), matches ...func(*http.Request) bool) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.matches, h.do, h.done = matches, do, make(chan struct{})
	return h.done
}

func (h *hook) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		h.meet(req)
		return next.RoundTrip(req)
	})
}

func (h *hook) meet(req *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.matches) == 0 || !h.matches[0](req) {
		return
	}
	h.do()
	if h.matches = h.matches[1:]; len(h.matches) == 0 {
		close(h.done)
	}
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

// meets waits until a hook was done.
func meets(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience * 10 * time.Second):
		t.Fatal("the request did not come")
	}
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
	size := 0
	edit := func() {
		size++
		_, err := volumes.Patch(context.Background(), f.Name, types.MergePatchType,
			fmt.Appendf(nil, `{"spec":{"sizeBytes":%d},"metadata":{"labels":{"theirs":"x"}}}`, size), metav1.PatchOptions{})
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
	read, written := request(http.MethodGet, "/volumes/"+f.Name), request(http.MethodPatch, "/"+f.Name+"/status")
	for _, tc := range []struct {
		name    string
		trigger func()
		meets   []func(*http.Request) bool
		pv      bool
	}{
		{"before it is written", func() { e.persistentVolume(f) }, []func(*http.Request) bool{written}, true},
		{"before it is read", func() { e.deletePersistentVolume(f.Name) }, []func(*http.Request) bool{written, read}, false},
		{"between read and write", func() { e.persistentVolume(f) }, []func(*http.Request) bool{written, written}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			edited := h.before(edit, tc.meets...)
			tc.trigger()
			meets(t, edited)
			eventually(t, "it is right again", 10*time.Second, right(tc.pv))
		})
	}
	t.Run("it is deleted before it is written", func(t *testing.T) {
		deleted := h.before(func() {
			e.must(volumes.Delete(context.Background(), f.Name, metav1.DeleteOptions{}))
		}, written)
		e.deletePersistentVolume(f.Name)
		meets(t, deleted)
		eventually(t, "it is made again", 10*time.Second, func() error {
			return e.want(f.ID, func(r *v1.Volume) bool { return r.Status.VolumeID == f.ID && r.Status.PersistentVolume == nil })
		})
	})
	t.Run("it is written before it is deleted", func(t *testing.T) {
		written := h.before(func() {
			_, err := volumes.Patch(context.Background(), f.Name, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"theirs":"y"}}}`), metav1.PatchOptions{})
			e.must(err)
		}, request(http.MethodDelete, "/volumes/"+f.Name))
		e.must(e.sim.RemoveVolume(f.NamespaceID, f.ID))
		meets(t, written)
		eventually(t, "it is deleted all the same", 10*time.Second, func() error { return e.names() })
	})
}
