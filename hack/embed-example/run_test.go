package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The manager runs the Reconciler as its leader: volumes get their records, what
// happens is said, what it measures is served, and it ends when it is asked to.
func TestRun(t *testing.T) {
	t.Parallel()
	ctrl.SetLogger(klog.Background())
	config := startCluster(t)
	sim := simulator.New(simulator.Options{})
	endpoint, err := sim.Start("127.0.0.1:0")
	must(t, err)
	defer sim.Close()
	made := sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 5, CSI: -1})
	secret := t.TempDir()
	for _, name := range []string{"username", "password"} {
		must(t, os.WriteFile(filepath.Join(secret, name), []byte("storageos"), 0o600))
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, config, options{endpoint, secret, "default", "127.0.0.1:0"}) }()
	eventually(t, "each volume has its record", func() error {
		list, err := versioned.NewForConfigOrDie(config).StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		whole := 0
		for _, r := range list.Items {
			if r.Status.VolumeID != "" {
				whole++
			}
		}
		if whole != len(made) {
			return fmt.Errorf("%d of %d", whole, len(made))
		}
		return nil
	})
	must(t, sim.UpdateVolume(made[0].NamespaceID, made[0].ID, func(v *simulator.Volume) { v.Master.Health = simulator.HealthOffline }))
	kube := kubernetes.NewForConfigOrDie(config)
	eventually(t, "it is said that a volume is offline", func() error {
		list, err := kube.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "reason=VolumeOffline"})
		if err == nil && len(list.Items) == 0 {
			err = errors.New("it is not")
		}
		return err
	})
	eventually(t, "the metrics count the records", func() error {
		if got := gauge(t, "storageos_volume_records"); got != float64(len(made)) {
			return fmt.Errorf("%v, want %d", got, len(made))
		}
		return nil
	})

	cancel()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("the manager did not end")
	}
	lease, err := kube.CoordinationV1().Leases("default").Get(context.Background(), "embed-example", metav1.GetOptions{})
	must(t, err)
	if h := lease.Spec.HolderIdentity; h != nil && *h != "" {
		t.Errorf("the lease is held by %s", *h)
	}
}

// startCluster starts a cluster with the CRD.
func startCluster(t *testing.T) *rest.Config {
	t.Helper()
	devcluster := os.Getenv("DEVCLUSTER")
	if devcluster == "" {
		t.Skip("it needs a Kubernetes control plane: run it by `make test-integration`")
	}
	dir := t.TempDir()
	cluster := exec.Command(devcluster, "up", "-dir", dir)
	must(t, cluster.Start())
	t.Cleanup(func() {
		_ = cluster.Process.Signal(syscall.SIGTERM)
		_ = cluster.Wait() // it was asked to end
	})
	kubeconfig := filepath.Join(dir, "kubeconfig")
	eventually(t, "the cluster is ready", func() error {
		_, err := os.Stat(kubeconfig)
		return err
	})
	apply := exec.Command(devcluster, "kubectl", "apply", "-f", "../../deploy/crd/api.storageos.com_volumes.yaml")
	apply.Env = append(os.Environ(), "DEVCLUSTER_DIR="+dir)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("installing the CRD: %v: %s", err, out)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	must(t, err)
	return config
}

func gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
