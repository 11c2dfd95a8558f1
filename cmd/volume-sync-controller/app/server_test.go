package app

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
	"github.com/storageos/volume-sync-controller/pkg/recordclient"
)

func TestKubeConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in        string // the namespace of the kubeconfig
		args      []string
		namespace string
		qps       float32
		burst     int
	}{
		"by default":            {namespace: "default", qps: -1},
		"a namespace":           {in: "there", namespace: "there", qps: -1},
		"the flag's goes first": {in: "there", args: []string{"-namespace=here"}, namespace: "here", qps: -1},
		"a limit":               {args: []string{"-kube-api-qps=20"}, namespace: "default", qps: 20, burst: 20},
		"a limit below 1":       {args: []string{"-kube-api-qps=0.5"}, namespace: "default", qps: 0.5, burst: 1},
		"a limit and a burst":   {args: []string{"-kube-api-qps=20", "-kube-api-burst=30"}, namespace: "default", qps: 20, burst: 30},
		"a burst without limit": {args: []string{"-kube-api-burst=30"}, namespace: "default", qps: -1, burst: 30},
		// client-go takes 0 for 5.
		"a limit that is as good as 0": {args: []string{"-kube-api-qps=1e-50"}, namespace: "default", qps: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-kubeconfig", kubeconfigFor(t, "http://"+nowhere, tc.in)}, tc.args...)
			config, namespace, err := kubeConfig(parsed(t, args...))
			if err != nil {
				t.Fatal(err)
			}
			if namespace != tc.namespace || config.QPS != tc.qps || config.Burst != tc.burst {
				t.Errorf("namespace %q, %v per second, burst %d", namespace, config.QPS, config.Burst)
			}
			if config.Host != "http://"+nowhere || !strings.HasPrefix(config.UserAgent, component+"/") {
				t.Errorf("%s asks %s", config.UserAgent, config.Host)
			}
		})
	}
}

func TestKubeConfigRefused(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "") // not in a cluster
	for name, tc := range map[string]struct{ path, want string }{
		"none":          {"", "it must be given outside a cluster"},
		"no such file":  {"/does/not/exist", "no such file"},
		"a folder":      {t.TempDir(), "is a directory"},
		"an empty file": {write(t, ""), "holds no configuration"},
		"not YAML":      {write(t, "a: b: c\n\td"), "yaml"},
		"no such context": {write(t, "apiVersion: v1\nkind: Config\ncurrent-context: c\n"+
			"clusters: [{name: a, cluster: {server: x}}]\n"), "context"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := kubeConfig(parsed(t, "-kubeconfig", tc.path))
			var flagged *flagError
			if !errors.As(err, &flagged) {
				t.Fatalf("error %v", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "flag -kubeconfig: ") || !strings.Contains(text, tc.want) || strings.Contains(text, "\n") {
				t.Errorf("%q, want one line that says %q", text, tc.want)
			}
		})
	}
}

// A kubeconfig that is refused is not quoted where it may hold a password.
func TestKubeConfigStaysSecret(t *testing.T) {
	t.Parallel()
	const with = "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
	for name, tc := range map[string]struct{ rest, want string }{
		"a server with a bad port":     {`clusters: [{name: c, cluster: {server: "https://admin:s3cr3t@10.0.0.1:bad"}}]`, "…@10.0.0.1:bad"},
		"a server without a bracket":   {`clusters: [{name: c, cluster: {server: "https://admin:s3cr3t@[::1"}}]`, "…@[::1"},
		"a slash in the password":      {`clusters: [{name: c, cluster: {server: "https://admin:s3cr3t/s3cr3t@[::1"}}]`, "…@[::1"},
		"a proxy without a bracket":    {`clusters: [{name: c, cluster: {server: "https://h", proxy-url: "http://admin:s3cr3t@[::1"}}]`, "…@[::1"},
		"a proxy without a scheme":     {`clusters: [{name: c, cluster: {server: "https://h", proxy-url: "admin:s3cr3t@proxy:3128"}}]`, "…@proxy:3128"},
		"a certificate that is none":   {"clusters: [{name: c, cluster: {server: \"https://h\"}}]\nusers: [{name: u, user: {client-certificate-data: s3cr3t}}]", "illegal base64"},
		"a token in a place of others": {"users: [{name: u, user: s3cr3t}]", "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newServer(parsed(t, "-kubeconfig", write(t, with+tc.rest+"\n")))
			if !errors.As(err, new(*flagError)) {
				t.Fatalf("error %v", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "flag -kubeconfig: ") || !strings.Contains(text, tc.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("%q, want %q", text, tc.want)
			}
		})
	}
}

