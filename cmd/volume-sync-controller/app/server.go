package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/recordclient"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
	"github.com/storageos/volume-sync-controller/pkg/version"
)

// component names this program in events, user agents and the Lease.
const component = "storageos-volume-sync"

// crdPause is how often it is tried whether the CRD is there.
const crdPause = 2 * time.Second

// server is the process: what main wires together.
type server struct {
	options   *options
	namespace string
	config    *rest.Config
	fence     *fence // nil without an election

	kube       kubernetes.Interface
	records    versioned.Interface
	dynamic    dynamic.Interface
	storageos  *storageos.Client
	events     sayings
	reconciler *controller.Reconciler
	health     *health
	lock       *fencedLock // nil without an election
	changes    changes
	page       *statusPage
}

// newServer wires everything. It starts nothing and asks nobody.
func newServer(o *options) (*server, error) {
	s := &server{options: o, health: &health{}}
	var err error
	if s.config, s.namespace, err = kubeConfig(o); err != nil {
		return nil, err
	}
	if err := s.newClients(); err != nil {
		return nil, err
	}
	metrics.RegisterMetrics()
	measured := *metrics.Default
	took := &latency{LatencyMetric: measured.SyncDuration, first: sync.OnceFunc(returnMemory)}
	measured.SyncDuration = took
	s.storageos, err = storageos.New(storageos.Config{
		Endpoint:        o.endpoint,
		SecretPath:      o.apiSecretPath,
		CAFile:          o.apiCAFile,
		Timeout:         o.apiTimeout,
		RefreshInterval: o.apiRefreshInterval,
		RetryInterval:   o.controller.RetryInterval,
		UserAgent:       userAgent(),
		Requests: storageos.RequestMetrics{
			Duration: metrics.Default.Requests.Duration,
			Total:    metrics.Default.Requests.Total,
			InFlight: metrics.Default.Requests.InFlight,
		},
		OnLoginError: func(error) { metrics.Default.Error(metrics.StageLogin) },
	})
	if err != nil {
		return nil, &flagError{"api-endpoint", err}
	}
	sink := s.kube.CoreV1().Events("")
	s.events = sayings{newEvents(sink, metrics.Default.EventDropped, s.changes.said), newEvents(sink, metrics.Default.EventDropped, s.changes.said)}
	s.reconciler, err = controller.NewReconciler(controller.Options{
		Settings:   workSettings(o),
		Kubernetes: s.kube,
		Records:    s.records,
		CRD:        s.dynamic,
		StorageOS:  s.storageos,
		Events:     s.events,
		Lease:      s.lease(),
		Metrics:    &measured,
		OnWrite:    s.changes.wrote,
	})
	if err != nil {
		return nil, err
	}
	late := 3 * (o.controller.PollInterval + o.apiTimeout) // no listing for longer: something is wrong
	s.page = &statusPage{
		phase: func() phase { return phase(s.health.phase.Load()) }, gatherer: prometheus.DefaultGatherer,
		concerns: s.reconciler.Concerns, listing: s.reconciler.Listing, volumes: s.reconciler.Volumes,
		details: details{get: s.record}, changes: &s.changes, took: took,
		late: late, host: hostOf(o.statusAddr), keepsAll: !o.controller.DeleteOrphans, plugin: pluginOf(s.namespace, o.controller.CSIDriver),
	}
	s.health.polled = s.reconciler.LastAttempt
	s.health.pollMax = storageos.CallTimeouts*o.apiTimeout + late
	if o.election {
		if err := s.newLock(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// workSettings are those of the controller. Of the time in which a process that is asked to
// stop must have ended, the events that it has said are left their moment.
func workSettings(o *options) controller.Settings {
	settings := o.controller
	settings.StopTimeout -= lastEventMoment
	if o.election {
		settings.LeaseDuration = o.lease()
	}
	return settings
}

// lease names the Lease in events; nil without an election.
func (s *server) lease() *corev1.ObjectReference {
	if !s.options.election {
		return nil
	}
	return &corev1.ObjectReference{
		APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease",
		Namespace: s.namespace, Name: component,
	}
}

func (s *server) newClients() error {
	if s.options.election {
		s.fence = &fence{leaseDuration: s.options.lease()}
		s.config.Wrap(s.fence.transport)
	}
	var err error
	if s.records, err = recordclient.New(s.config); err != nil {
		return &flagError{"kubeconfig", fmt.Errorf("making a client for records: %w", withoutUser(err))}
	}
	s.config.Wrap(recordclient.TimeLimit)
	if s.kube, err = kubernetes.NewForConfig(s.config); err != nil {
		return &flagError{"kubeconfig", fmt.Errorf("making a Kubernetes client: %w", withoutUser(err))}
	}
	if s.dynamic, err = dynamic.NewForConfig(s.config); err != nil {
		return &flagError{"kubeconfig", fmt.Errorf("making a client for the CRD: %w", withoutUser(err))}
	}
	return nil
}

// run does the program's work until ctx ends.
func (s *server) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.options.metricsAddr)
	if err != nil {
		return fmt.Errorf("flag -metrics-addr: %w", err)
	}
	page, err := s.listenForPage(ctx)
	if err != nil {
		_ = listener.Close() // nothing was served
		return err
	}
	logSettings(klog.FromContext(ctx), s.options.flags, map[string]string{
		"api-endpoint": s.options.endpoint.String(), "namespace": s.namespace, "kube-api-burst": strconv.Itoa(s.config.Burst),
	})
	if proxy := s.storageos.Proxy(); proxy != "" {
		klog.FromContext(ctx).Info("StorageOS is asked through a proxy, as the environment says: name its host in NO_PROXY to ask it directly", "proxy", proxy)
	}

	// What everything else leans on ends last: the login, the caches, the
	// HTTP server. It outlives the signal.
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	answer := 30 * time.Second
	if s.options.profiling {
		answer = 5 * time.Minute // a profile takes as long as it is asked for
	}
	wg.Go(func() { serve(base, listener, s.health.handler(s.options.profiling), answer) })
	if page != nil {
		wg.Go(func() { serve(base, page, s.page.handler(), 30*time.Second) })
	}
	wg.Go(func() { s.storageos.Run(base) })
	wg.Go(func() { s.events.run(base) })

	if err := s.prepare(ctx, base); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before there was anything to finish
		}
		return err
	}
	if s.lock == nil {
		s.health.enter(leading)
		return s.work(ctx)
	}
	return s.election().run(ctx, base)
}

