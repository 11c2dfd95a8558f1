package launcher

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// stopTimeout is how long a component may take to end before it is killed.
const stopTimeout = 5 * time.Second

// child is a component that runs.
type child struct {
	cmd      *exec.Cmd
	done     chan struct{}
	stopping atomic.Bool
}

// run starts a component. That it ends by itself is said on c.died.
func (c *cluster) run(name string, command []string, args ...string) error {
	log, err := os.OpenFile(c.path(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	full := args
	args = append(append([]string{}, command[1:]...), args...)
	ch := &child{cmd: exec.Command(command[0], args...), done: make(chan struct{})}
	ch.cmd.Stdout, ch.cmd.Stderr = log, log
	// Some sidecars prefer this variable to their flag, and would serve whatever cluster it names.
	ch.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBECONFIG=") })
	// It dies with this process, whatever becomes of it, and does not get the
	// Ctrl-C that is meant for this process.
	ch.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		// Pdeathsig fires when the thread that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := ch.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = ch.cmd.Wait() // ProcessState says how it ended
		close(ch.done)
		if ch.stopping.Load() {
			return
		}
		err = fmt.Errorf("%s ended, see %s: %s: %s", name, c.path(name+".log"), ch.cmd.ProcessState, lastLine(c.path(name+".log")))
		if c.settings.restart > 0 {
			err = c.again(ch, name, command, full)
		}
		if err != nil {
			c.died <- err
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.children = append(c.children, ch)
	return nil
}

// lastLine is the last that a component has said, for whoever cannot look at its log any more.
func lastLine(path string) string {
	log, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	log = bytes.TrimSpace(log)
	return string(log[bytes.LastIndexByte(log, '\n')+1:])
}

// again starts a component that has ended once more, after a while.
func (c *cluster) again(ended *child, name string, command, args []string) error {
	select {
	case <-c.closing:
		return nil
	case <-time.After(c.settings.restart):
	}
	c.mu.Lock()
	c.children = slices.DeleteFunc(c.children, func(ch *child) bool { return ch == ended })
	c.mu.Unlock()
	fmt.Printf("devcluster: starting %s again\n", name)
	return c.run(name, command, args...)
}

func (ch *child) stop() {
	ch.stopping.Store(true)
	_ = ch.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ch.done:
	case <-time.After(stopTimeout):
		_ = ch.cmd.Process.Kill()
		<-ch.done
	}
}
