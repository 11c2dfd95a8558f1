package integration

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// sandbox is what a Pod has of its own: a network with nothing in it but
// loopback, and mounts that nobody else sees and that end with it. What is to be
// reached from inside, or from outside, is carried over by forwarders: a socket
// stays in the network in which it was made.
type sandbox struct {
	t    *testing.T
	work chan func() // is done by a thread that lives inside
}

// newSandbox needs root.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{t, make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = loopbackUp()
		}
		made <- err
		for f := range s.work {
			f()
		}
	}()
	t.Cleanup(func() { close(s.work) })
	if err := <-made; err != nil {
		t.Fatalf("making a sandbox: %v", err)
	}
	return s
}

// loopbackUp is `ip link set lo up`.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}

// inside does something in the sandbox.
func (s *sandbox) inside(f func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	s.work <- func() {
		defer wg.Done()
		f()
	}
	wg.Wait()
}

// mountProc gives a root folder the /proc that every container has.
func (s *sandbox) mountProc(root string) {
	s.t.Helper()
	path := filepath.Join(root, "proc")
	err := os.Mkdir(path, 0o555)
	if err == nil {
		s.inside(func() { err = syscall.Mount("/proc", path, "", syscall.MS_BIND|syscall.MS_REC, "") })
	}
	if err != nil {
		s.t.Fatalf("mounting /proc: %v", err)
	}
}

func (s *sandbox) start(cmd *exec.Cmd) (err error) {
	s.inside(func() { err = cmd.Start() })
	return err
}

func (s *sandbox) dial(address string) (conn net.Conn, err error) {
	s.inside(func() { conn, err = net.Dial("tcp", address) })
	return conn, err
}

// client asks the servers inside.
func (s *sandbox) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, _, address string) (net.Conn, error) { return s.dial(address) },
	}}
}

// reaches lets an address inside lead to a server outside.
func (s *sandbox) reaches(inside, outside string) {
	s.t.Helper()
	var l net.Listener
	var err error
	s.inside(func() { l, err = net.Listen("tcp", inside) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.forward(l, func() (net.Conn, error) { return net.Dial("tcp", outside) })
}

// exposes returns an address outside that leads to a server inside.
func (s *sandbox) exposes(inside string) string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.forward(l, func() (net.Conn, error) { return s.dial(inside) })
	return l.Addr().String()
}

func (s *sandbox) forward(l net.Listener, dial func() (net.Conn, error)) {
	var wg sync.WaitGroup
	s.t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				to, err := dial()
				if err != nil {
					from.Close()
					return
				}
				both(from, to)
			})
		}
	})
}

// both copies in both directions until either ends.
func both(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	done := make(chan struct{}, 2)
	for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(c[0], c[1]) // ends when a side does
			done <- struct{}{}
		}()
	}
	<-done
}
