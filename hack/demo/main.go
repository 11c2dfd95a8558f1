// The demo shows the controller at work: it starts a Kubernetes control plane, a
// simulated StorageOS with its CSI driver and the controller, makes claims, keeps
// changing things, and prints a line for each change of a record. Ctrl-C ends it all.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

func main() {
	bin := flag.String("bin", "bin", "`folder` of the programs")
	crd := flag.String("crd", "deploy/crd/api.storageos.com_volumes.yaml", "`file` of the CRD")
	class := flag.String("storage-class", "hack/demo/storageclass.yaml", "`file` of the storage class")
	pace := flag.Duration("pace", 4*time.Second, "pause between two changes")
	flag.Parse()
	runtime.LockOSThread() // what it starts dies with this thread
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *bin, *crd, *class, *pace)
	asked := ctx.Err() != nil // to stop: whatever fails then does so for that
	stop()
	if err != nil && !asked {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	fmt.Println("demo: everything has stopped")
}

func run(ctx context.Context, bin, crd, class string, pace time.Duration) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir := filepath.Join(filepath.Dir(bin), ".devcluster")
	if err := free(dir); err != nil {
		return err
	}
	secret, err := writeSecret(dir)
	if err != nil {
		return err
	}
	sim := simulator.New(simulator.Options{Seed: uint64(time.Now().UnixNano())})
	endpoint, err := sim.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer sim.Close()
	sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: byHand})
	// Not in dir: the path of a socket has 107 characters at most.
	temp, err := os.MkdirTemp("", "csi")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	socket := filepath.Join(temp, "socket")
	driver, err := beginLogged(dir, exec.Command(filepath.Join(bin, "storageos-csi"),
		"-socket", socket, "-api-endpoint", endpoint, "-api-secret-path", secret))
	if err != nil {
		return err
	}
	defer driver.end()

	fmt.Println("demo: starting a Kubernetes control plane")
	devcluster := filepath.Join(bin, "devcluster")
	cluster, err := begin(exec.Command(devcluster, "up", "-dir", dir, "-csi-socket", socket), os.Stdout)
	if err != nil {
		return err
	}
	defer cluster.end()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := cluster.waitFor(ctx, kubeconfig); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	if err := install(ctx, config, crd, class); err != nil {
		return fmt.Errorf("installing the CRD and the storage class: %w", err)
	}

	controller, err := beginLogged(dir, exec.Command(filepath.Join(bin, "volume-sync-controller"),
		"-kubeconfig", kubeconfig, "-api-endpoint", endpoint, "-api-secret-path", secret,
		"-metrics-addr", metricsAddr, "-v", "2"))
	if err != nil {
		return err
	}
	defer controller.end()
	claims, kubectl := has("kube-controller-manager"), "bin/devcluster kubectl"
	if !has("kubectl") {
		kubectl = "kubectl --kubeconfig " + kubeconfig
	}
	fmt.Printf("demo: StorageOS (simulated) at %s, logs in %s\n", endpoint, dir)
	if !claims {
		fmt.Println("demo: nobody binds claims: there are none, volumes are made and deleted in StorageOS itself")
	}
	fmt.Println("\nIn a second terminal:")
	for _, command := range try(kubectl, kubeconfig, claims) {
		fmt.Println(" ", command)
	}
	fmt.Print("Ctrl-C stops everything.\n\n")

	s, err := newStory(sim, config, plugin{filepath.Join(bin, "kubectl-storageos_volumes"), kubeconfig}, claims)
	if err != nil {
		return err
	}
	ended := func() error {
		select {
		case <-cluster.ended:
			return errors.New("the control plane has ended")
		case <-driver.ended:
			return fmt.Errorf("the CSI driver has ended: see the logs in %s", dir)
		case <-controller.ended:
			return fmt.Errorf("the controller has ended: see the logs in %s", dir)
		case <-ctx.Done():
			return nil
		}
	}
	working, cancelWork := context.WithCancelCause(ctx)
	go func() { cancelWork(ended()) }()
	if err := s.open(working); err != nil {
		return cmp.Or(context.Cause(working), err)
	}
	go s.watch(working)
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-working.Done():
			return context.Cause(working)
		case <-ticker.C:
			if err := s.next(working); err != nil && working.Err() == nil {
				fmt.Println("demo: that did not work:", err) // somebody else may have changed the claim
			}
		}
	}
}

// try is what to try.
func try(kubectl, kubeconfig string, claims bool) (commands []string) {
	if claims {
		commands = []string{kubectl + " apply -f hack/demo/claim.yaml"}
	}
	return append(commands,
		kubectl+" get volumes",
		kubectl+" describe volume NAME",
		kubectl+" get events",
		"bin/kubectl-storageos_volumes nodes --controller-namespace default --kubeconfig "+kubeconfig,
		"curl localhost:8080/metrics",
	)
}

// has tells whether there is a program of Kubernetes: devcluster has them all, a folder with
// the programs of a control plane may not.
func has(program string) bool {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, program))
	return err == nil
}

// metricsAddr is where the controller's metrics are.
const metricsAddr = "127.0.0.1:8080"

// free is an error if another cluster runs in the folder, or something at the
// address that is needed.
func free(dir string) error {
	l, err := net.Listen("tcp", metricsAddr)
	if err != nil {
		return fmt.Errorf("the address of the controller's metrics: %w", err)
	}
	l.Close()
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("a cluster runs in %s already", dir)
	}
	return nil
}

func writeSecret(dir string) (string, error) {
	secret := filepath.Join(dir, "secret")
	if err := os.MkdirAll(secret, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"username", "password"} {
		if err := os.WriteFile(filepath.Join(secret, name), []byte("storageos"), 0o600); err != nil {
			return "", err
		}
	}
	return secret, nil
}