// work keeps records true until ctx ends. When it returns, the lease may be given
// back: nothing is written any more.
func (s *server) work(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.heartbeat().run(ctx) })
	if s.options.statusAddr != "" {
		wg.Go(func() { s.page.remember(ctx) })
	}
	err := s.reconciler.Start(ctx)
	wg.Wait()
	s.events.drain()
	return err
}

// listenForPage is nil if there is no page to be served. An address that nobody
// has asked for may be taken: the work does not depend on the page.
func (s *server) listenForPage(ctx context.Context) (net.Listener, error) {
	if s.options.statusAddr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", s.options.statusAddr)
	if err != nil && s.options.statusAddr == defaultStatusAddr {
		klog.FromContext(ctx).Info("There is no status page: its address is taken", "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("flag -status-addr: %w", err)
	}
	return listener, nil
}

// serve serves until ctx ends. An answer may take so long.
func serve(ctx context.Context, l net.Listener, handler http.Handler, answer time.Duration) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      answer,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		klog.FromContext(ctx).Error(err, "Serving failed", "address", l.Addr().String())
	}
}

// prepare waits for all that the work needs: the CRD, the caches, a login.
func (s *server) prepare(ctx, base context.Context) error {
	if err := s.waitForCRD(ctx); err != nil {
		return err
	}
	warm, cancel := context.WithCancel(base)
	defer context.AfterFunc(ctx, cancel)()
	if err := s.reconciler.Warm(warm); err != nil {
		return err
	}
	if err := s.storageos.WaitForLogin(ctx); err != nil {
		return err
	}
	s.health.ready.Store(true)
	klog.FromContext(ctx).Info("Ready: logged in, caches filled")
	return nil
}

// waitForCRD returns when records can be listed. A CRD that is not there yet is
// no error.
func (s *server) waitForCRD(ctx context.Context) error {
	said := ""
	for {
		_, err := s.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text := err.Error(); text != said {
			said = text
			if apierrors.IsNotFound(err) {
				klog.FromContext(ctx).Info("Waiting for the CRD volumes.api.storageos.com to be installed (deploy/crd)")
			} else {
				klog.FromContext(ctx).Error(err, "Waiting until records can be listed")
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(crdPause):
		}
	}
}

// kubeConfig finds the API server: by -kubeconfig, or as a Pod does.
func kubeConfig(o *options) (*rest.Config, string, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.kubeconfig}, &clientcmd.ConfigOverrides{})
	config, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err) && o.kubeconfig == "":
		return nil, "", &flagError{"kubeconfig", errors.New("it must be given outside a cluster")}
	case clientcmd.IsEmptyConfig(err):
		return nil, "", &flagError{"kubeconfig", fmt.Errorf("%s holds no configuration", o.kubeconfig)}
	case err != nil:
		return nil, "", &flagError{"kubeconfig", withoutUser(err)}
	}
	namespace := o.namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, "", &flagError{"namespace", fmt.Errorf("it cannot be found out: %w", err)}
		}
	}
	config.UserAgent = userAgent()
	config.QPS = float32(o.kubeAPIQPS)
	config.Burst = o.kubeAPIBurst
	switch {
	case config.QPS == 0:
		config.QPS = -1 // the API server's own fairness decides
	case o.kubeAPIBurst == 0:
		config.Burst = max(1, int(o.kubeAPIQPS))
	}
	return config, namespace, nil
}

// userInfo is what stands before an @, as the user and the password of a URL do. In a
// malformed one the password may have a slash in it.
var userInfo = regexp.MustCompile(`[^\s"']*@`)

// withoutUser is an error without the users and passwords of the URLs that it quotes: a
// kubeconfig may have them for its server and for a proxy.
func withoutUser(err error) error {
	return errors.New(userInfo.ReplaceAllString(err.Error(), "…@"))
}

func userAgent() string { return component + "/" + version.Version() }
