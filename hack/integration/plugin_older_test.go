package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// On the older CRD, which keeps neither health nor claims nor conditions, the plugin says what
// is so, not "none". What is held it reads off the Lease.
func TestPluginOlderCRD(t *testing.T) {
	t.Parallel()
	e := newBareEnv(t)
	e.applyCRD(olderCRD)
	path := filepath.Join(t.TempDir(), "kubectl-storageos_volumes")
	build(t, "../../cmd/kubectl-storageos_volumes", path)
	const volumes, unclaimed, lost = 16, 2, 12
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: volumes, CSI: volumes - unclaimed})
	for _, f := range filled[:volumes-unclaimed] {
		e.persistentVolume(f, func(pv *corev1.PersistentVolume) {
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "team", Name: "claim-of-" + f.Name}
		})
	}
	bad := filled[0]
	e.must(e.sim.UpdateVolume(bad.NamespaceID, bad.ID, func(v *simulator.Volume) { v.Master.Health = "offline" }))
	c := e.controller()
	e.eventually("all are recorded", 20*time.Second, func() error {
		if n := len(e.all()); n != volumes {
			return fmt.Errorf("%d records", n)
		}
		return nil
	})

	offline, _ := e.plugin(path, 0, "list", "--health", "Offline", "-o", "wide")
	if got := firsts(offline); !slices.Equal(got, []string{bad.Name}) || !strings.Contains(offline, "claim-of-"+bad.Name) {
		t.Errorf("offline: %v\n%s", got, offline)
	}
	if all, _ := e.plugin(path, 0, "list", "-n", "team"); len(firsts(all)) != volumes-unclaimed {
		t.Errorf("of one team:\n%s", all)
	}
	if claims, _ := e.plugin(path, 0, "__complete", "list", "team/c"); strings.Count(claims, "team/claim-of-") != volumes-unclaimed {
		t.Errorf("claims, completed: %q", claims)
	}
	orphans := []string{"orphans", "--grace", "0s"}
	e.lose(filled[1 : 1+lost]...)
	e.eventually("deletions are held", 20*time.Second, func() error {
		if n := c.metric("storageos_volume_deletions_held"); n != lost {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	e.eventually("the Lease says so", 20*time.Second, func() error {
		out, said := e.plugin(path, 0, orphans...)
		want := strings.Repeat("absent_record ", lost) + strings.Repeat("missing_volume ", lost) + strings.Repeat("unclaimed_volume ", unclaimed)
		if got := strings.Join(firsts(out), " ") + " "; got != want || strings.Count(out, "<unknown>") != unclaimed {
			return fmt.Errorf("%s, want %s:\n%s", got, want, out)
		}
		if want := fmt.Sprintf("%d records are held, as their volumes are neither listed nor proven gone: the leader's status page says why.\n", lost); said != want {
			return fmt.Errorf("it said %q, want %q", said, want)
		}
		return nil
	})
}
