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
)

// process is a program that was started, and ends with this one.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

func start(log string, cmd *exec.Cmd) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // whoever waits for something sees that it has ended
		close(p.ended)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// until waits for a condition that the process brings about.
func (p *process) until(ctx context.Context, what string, within, pause time.Duration, is func() (bool, error)) error {
	timeout := time.After(within)
	for {
		ok, err := is()
		if err == nil && ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("waiting until %s: %s has ended, see %s", what, filepath.Base(p.cmd.Path), p.log)
		case <-timeout:
			return errors.Join(fmt.Errorf("waiting until %s: not within %v", what, within), err)
		case <-time.After(pause):
		}
	}
}

// processor is the time that a process has taken of the processor, to the
// nanosecond: the sum over its threads.
func (p *process) processor() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	sum := time.Duration(0)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		text, _, _ := strings.Cut(string(raw), " ")
		ns, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// memory is what is resident of a process, and the most that has been.
func (p *process) memory() (now, most int64, err error) {
	return memoryOf(strconv.Itoa(p.cmd.Process.Pid))
}

// memoryOf is the same of a process by its ID, or of "self".
func memoryOf(id string) (now, most int64, err error) {
	raw, err := os.ReadFile("/proc/" + id + "/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64) // of the two that are read
		switch fields[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			most = kib << 10
		}
	}
	return now, most, nil
}
