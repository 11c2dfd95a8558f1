package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

type options struct {
	endpoint    string
	secretPath  string
	namespace   string
	metricsAddr string
}

// run runs the manager until ctx ends.
func run(ctx context.Context, config *rest.Config, o options) error {
	mgr, err := ctrl.NewManager(config, manager.Options{
		LeaderElection:                true,
		LeaderElectionID:              "embed-example",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		// The metrics are on client_golang's default registerer: the manager's own
		// has the workqueue's too, under the same names.
		Metrics: server.Options{BindAddress: o.metricsAddr, ExtraHandlers: map[string]http.Handler{
			"/metrics/storageos": promhttp.Handler(),
		}},
	})
	if err != nil {
		return fmt.Errorf("making a manager: %w", err)
	}
	if err := addVolumeSync(mgr, o); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// addVolumeSync is all that a program with a manager has to do.
func addVolumeSync(mgr manager.Manager, o options) error {
	config := rest.CopyConfig(mgr.GetConfig())
	config.QPS = -1 // no limit here: the API server's priority and fairness decides
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a Kubernetes client: %w", err)
	}
	records, err := controller.NewRecordClient(config)
	if err != nil {
		return fmt.Errorf("making a client for records: %w", err)
	}
	endpoint, err := storageos.ParseEndpoint(o.endpoint)
	if err != nil {
		return err
	}
	api, err := storageos.New(storageos.Config{
		Endpoint: endpoint, SecretPath: o.secretPath,
		Timeout: 30 * time.Second, RefreshInterval: time.Minute, RetryInterval: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	metrics.RegisterMetrics()
	reconciler, err := controller.NewReconciler(controller.Options{
		Settings:   controller.DefaultSettings(),
		Kubernetes: kube,
		Records:    records,
		StorageOS:  api,
		Events:     events{mgr.GetEventRecorder("storageos-volume-sync")},
	})
	if err != nil {
		return err
	}
	if err := mgr.Add(login{api}); err != nil {
		return err
	}
	return mgr.Add(reconciler) // on the leader, as every Runnable that says nothing else
}

// login keeps the login to StorageOS valid, on a standby too.
type login struct{ client *storageos.Client }

// Start implements manager.Runnable.
func (l login) Start(ctx context.Context) error {
	l.client.Run(ctx)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (login) NeedLeaderElection() bool { return false }

// events writes what the Reconciler says through the manager's recorder.
type events struct{ recorder recorder.EventRecorder }

// Event implements controller.EventRecorder.
func (e events) Event(object runtime.Object, kind, reason, message string) {
	e.recorder.Eventf(object, nil, kind, reason, "Sync", "%s", message)
}
