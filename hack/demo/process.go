package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that the demo has started.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// begin starts a program. It does not get the Ctrl-C that is meant for the demo,
// but it does not outlive the demo either, even if that is killed.
func begin(cmd *exec.Cmd, output io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = output, os.Stderr
	if output != io.Writer(os.Stdout) {
		cmd.Stderr = output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // that it has ended is all that counts
		close(p.ended)
	}()
	return p, nil
}

// beginLogged starts a program whose output goes to a file of its name.
func beginLogged(dir string, cmd *exec.Cmd) (*process, error) {
	log, err := os.Create(filepath.Join(dir, filepath.Base(cmd.Path)+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program has its own
	return begin(cmd, log)
}

// end asks the program to end, and makes it end after a while.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// waitFor returns when a file is there.
func (p *process) waitFor(ctx context.Context, path string) error {
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return errors.New("the control plane did not start")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
