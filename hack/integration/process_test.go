package integration

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What SIGTERM interrupts, the next start completes; the lease is given back.
func TestStop(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 3, Nodes: 3, Volumes: 400, CSI: -1})
	flags := []string{"-enable-leader-election", "-namespace", "default"}
	leader := e.controller(flags...)
	e.eventually("writes are in flight", 30*time.Second, func() error {
		if n := len(e.all()); n < 20 {
			return fmt.Errorf("%d records", n)
		}
		return nil
	})
	standby := e.controller(flags...)
	e.eventually("the standby is ready", 20*time.Second, func() error {
		if !strings.Contains(standby.log.String(), "Ready") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	e.must(standby.cmd.Process.Signal(syscall.SIGTERM))
	if code := standby.exit(t, 10*time.Second); code != 0 {
		t.Errorf("the standby ended with %d", code)
	}
	e.must(leader.cmd.Process.Signal(syscall.SIGTERM))
	if code := leader.exit(t, 15*time.Second); code != 0 {
		t.Errorf("the leader ended with %d", code)
	}
	lease, err := e.kube.CoordinationV1().Leases("default").Get(context.Background(), "storageos-volume-sync", metav1.GetOptions{})
	e.must(err)
	if h := lease.Spec.HolderIdentity; h != nil && *h != "" {
		t.Errorf("the lease is held by %s", *h)
	}
	e.controller(flags...)
	e.eventually("every record is whole", 30*time.Second, func() error {
		all := e.all()
		for _, f := range filled {
			if r, ok := all[f.ID]; !ok || r.Status.VolumeID != f.ID || r.Status.Health == "" {
				return fmt.Errorf("volume %s: %v", f.ID, ok)
			}
		}
		return nil
	})
}

// A value that makes no sense is refused with a line that names the flag.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	if binary == "" {
		t.Skip("it needs the binary of the controller: run it by `make test-integration`")
	}
	for name, args := range map[string]string{
		"-api-poll-interval":    "-api-poll-interval=0",
		"-api-endpoint":         "-api-endpoint=ftp://x",
		"-max-orphan-percent":   "-max-orphan-percent=300",
		"-workers":              "-workers=0",
		"-nonsense":             "-nonsense",
		"-renew-deadline":       "-renew-deadline=2s -lease-duration=15s",
		"-logging-format":       "-logging-format=xml",
		"-metrics-addr":         "--metrics-addr=8080",
		"-orphan-grace-period":  "-orphan-grace-period=-1s",
		"-api-refresh-interval": "-api-refresh-interval=soon",
		"-kubeconfig":           "-kubeconfig=/does/not/exist",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(binary, strings.Fields(args)...)
			out, _ := cmd.CombinedOutput() // the exit code is checked
			if code := cmd.ProcessState.ExitCode(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if text := strings.TrimSpace(string(out)); !strings.Contains(text, name) || strings.Contains(text, "\n") {
				t.Errorf("not one line that names %s: %q", name, text)
			}
		})
	}
}
