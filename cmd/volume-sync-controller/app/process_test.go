package app

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// as, in the environment, lets the test's binary be something else.
const (
	as           = "VOLUME_SYNC_TEST_AS"
	asController = "controller"
	asStubborn   = "stubborn" // is asked to stop and does not
	asTalker     = "talker"   // logs, and ends
)

func TestMain(m *testing.M) {
	switch os.Getenv(as) {
	case asController:
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	case asStubborn:
		ctx, _ := untilSignal()
		fmt.Fprintln(os.Stderr, "Starting")
		<-ctx.Done()
		fmt.Fprintln(os.Stderr, "Stopping")
		time.Sleep(time.Minute)
	case asTalker:
		talk(os.Args[1:])
	default:
		os.Exit(m.Run())
	}
}

// child is a process of its own, whose stderr is read line by line.
type child struct {
	*exec.Cmd
	stderr *bufio.Reader
}

func start(t *testing.T, what string, args ...string) *child {
	t.Helper()
	return startIn(t, nil, what, args...)
}

// startIn starts one with more in its environment.
func startIn(t *testing.T, environment []string, what string, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(append(os.Environ(), as+"="+what), environment...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it may have been waited for
	})
	return &child{cmd, bufio.NewReader(stderr)}
}

// lines are what the child writes up to a line that contains a text, or up to
// its end.
func (c *child) lines(upTo string) []string {
	var lines []string
	for {
		line, err := c.stderr.ReadString('\n')
		if line != "" {
			lines = append(lines, line)
		}
		if err != nil || upTo != "" && strings.Contains(line, upTo) {
			return lines
		}
	}
}

// unreachable are flags with which the controller starts and waits.
func unreachable(t *testing.T, more ...string) []string {
	return append([]string{
		"-kubeconfig", kubeconfigFor(t, "http://"+nowhere, ""), "-api-endpoint", nowhere,
		"-api-secret-path", t.TempDir(), "-metrics-addr", "127.0.0.1:0",
	}, more...)
}

// A controller that waits for everything ends with 0 when it is asked to. What
// it said is readable.
func TestProcessStops(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		signal syscall.Signal
	}{
		"SIGTERM":          {[]string{"-enable-leader-election"}, syscall.SIGTERM},
		"SIGINT":           {nil, syscall.SIGINT},
		"SIGTERM and JSON": {[]string{"-logging-format=json"}, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, asController, unreachable(t, tc.args...)...)
			said := c.lines("Starting")
			if err := c.Process.Signal(tc.signal); err != nil {
				t.Fatal(err)
			}
			said = append(said, c.lines("")...)
			if err := c.Wait(); err != nil {
				t.Errorf("it ended with %v:\n%s", err, strings.Join(said, ""))
			}
			if len(said) == 0 || len(said) > 10 {
				t.Errorf("it said %d lines:\n%s", len(said), strings.Join(said, ""))
			}
			for _, line := range said {
				if json.Valid([]byte(line)) != strings.Contains(name, "JSON") {
					t.Errorf("JSON, or none: %s", line)
				}
			}
		})
	}
}

// A proxy for the StorageOS API is named at start. Over http nothing is sent to it: the
// process ends with 2. Nothing says its password.
func TestProcessProxy(t *testing.T) {
	t.Parallel()
	const proxy = "http://admin:s3cr3t@127.0.0.1:1"
	for name, tc := range map[string]struct {
		environment []string
		endpoint    string
		upTo        string // what it says before it is asked to stop; "": it ends by itself
		says        string // "": nothing of a proxy
	}{
		"http":             {[]string{"HTTP_PROXY=" + proxy}, "storageos", "", "flag -api-endpoint: http to StorageOS would go through the proxy http://127.0.0.1:1 (HTTP_PROXY)"},
		"in small letters": {[]string{"http_proxy=" + proxy}, "http://storageos:80", "", "NO_PROXY"},
		"https":            {[]string{"HTTPS_PROXY=" + proxy}, "https://storageos", "Login to StorageOS failed", `proxy="http://127.0.0.1:1"`},
		"the login":        {[]string{"https_proxy=" + proxy}, "https://storageos", "Login to StorageOS failed", "login through the proxy http://127.0.0.1:1: "},
		"of the other":     {[]string{"HTTPS_PROXY=" + proxy}, "storageos", "Starting", ""},
		"NO_PROXY":         {[]string{"HTTP_PROXY=" + proxy, "NO_PROXY=storageos"}, "storageos", "Starting", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := t.TempDir()
			for _, file := range []string{"username", "password"} {
				if err := os.WriteFile(filepath.Join(secret, file), []byte("storageos"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := startIn(t, append([]string{"NO_PROXY=", "no_proxy="}, tc.environment...), asController,
				"-kubeconfig", kubeconfigFor(t, "http://"+nowhere, ""), "-api-endpoint", tc.endpoint, "-api-secret-path", secret, "-metrics-addr", "127.0.0.1:0", "-status-addr=")
			said := strings.Join(c.lines(tc.upTo), "")
			if tc.upTo != "" {
				if err := c.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				said += strings.Join(c.lines(""), "")
			}
			_ = c.Wait() // its code is looked at
			if code := c.ProcessState.ExitCode(); code != map[bool]int{true: exitUsage}[tc.upTo == ""] {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(said, tc.says) || tc.says == "" && strings.Contains(said, "proxy") || strings.Contains(said, "s3cr3t") || strings.Contains(said, "admin") {
				t.Errorf("it said, want %q:\n%s", tc.says, said)
			}
		})
	}
}

// The first signal asks; the second ends the process at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	c := start(t, asStubborn)
	for _, line := range []string{"Starting", "Stopping"} {
		c.lines(line)
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	err := c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", err)
	}
}

// A port that is taken ends the process with 1 and an error, which is not lost
// where klog writes a file.
func TestProcessFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "log")
	c := start(t, asController, unreachable(t, "-metrics-addr", taken.Addr().String(),
		"-logtostderr=false", "-stderrthreshold=FATAL", "-log_file", file)...)
	c.lines("")
	if err := c.Wait(); c.ProcessState.ExitCode() != exitError {
		t.Errorf("it ended with %v", err)
	}
	said, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(said), `"Stopped" err="flag -metrics-addr: `) {
		t.Errorf("it said %v:\n%s", err, said)
	}
}
