package realtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const root = "../.." // of the repository

var controllerBinary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, tool := range []string{"helm4/helm", "helm3/helm", "prometheus", "alertmanager"} {
			if _, err := os.Stat(program(tool)); err != nil || os.Getenv("DEVCLUSTER") == "" {
				fmt.Fprintln(os.Stderr, "it needs a dev cluster ($DEVCLUSTER) and, in bin, the tools: run it by `make test-tools`")
				return 1
			}
		}
		dir, err := os.MkdirTemp("", "realtools")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		controllerBinary = filepath.Join(dir, "volume-sync-controller")
		build := exec.Command("go", "build", "-C", root, "-o", controllerBinary, "./cmd/volume-sync-controller")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the controller: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// program is the path of a tool that `make test-tools` has brought.
func program(name string) string {
	path, err := filepath.Abs(filepath.Join(root, "bin", name))
	if err != nil {
		panic(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how many times longer than on a machine of its own something may take.
const patience = 4

// eventually waits for a condition.
func eventually(t *testing.T, what string, within time.Duration, check func() error) {
	t.Helper()
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Since(begun) > patience*within {
			t.Fatalf("%s: not within %v: %v", what, patience*within, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
