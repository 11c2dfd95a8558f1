package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// noticed is how long the record of a new or changed volume may take: a poll, and a little.
const noticed = 8 * time.Second

// plugin is the kubectl plugin, which people on call ask.
type plugin struct{ path, kubeconfig string }

// ask asks what would become of a volume whose replica has failed if the node of its master
// went, once the record says so.
func (s *story) ask(ctx context.Context, v simulator.Volume) error {
	soon, cancel := context.WithTimeout(ctx, noticed)
	defer cancel()
	var name, node string
	err := wait(soon, func() (bool, error) {
		list, err := s.records.StorageOSV1().Volumes().List(soon, metav1.ListOptions{LabelSelector: v1.LabelVolumeID + "=" + v.ID})
		if err != nil || len(list.Items) != 1 {
			return false, err
		}
		r := list.Items[0]
		if r.Status.Master != nil {
			name, node = r.Name, r.Status.Master.Hostname
		}
		return r.Status.Health == v1.HealthDegraded, nil
	})
	if err != nil {
		return nil //nolint:nilerr // it has no replica, or has changed again
	}
	// It may wait for 25 s, for the proof that a volume is gone which was deleted a moment ago.
	args := []string{"drain-check", node, "--controller-namespace", "default"}
	cmd := exec.CommandContext(ctx, s.plugin.path, append(args, "--kubeconfig", s.plugin.kubeconfig)...)
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); out.Len() == 0 { // that it is not safe is an answer
		return fmt.Errorf("asking the plugin: %w: %s", err, bytes.TrimSpace(told.Bytes()))
	}
	said("on call", "kubectl storageos-volumes "+strings.Join(args, " "), "")
	for _, line := range answer(out.String(), name) {
		fmt.Fprintln(os.Stdout, "          "+line)
	}
	return nil
}

// answer is what is said of one volume, and the sentence at the end: of many volumes the rest
// is left out.
func answer(out, volume string) []string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := len(lines) - 1
	return slices.DeleteFunc(lines, func(line string) bool {
		return !strings.HasPrefix(line, "OUTCOME") && !strings.Contains(line, volume) && line != lines[last]
	})
}
