// Package launcher starts the processes of a control plane on loopback, writes
// a kubeconfig once they are ready, and ends them.
package launcher

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Usage says what the devcluster does.
func Usage(w io.Writer) {
	fmt.Fprint(w, `devcluster runs a Kubernetes control plane for development and tests.

  devcluster up [-dir DIR]     start etcd, kube-apiserver and kube-controller-manager
                               on loopback; Ctrl-C ends them and removes their data;
                               -csi-socket PATH: start csi-provisioner and
                               csi-resizer too, for the CSI driver on that socket,
                               which has to be there within 30 s
                               -node: with a node, on which Pods run; it needs root
                               and packages of Debian, which it names
  devcluster load IMAGE.tar    bring an image into the node
  devcluster kubectl ARGS...   kubectl against the cluster that runs

DIR is the folder .devcluster beside the one of this program, or $DEVCLUSTER_DIR;
the logs of the components are in it, and a kubeconfig once the cluster is ready.
If $KUBEBUILDER_ASSETS is set, the etcd, kube-apiserver and, if they are there,
kube-controller-manager and kubectl in that folder are used.
`)
}

// Main runs one command of the devcluster and returns the exit code.
func Main(args []string, c Commands) int {
	if len(args) == 0 {
		Usage(os.Stderr)
		return 2
	}
	switch args[0] {
	case "up":
	case "load":
		fmt.Fprintln(os.Stderr, "devcluster:", load(args[1:]))
		return 1
	case "kubectl":
		fmt.Fprintln(os.Stderr, "devcluster:", runKubectl(c, args[1:]))
		return 1
	case "help", "-h", "-help", "--help":
		Usage(os.Stdout)
		return 0
	default:
		fmt.Fprintf(os.Stderr, "devcluster: unknown command %q: see devcluster help\n", args[0])
		return 2
	}
	fs := flag.NewFlagSet("devcluster up", flag.ContinueOnError)
	dir := fs.String("dir", defaultDir(), "`folder` for data, logs and the kubeconfig")
	restart := fs.Duration("restart", 0, "start a component that ends again after that `time`; 0: the cluster ends with it")
	etcd := fs.String("etcd", "", "`address` on which etcd serves, host:port; on a free port of loopback unless said")
	etcdVia := fs.String("etcd-via", "", "`address` at which kube-apiserver looks for etcd, for a proxy in between; that of etcd unless said")
	csiSocket := fs.String("csi-socket", "", "`path` of the Unix socket of a CSI driver, for which csi-provisioner and csi-resizer are started; it has to be there within 30 s, or they end and the cluster with them")
	node := fs.Bool("node", false, "with a node: containerd, kubelet, kube-scheduler, kube-proxy")
	var apiArgs stringList
	fs.Var(&apiArgs, "apiserver-arg", "argument to add to those of kube-apiserver; can be given more than once")
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "devcluster: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := settings{*restart, *etcd, *etcdVia, *csiSocket, apiArgs, nil}
	var err error
	if *node {
		err = upWithNode(ctx, stop, args, *dir, c, s)
	} else {
		err = up(ctx, *dir, c, s)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode() // it has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		return 1
	}
	return 0
}

// upWithNode runs a cluster with a node: in this process if it has been made for
// it, else in one that is.
func upWithNode(ctx context.Context, stop func(), args []string, dir string, c Commands, s settings) (err error) {
	if err := missing(c); err != nil {
		return err
	}
	if os.Getenv(insideVariable) == "" {
		return enter(ctx, dir, args)
	}
	if s.network, err = waitForNetwork(stop); err != nil {
		return err
	}
	return up(ctx, dir, c, s)
}

type stringList []string

func (l *stringList) String() string     { return fmt.Sprint(*l) }
func (l *stringList) Set(s string) error { *l = append(*l, s); return nil }

// Kubeconfig is the kubeconfig of the cluster that runs.
func Kubeconfig() (string, error) {
	path := filepath.Join(defaultDir(), kubeconfigName)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no cluster runs in %s: start one with `devcluster up`", defaultDir())
	}
	return path, nil
}

func defaultDir() string {
	if dir := os.Getenv("DEVCLUSTER_DIR"); dir != "" {
		return dir
	}
	self, err := os.Executable()
	if err != nil {
		return ".devcluster"
	}
	return filepath.Join(filepath.Dir(filepath.Dir(self)), ".devcluster")
}

// settings are how a cluster may differ from the usual one.
type settings struct {
	restart   time.Duration // a component that ends is started again after that; 0: the cluster ends
	etcd      string        // the address on which etcd serves; "": a free port
	etcdVia   string        // the address at which kube-apiserver looks for it; "": the same
	csiSocket string        // of a CSI driver; "": there is none
	apiArgs   []string      // added to those of kube-apiserver
	network   *network      // of a cluster with a node; nil: it has none
}

// up runs a cluster until ctx ends or a component does.
func up(ctx context.Context, dir string, c Commands, s settings) error {
	begun := time.Now()
	cl, err := newCluster(dir)
	if err != nil {
		return err
	}
	defer cl.close()
	cl.settings = s
	if s.network != nil {
		if err := settle(cl.dir, s.network); err != nil {
			return err
		}
	}
	if err := cl.start(ctx, c); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	fmt.Printf("devcluster: ready after %.1f s, KUBECONFIG=%s\n", time.Since(begun).Seconds(), cl.path(kubeconfigName))
	select {
	case <-ctx.Done():
		return nil
	case err := <-cl.died:
		return err
	}
}
