package launcher

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The components of these tests are this test's own binary: the real ones are
// started by `devcluster up` in the integration tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if fake, ok := fakes[os.Args[1]]; ok {
			os.Exit(fake(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

var fakes = map[string]func(args []string) int{
	"fake":      func([]string) int { return waitForEnd() },
	"apiserver": fakeAPIServer,
	"dies":      func([]string) int { fmt.Fprintln(os.Stderr, "cannot go on"); return 3 },
}

func waitForEnd() int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	return 0
}

// fakeAPIServer is ready at once.
func fakeAPIServer(args []string) int {
	values := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		values[name] = value
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.StartTLS()
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(values["cert-dir"], "apiserver.crt"), crt, 0o600); err != nil {
		return 1
	}
	listening := &http.Server{
		Addr: values["bind-address"] + ":" + values["secure-port"], Handler: server.Config.Handler,
		TLSConfig: &tls.Config{Certificates: server.TLS.Certificates}, ReadHeaderTimeout: time.Second,
	}
	go func() { _ = listening.ListenAndServeTLS("", "") }()
	return waitForEnd()
}

func fake(name string) []string { return []string{os.Args[0], name} }

func working() Commands {
	return Commands{
		Etcd: fake("fake"), APIServer: fake("apiserver"), ControllerManager: fake("fake"),
		Provisioner: fake("fake"), Resizer: fake("fake"),
	}
}

// pids are the processes that a cluster has started.
func (c *cluster) pids() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pids []int
	for _, child := range c.children {
		pids = append(pids, child.cmd.Process.Pid)
	}
	return pids
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change   func(*Commands)
		settings settings
		children int
	}{
		"all components":             {func(*Commands) {}, settings{}, 3},
		"without controller manager": {func(c *Commands) { c.ControllerManager = nil }, settings{}, 2},
		"with those of CSI":          {func(*Commands) {}, settings{csiSocket: "/csi.sock"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commands := working()
			tc.change(&commands)
			dir := t.TempDir()
			c, err := newCluster(dir)
			if err != nil {
				t.Fatal(err)
			}
			c.settings = tc.settings
			if err := c.start(t.Context(), commands); err != nil {
				t.Fatal(err)
			}
			kubeconfig, err := os.ReadFile(filepath.Join(dir, kubeconfigName))
			if err != nil || !strings.Contains(string(kubeconfig), "server: https://127.0.0.1:") {
				t.Errorf("kubeconfig: %v: %s", err, kubeconfig)
			}
			if _, err := newCluster(dir); err == nil || !strings.Contains(err.Error(), "runs in") {
				t.Errorf("a second one in the same folder: %v", err)
			}
			pids := c.pids()
			c.close()
			if len(pids) != tc.children {
				t.Errorf("%d components, want %d", len(pids), tc.children)
			}
			for _, pid := range pids {
				if err := syscall.Kill(pid, 0); err == nil {
					t.Errorf("process %d is left", pid)
				}
			}
			for _, left := range []string{kubeconfigName, "etcd", "certs"} {
				if _, err := os.Stat(filepath.Join(dir, left)); err == nil {
					t.Errorf("%s is left", left)
				}
			}
		})
	}
}

// A component that ends ends the start, or the cluster, and is named.
func TestComponentEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Commands)
		want   string
	}{
		"etcd":               {func(c *Commands) { c.Etcd = fake("dies") }, "etcd ended, see "},
		"API server":         {func(c *Commands) { c.APIServer = fake("dies") }, "kube-apiserver ended, see "},
		"controller manager": {func(c *Commands) { c.ControllerManager = fake("dies") }, "kube-controller-manager ended, see "},
		"provisioner":        {func(c *Commands) { c.Provisioner = fake("dies") }, "csi-provisioner ended, see "},
		"and why it ended":   {func(c *Commands) { c.Etcd = fake("dies") }, "exit status 3: cannot go on"},
		"no resizer":         {func(c *Commands) { c.Resizer = nil }, "there is no csi-resizer"},
		"cannot be started":  {func(c *Commands) { c.Etcd = []string{"/does/not/exist"} }, "starting etcd: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commands := working()
			tc.change(&commands)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir := t.TempDir()
			err := up(ctx, dir, commands, settings{csiSocket: "/csi.sock"})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if _, path, ok := strings.Cut(err.Error(), "see "); ok {
				path, _, _ = strings.Cut(path, ":")
				if log, err := os.ReadFile(path); err != nil || !strings.Contains(string(log), "cannot go on") {
					t.Errorf("the log that it names: %v: %s", err, log)
				}
			}
		})
	}
}

// With -restart, a component that ends is started again.
func TestRestart(t *testing.T) {
	t.Parallel()
	c, err := newCluster(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.settings.restart = time.Millisecond
	if err := c.run("etcd", fake("fake")); err != nil {
		t.Fatal(err)
	}
	first := c.pids()[0]
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if pids := c.pids(); len(pids) == 1 && pids[0] != first {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it was not started again")
		}
	}
}

func TestMainExitCodes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{
		"": 2, "help": 0, "up -h": 0, "fly": 2, "up -nonsense": 2, "up extra": 2,
	} {
		if got := Main(strings.Fields(args), working()); got != want {
			t.Errorf("devcluster %s: exit code %d, want %d", args, got, want)
		}
	}
}
