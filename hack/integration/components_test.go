package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// component is the process of a component of this test's cluster.
func (e *env) component(t *testing.T, name string) int {
	t.Helper()
	pid, err := e.findComponent(name)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// findComponent finds it: its command line names the cluster's folder.
func (e *env) findComponent(name string) (pid int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		line := strings.Split(string(raw), "\x00")
		if len(line) < 2 || line[1] != name && filepath.Base(line[0]) != name {
			continue
		}
		if strings.Contains(string(raw), filepath.Dir(e.kubeconfig)+"/") {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, fmt.Errorf("%s does not run", name)
}

func (e *env) kill(t *testing.T, component string) {
	t.Helper()
	if err := syscall.Kill(e.component(t, component), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// freeze lets a component do nothing for a while.
func (e *env) freeze(t *testing.T, component string, d time.Duration) {
	t.Helper()
	pid := e.component(t, component)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(d, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}

// tryRight is right, on a cluster that may not answer.
func (e *env) tryRight(filled []simulator.Filled, size uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := e.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
		return err
	}
	return e.right(filled, size)
}

// edit writes a size into a record that is wrong.
func (e *env) edit(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := e.records.StorageOSV1().Volumes().Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"sizeBytes":1}}`), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("editing record %s: %w", name, err)
	}
	return nil
}
