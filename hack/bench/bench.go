package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
)

const (
	namespaces = 50
	writers    = 10 // as many as the controller has workers
)

// noSelfCheck keeps the API server from comparing all that it caches with etcd every
// five minutes or more: with 100,000 records and PersistentVolumes that halves the pace of
// a cold start for a minute or so, and whatever else is measured then would tell of that.
const noSelfCheck = "--feature-gates=DetectCacheInconsistency=false"

type options struct {
	volumes int
	alone   bool // nothing with fewer volumes
	early   bool // nothing but what early reads bring
	bin     string
	crd     string
	out     string
}

// bench is one run.
type bench struct {
	options
	begun    time.Time
	versions string // of what is measured
	rows     []row

	dir        string
	cluster    *process
	kubeconfig string
	config     *rest.Config
	kube       kubernetes.Interface
	records    versioned.Interface

	sim      *simulator.Simulator
	endpoint string
	secret   string
	filled   []simulator.Filled // volumes that have a PersistentVolume
}

// say shows how far the run has come.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %5.0f s  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// sizes are the numbers of volumes at which everything is measured.
func (o options) sizes() ([]int, error) {
	const least = 1_000
	if o.volumes < least {
		return nil, fmt.Errorf("-volumes must be at least %s: fewer are not to be measured", thousands(least))
	}
	var sizes []int
	for _, n := range []int{least, 10_000} {
		if n < o.volumes && !o.alone {
			sizes = append(sizes, n)
		}
	}
	return append(sizes, o.volumes), nil
}

// run measures with more and more volumes.
func (o options) run(ctx context.Context) error {
	sizes, err := o.sizes()
	if err != nil {
		return err
	}
	b := &bench{options: o, begun: time.Now()}
	if b.versions, err = o.measured(); err != nil {
		return err
	}
	if err := b.open(ctx); err != nil {
		return errors.Join(err, b.close())
	}
	err = func() error {
		for _, n := range sizes {
			if err := b.measure(ctx, n); err != nil {
				return fmt.Errorf("with %d volumes: %w", n, err)
			}
		}
		return nil
	}()
	if err := errors.Join(err, b.close()); err != nil {
		return err
	}
	b.write(os.Stdout)
	if o.out == "" {
		return nil
	}
	f, err := os.Create(o.out)
	if err != nil {
		return err
	}
	defer f.Close()
	b.write(f)
	return nil
}

func (b *bench) open(ctx context.Context) error {
	var err error
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	b.say("starting a Kubernetes control plane")
	b.cluster, err = start(filepath.Join(b.dir, "devcluster.log"),
		exec.Command(filepath.Join(b.bin, "devcluster"), "up", "-dir", filepath.Join(b.dir, "cluster"),
			"-apiserver-arg", noSelfCheck))
	if err != nil {
		return err
	}
	b.kubeconfig = filepath.Join(b.dir, "cluster", "kubeconfig")
	if err := b.cluster.until(ctx, "the control plane is ready", time.Minute, 50*time.Millisecond, func() (bool, error) {
		_, err := os.Stat(b.kubeconfig)
		return err == nil, err
	}); err != nil {
		return err
	}
	if b.config, err = clientcmd.BuildConfigFromFlags("", b.kubeconfig); err != nil {
		return err
	}
	b.config.QPS = -1
	if b.kube, err = kubernetes.NewForConfig(b.config); err != nil {
		return err
	}
	if b.records, err = versioned.NewForConfig(b.config); err != nil {
		return err
	}
	if err := b.installCRDs(ctx); err != nil {
		return err
	}
	// It writes the phase of every PersistentVolume, and takes the API server's
	// time for it: that is not what is measured.
	if err := b.freeze("kube-controller-manager"); err != nil {
		return err
	}
	b.sim = simulator.New(simulator.Options{TokenExpiry: time.Hour, LogLimit: -1})
	if b.endpoint, err = b.sim.Start("127.0.0.1:0"); err != nil {
		return err
	}
	b.secret = filepath.Join(b.dir, "secret")
	if err := os.Mkdir(b.secret, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{"username": simulator.DefaultUsername, "password": simulator.DefaultPassword} {
		if err := os.WriteFile(filepath.Join(b.secret, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// installCRDs installs the CRD, and the same for the loop that it is compared with.
func (b *bench) installCRDs(ctx context.Context) error {
	bare, err := b.bareCRD()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "-f", b.crd, "-f", bare},
		{"wait", "--for=condition=Established", "-f", b.crd, "-f", bare},
	} {
		kubectl := exec.CommandContext(ctx, filepath.Join(b.bin, "devcluster"), append([]string{"kubectl"}, args...)...)
		kubectl.Env = append(os.Environ(), "DEVCLUSTER_DIR="+filepath.Join(b.dir, "cluster"))
		if out, err := kubectl.CombinedOutput(); err != nil {
			return fmt.Errorf("installing the CRD: %w: %s", err, out)
		}
	}
	return nil
}

func (b *bench) close() error {
	if b.sim != nil {
		b.sim.Close()
	}
	if b.cluster != nil {
		b.cluster.stop()
	}
	return os.RemoveAll(b.dir)
}

// freeze stops a component of the control plane. It is killed in the end.
func (b *bench) freeze(component string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		line := strings.Split(string(raw), "\x00")
		if len(line) < 2 || line[1] != component && filepath.Base(line[0]) != component || !strings.Contains(string(raw), b.dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGSTOP)
	}
	return fmt.Errorf("%s does not run", component)
}

// measure measures everything with so many volumes.
func (b *bench) measure(ctx context.Context, n int) error {
	begun := time.Now()
	if err := b.grow(ctx, n); err != nil {
		return err
	}
	steps := []func(context.Context, int) error{b.coldStart, b.warmStart, b.earlyReads, b.fresh, b.goBenchmark}
	if b.early {
		steps = steps[2:4]
	}
	for _, step := range steps {
		if err := step(ctx, n); err != nil {
			return err
		}
	}
	b.say("measured with %s volumes in %v", thousands(n), time.Since(begun).Round(time.Second))
	return nil
}
