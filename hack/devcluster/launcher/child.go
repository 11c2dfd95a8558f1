package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
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
	log, err := os.Create(c.path(name + ".log"))
	if err != nil {
		return err
	}
	args = append(append([]string{}, command[1:]...), args...)
	ch := &child{cmd: exec.Command(command[0], args...), done: make(chan struct{})}
	ch.cmd.Stdout, ch.cmd.Stderr = log, log
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
		if !ch.stopping.Load() {
			c.died <- fmt.Errorf("%s ended, see %s: %s", name, c.path(name+".log"), ch.cmd.ProcessState)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	c.children = append(c.children, ch)
	return nil
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
