package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// cgroups is where the cgroups are: of version 2, or folders of version 1.
const cgroups = "/sys/fs/cgroup"

// groups are the folders of a cgroup, one for each controller in version 1.
func groups(name string) ([]string, error) {
	if _, err := os.Stat(cgroups + "/cgroup.controllers"); err == nil {
		return []string{filepath.Join(cgroups, name)}, nil
	}
	entries, err := os.ReadDir(cgroups)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() { // links are second names
			all = append(all, filepath.Join(cgroups, e.Name(), name))
		}
	}
	return all, nil
}

// makeCgroups makes the cgroup in which the Pods of a node are.
func makeCgroups(name string) error {
	all, err := groups(name)
	if err != nil {
		return err
	}
	for _, controller := range []string{"cpu", "cpuset", "io", "memory", "pids"} {
		// Version 2. What cannot be had is missed by the kubelet, which says so.
		if f, err := os.OpenFile(cgroups+"/cgroup.subtree_control", os.O_WRONLY, 0); err == nil {
			_, _ = f.WriteString("+" + controller)
			f.Close()
		}
	}
	for _, group := range all {
		if err := os.MkdirAll(group, 0o755); err != nil {
			return fmt.Errorf("making a cgroup: %w", err)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // of version 1, where they begin empty
			value, err := os.ReadFile(filepath.Join(filepath.Dir(group), file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(group, file), value, 0o600)
			}
			if err != nil {
				return fmt.Errorf("making a cgroup: %w", err)
			}
		}
	}
	return nil
}

// removeCgroups removes a cgroup with all below, when the last process has left.
func removeCgroups(name string) error {
	all, err := groups(name)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err = nil
		for _, group := range all {
			var folders []string
			_ = filepath.WalkDir(group, func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					folders = append(folders, path)
				}
				return nil // what has gone meanwhile is no error
			})
			for _, folder := range slices.Backward(folders) {
				if e := os.Remove(folder); e != nil && !errors.Is(e, fs.ErrNotExist) {
					err = e
				}
			}
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
