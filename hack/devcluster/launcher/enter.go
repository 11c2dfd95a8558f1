package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A cluster with a node has namespaces of its own for mounts, processes and the
// network. Whatever it starts, mounts and routes ends with the first process in
// them; what is left are its cgroups and its folder.

// insideVariable is set for the process that runs the cluster in the namespaces.
const insideVariable = "DEVCLUSTER_INSIDE"

// packages are Debian's, with all that a node needs.
const packages = "containerd runc containernetworking-plugins nftables iproute2"

const plugins = "/usr/lib/cni"

// missing says what a node would need and cannot have.
func missing(c Commands) error {
	if c.Node == nil {
		return fmt.Errorf("-node: the programs of %s do not make a node: unset it", assetsVariable)
	}
	if os.Geteuid() != 0 {
		return errors.New("-node: a node needs root")
	}
	var absent []string
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "nft", "ip", plugins + "/ptp", plugins + "/host-local"} {
		if _, err := exec.LookPath(name); err != nil {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		return fmt.Errorf("-node: there is no %s: apt-get install %s", strings.Join(absent, ", "), packages)
	}
	if _, err := os.Stat(c.Node.Pause); err != nil {
		return fmt.Errorf("-node: there is no %s: `make node` builds it", c.Node.Pause)
	}
	return nil
}

// enter runs this program again, with the same arguments, in namespaces of its
// own, and connects their network with this one.
func enter(ctx context.Context, dir string, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	lifeline, end, err := os.Pipe()
	if err != nil {
		return err
	}
	defer end.Close()
	inside := exec.Command(self, args...)
	inside.Env = append(os.Environ(), insideVariable+"=1")
	inside.Stdin, inside.Stdout, inside.Stderr = lifeline, os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // the Ctrl-C is meant for this process
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
	}
	if err := inside.Start(); err != nil {
		return fmt.Errorf("-node: making namespaces: %w", err)
	}
	lifeline.Close()
	var result error
	ended := make(chan struct{})
	go func() {
		result = inside.Wait()
		close(ended)
	}()

	net, err := connect(inside.Process.Pid)
	if err != nil {
		_ = inside.Process.Kill()
		<-ended
		return err
	}
	defer net.disconnect()
	fmt.Fprintln(end, net.number)
	select {
	case <-ended:
	case <-ctx.Done():
		_ = inside.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = inside.Process.Kill()
			<-ended
		}
	}
	err = result
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		err = fmt.Errorf("the process that holds the cluster's namespaces has ended: %s", exit.ProcessState)
	}
	// It has done this itself unless it was killed.
	if e := removeCgroups(net.link); e != nil {
		err = fmt.Errorf("removing cgroups: %w", e)
	}
	if lock, e := takeFolder(dir); e == nil {
		(&cluster{dir: dir}).clean()
		lock.Close()
	}
	return err
}

// waitForNetwork is where the process inside begins: it is told which network it
// has. When its parent is gone, whatever became of it, it calls stop.
func waitForNetwork(stop func()) (*network, error) {
	var number int
	if _, err := fmt.Fscanln(os.Stdin, &number); err != nil {
		return nil, fmt.Errorf("the process that started this one is gone: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return newNetwork(number), nil
}

// settle makes the namespaces a place where a node can be.
func settle(dir string, net *network) error {
	for _, hidden := range hiddenFolders {
		if within(hidden, dir) {
			return fmt.Errorf("-node: the node has a %s of its own, so -dir cannot be in it", hidden)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, hidden := range hiddenFolders {
		if err := os.MkdirAll(hidden, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount("tmpfs", hidden, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mounting %s: %w", hidden, err)
		}
	}
	if err := net.configure(); err != nil {
		return err
	}
	return makeCgroups(net.link)
}

// hiddenFolders are those that containerd, its plugins and the kubelet write to
// whatever their settings are.
var hiddenFolders = []string{"/run", "/var/log", "/var/lib/cni"}

func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// leave ends all that the node has started and gives its folder free.
func leave(dir string, net *network) error {
	if os.Getpid() != 1 {
		return nil // not in namespaces of its own
	}
	_ = syscall.Kill(-1, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 {
			if path := strings.ReplaceAll(fields[4], `\040`, " "); path != dir && within(dir, path) {
				_ = syscall.Unmount(path, syscall.MNT_DETACH)
			}
		}
	}
	return removeCgroups(net.link)
}
