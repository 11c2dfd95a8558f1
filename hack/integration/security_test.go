package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Whatever is asked of the log, and whatever StorageOS quotes: no password and
// no token is in the log, the metrics, the events, the records or a crash dump.
func TestSecrets(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 5, CSI: -1})
	c := e.controller("-v", "10", "-api-refresh-interval", "300ms")
	e.eventually("5 records", 20*time.Second, func() error { return e.right(filled, 0) })

	var mu sync.Mutex
	tokens := map[string]bool{}
	quote := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		body, _ := io.ReadAll(r.Body) // what there is of it
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		mu.Lock()
		if token != "" {
			tokens[token] = true
		}
		mu.Unlock()
		text, _ := json.Marshal(fmt.Sprintf("%s %s is refused to %s", token, body, password)) // a string always can be
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"error":%s}`, text)
	}
	for _, call := range []simulator.Call{
		simulator.CallRefresh, simulator.CallCluster, simulator.CallNodes, simulator.CallNamespaces,
		simulator.CallVolumes, simulator.CallVolume, simulator.CallLogin,
	} {
		before := e.sim.Stats().Answers[call][http.StatusInternalServerError]
		end := e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: call}, Effect: quote, Count: simulator.Always})
		switch call {
		case simulator.CallLogin:
			e.sim.ExpireTokens()
		case simulator.CallVolume: // is asked for when a volume is gone
			e.must(e.sim.RemoveVolume(filled[0].NamespaceID, filled[0].ID))
		}
		e.eventually(fmt.Sprintf("%s quotes secrets", call), 20*time.Second, func() error {
			if e.sim.Stats().Answers[call][http.StatusInternalServerError] == before {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		end()
	}
	c.polls(1)

	resp, err := http.Get(c.url + "/metrics")
	e.must(err)
	metrics, err := io.ReadAll(resp.Body)
	e.must(err)
	resp.Body.Close()
	ctx := context.Background()
	events, err := e.kube.CoreV1().Events(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	e.must(err)
	records, err := e.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
	e.must(err)

	e.must(c.cmd.Process.Signal(syscall.SIGQUIT))
	c.exit(t, 10*time.Second)
	log := c.log.String()
	if !strings.Contains(log, "SIGQUIT: quit") || !strings.Contains(log, "goroutine ") {
		t.Error("there is no crash dump in the log")
	}
	if !strings.Contains(log, "is refused to") {
		t.Error("the log has nothing of what StorageOS said")
	}

	secrets := []string{e.config.BearerToken}
	for token := range tokens {
		secrets = append(secrets, token)
	}
	if slices.Contains(secrets, "") || len(secrets) < 2 {
		t.Fatalf("the secrets are not known: %d", len(secrets))
	}
	for what, text := range map[string]string{
		"the log, or the crash dump in it,": log, "a metric": string(metrics),
		"an event": fmt.Sprint(events.Items), "a record": fmt.Sprint(records.Items),
	} {
		tellsNoSecret(t, what, text, secrets...)
	}
}

// It needs no privilege, no shell and no writable disk: it does its work as
// nobody, in a root folder that holds nothing but the binary and what it reads.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give it another root folder")
	}
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 5, CSI: -1})
	root, err := os.MkdirTemp("", "root") // whatever is above t.TempDir is closed to others
	e.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	build(t, "../../cmd/volume-sync-controller", filepath.Join(root, "controller"))
	e.must(os.CopyFS(filepath.Join(root, "secret"), os.DirFS(e.secret)))
	kubeconfig, err := os.ReadFile(e.kubeconfig)
	e.must(err)
	e.must(os.WriteFile(filepath.Join(root, "kubeconfig"), kubeconfig, 0o600))
	e.must(filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o444)
		if info.IsDir() || filepath.Base(path) == "controller" {
			mode = 0o555
		}
		return os.Chmod(path, mode)
	}))

	addr := freeAddress(t)
	cmd := exec.Command("/controller", "-kubeconfig", "/kubeconfig", "-api-endpoint", e.endpoint,
		"-api-secret-path", "/secret", "-metrics-addr", addr, "-api-poll-interval", "500ms", "-namespace", "default", "-enable-leader-election")
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	c := &controller{e.start(cmd, nil), t, "http://" + addr}
	e.eventually("5 records", 20*time.Second, func() error { return e.right(filled, 0) })
	c.stop()
	entries, err := os.ReadDir(root)
	e.must(err)
	if len(entries) != 3 {
		t.Errorf("it left files: %v", entries)
	}
}