// newTestServer wires a server whose API server answers so.
func newTestServer(t *testing.T, answer http.HandlerFunc, args ...string) *server {
	t.Helper()
	api := httptest.NewServer(answer)
	t.Cleanup(api.Close)
	s, err := newServer(parsed(t, append(args, "-kubeconfig", kubeconfigFor(t, api.URL, "there"))...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// With an election, clients write through the fence and the Lease is where
// events are told; the lock passes it, and no limit of requests holds it up.
func TestNewServer(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	stored, kind := []byte(`{"metadata":{"name":"x"}}`), "application/json"
	answer := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			stored, _ = io.ReadAll(r.Body)
			kind = r.Header.Get("Content-Type")
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(stored)
	}
	write := func(s *server) error {
		return s.records.StorageOSV1().RESTClient().Delete().AbsPath("/x").Do(t.Context()).Error()
	}

	alone := newTestServer(t, answer)
	if alone.lock != nil || alone.fence != nil || alone.lease() != nil {
		t.Error("an election that nobody asked for")
	}
	if err := write(alone); err != nil {
		t.Errorf("alone: %v", err)
	}

	s := newTestServer(t, answer, "-enable-leader-election", "-kube-api-qps=0.001", "-lease-duration=20s")
	if l := s.lease(); l.Namespace != "there" || l.Name != component || l.Kind != "Lease" || l.APIVersion != "coordination.k8s.io/v1" {
		t.Errorf("the Lease is %+v", l)
	}
	if err := write(s); !errors.Is(err, errFenced) {
		t.Errorf("without the lease: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		if _, _, err := s.lock.Get(ctx); err != nil {
			t.Fatalf("looking at the lease: %v", err)
		}
		if err := s.lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: s.lock.Identity()}); err != nil {
			t.Fatalf("renewing the lease: %v", err)
		}
	}
	if age := time.Since(s.health.looked()); age > time.Minute || s.health.lookMax != time.Minute {
		t.Errorf("looked %v ago, must every %v", age, s.health.lookMax)
	}
	if want := 10*30*time.Second + 3*35*time.Second; s.health.pollMax != want {
		t.Errorf("must poll every %v, want %v", s.health.pollMax, want)
	}
	if err := s.fence.begin(ctx); err != nil {
		t.Errorf("with the lease: %v", err)
	}
}

// Others read whole seconds in the Lease: the fence does not go by more than those.
func TestFenceGoesByWholeSeconds(t *testing.T) {
	t.Parallel()
	for duration, want := range map[string]time.Duration{"15s": 15 * time.Second, "15900ms": 15 * time.Second, "2000000001ns": 2 * time.Second} {
		s, err := newServer(parsed(t, "-enable-leader-election", "-lease-duration", duration, "-renew-deadline=1s", "-retry-period=500ms",
			"-kubeconfig", kubeconfigFor(t, "http://"+nowhere, "")))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.fence.leaseDuration; got != want {
			t.Errorf("of %s it goes by %v, want %v", duration, got, want)
		}
	}
}

