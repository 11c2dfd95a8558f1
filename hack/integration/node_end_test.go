package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// However a cluster with a node ends, nothing of it is left, and the next one starts
// in the same folder.
func TestNodeEnds(t *testing.T) {
	e := newNodeEnv(t) // beside which the others run
	images, dir := os.Getenv("NODE_IMAGES"), t.TempDir()
	for _, tc := range []struct {
		name string
		end  func(*process) error
	}{
		{"asked to end", func(p *process) error { return p.cmd.Process.Signal(syscall.SIGTERM) }},
		{"killed", func(p *process) error { return p.cmd.Process.Kill() }},
		{"killed inside", func(p *process) error { return syscall.Kill(child(t, p.cmd.Process.Pid), syscall.SIGKILL) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := &env{t: t, kubeconfig: filepath.Join(dir, "kubeconfig")}
			p := inner.start(exec.Command(os.Getenv("DEVCLUSTER"), "up", "-dir", dir, "-node"), nil)
			inner.eventually("the cluster is ready", time.Minute, func() error {
				_, err := os.Stat(inner.kubeconfig)
				return err
			})
			load := exec.Command(os.Getenv("DEVCLUSTER"), "load", filepath.Join(images, "storageos-simulator.tar"))
			load.Env = append(os.Environ(), "DEVCLUSTER_DIR="+dir)
			if out, err := load.CombinedOutput(); err != nil {
				t.Fatalf("loading an image: %v: %s", err, out)
			}
			inner.kubectl("apply", "-k", "hack/simulator/deploy")
			inner.kubectl("rollout", "status", "--timeout=60s", "-n", deployNamespace, "deployment/storageos")
			name := inner.nodeLink()
			if left := inner.left(name); left == nil {
				t.Fatal("nothing is seen of a node that runs")
			}
			inner.must(tc.end(p))
			p.exit(t, time.Minute)
			inner.eventually("nothing is left", 30*time.Second, func() error { return inner.left(name) })
		})
	}
	e.kubectl("get", "nodes")
}

// child is the process that another has started.
func child(t *testing.T, parent int) int {
	t.Helper()
	found := 0
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(string(text), &found)
	}
	if found == 0 {
		t.Fatalf("process %d has no child", parent)
	}
	return found
}

// nodeLink names the link, and the cgroup, of the node's cluster: its number is in
// the addresses.
func (e *env) nodeLink() string {
	e.t.Helper()
	text, err := os.ReadFile(e.kubeconfig)
	e.must(err)
	_, address, _ := strings.Cut(string(text), "https://198.18.")
	third := 0
	_, err = fmt.Sscanf(address, "%d.", &third)
	e.must(err)
	return fmt.Sprintf("devcluster%d", third/16)
}

// left is an error if something of a node is there.
func (e *env) left(name string) error {
	dir := filepath.Dir(e.kubeconfig)
	found, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	if err != nil {
		return err
	}
	for _, path := range append(found, "/sys/fs/cgroup/"+name, "/sys/class/net/"+name) {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s is left", path)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, p := range processes {
		if line, err := os.ReadFile(p + "/cmdline"); err == nil && bytes.Contains(line, []byte(dir)) {
			return fmt.Errorf("a process is left: %q", line)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".log") && f.Name() != "lock" {
			return fmt.Errorf("file %s is left", f.Name())
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil && bytes.Contains(mounts, []byte(dir)) {
		err = fmt.Errorf("something is mounted in %s", dir)
	}
	return err
}