// The longest times that are taken overflow nowhere.
func TestLongestTimes(t *testing.T) {
	t.Parallel()
	args := []string{"-enable-leader-election", "-lease-duration=87600h", "-renew-deadline=87599h", "-retry-period=70000h", "-kubeconfig", kubeconfigFor(t, "http://"+nowhere, "")}
	for _, name := range []string{"api-timeout", "api-poll-interval", "api-refresh-interval", "api-retry-interval", "resync-interval", "orphan-grace-period", "mass-orphan-hold", "progress-interval"} {
		args = append(args, "-"+name+"=87600h")
	}
	s, err := newServer(parsed(t, args...))
	if err != nil {
		t.Fatal(err)
	}
	if s.page.late != 6*longest || s.health.pollMax != 16*longest || s.health.lookMax != 3*longest {
		t.Errorf("late %v, must poll every %v, must look every %v", s.page.late, s.health.pollMax, s.health.lookMax)
	}
	if seconds := longest / time.Second; seconds > math.MaxInt32 {
		t.Errorf("a Lease cannot say %d s", seconds)
	}
}

// A CRD that is not there yet is waited for, and told of once.
func TestWaitForCRD(t *testing.T) {
	t.Parallel()
	records := schema.GroupResource{Group: "api.storageos.com", Resource: "volumes"}
	notFound := apierrors.NewNotFound(records, "")
	for name, tc := range map[string]struct {
		answers []error // one each time, then success
		stop    time.Duration
		took    time.Duration
		says    []string
	}{
		"it is there": {},
		"it comes":    {answers: []error{notFound, notFound, notFound}, took: 3 * crdPause, says: []string{"Waiting for the CRD"}},
		"first there is no API server": {
			answers: []error{errBroken, errBroken, notFound, notFound}, took: 4 * crdPause,
			says: []string{"Waiting until records can be listed", "Waiting for the CRD"},
		},
		"it is asked to stop meanwhile": {
			answers: []error{notFound, notFound}, stop: crdPause / 2, took: crdPause / 2, says: []string{"Waiting for the CRD"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewSimpleClientset()
				calls := 0
				client.PrependReactor("list", "volumes", func(clienttesting.Action) (bool, runtime.Object, error) {
					calls++
					if calls <= len(tc.answers) {
						return true, nil, tc.answers[calls-1]
					}
					return false, nil, nil
				})
				logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
				ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
				defer cancel()
				if tc.stop > 0 {
					time.AfterFunc(tc.stop, cancel)
				}
				begun := time.Now()
				err := (&server{records: client}).waitForCRD(ctx)
				if stopped := tc.stop > 0; stopped != (err != nil) || stopped != errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
				if took := time.Since(begun); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				log := logger.GetSink().(ktesting.Underlier).GetBuffer().Data()
				if len(log) != len(tc.says) {
					t.Fatalf("it says %v, want %q", log, tc.says)
				}
				for i, want := range tc.says {
					if !strings.Contains(log[i].Message, want) {
						t.Errorf("it says %q, want %q", log[i].Message, want)
					}
				}
			})
		})
	}
}

// It serves until it is told to stop, and ends then.
func TestServe(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(quiet(t))
	over := make(chan struct{})
	go func() {
		serve(ctx, listener, (&health{}).handler(false), time.Second)
		close(over)
	}()
	url := "http://" + listener.Addr().String() + "/livez"
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "ok\n" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	stop()
	<-over
	if _, err := http.Get(url); err == nil {
		t.Error("it still serves")
	}
}

// No client waits for an answer from Kubernetes for as long as a connection lasts.
func TestClientsTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{options: &options{}, config: &rest.Config{Host: "http://kubernetes", Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})}}
		if err := s.newClients(); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func(metav1.ListOptions) error{
			"PersistentVolumes": func(o metav1.ListOptions) error {
				_, err := s.kube.CoreV1().PersistentVolumes().List(t.Context(), o)
				return err
			},
			"records": func(o metav1.ListOptions) error {
				_, err := s.records.StorageOSV1().Volumes().List(t.Context(), o)
				return err
			},
			"the CRD": func(o metav1.ListOptions) error {
				_, err := s.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).List(t.Context(), o)
				return err
			},
		} {
			begin := time.Now()
			if err := call(metav1.ListOptions{}); err == nil || time.Since(begin) != recordclient.Patience {
				t.Errorf("%s: it ended after %v with %v", name, time.Since(begin), err)
			}
		}
	})
}
