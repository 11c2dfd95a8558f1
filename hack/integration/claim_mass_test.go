package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// 200 claims are made at once and deleted at once: that is what somebody asked
// Kubernetes for, so nothing is held and nobody is alarmed. 200 volumes that vanish
// behind Kubernetes' back are another matter.
func TestManyClaims(t *testing.T) {
	t.Parallel()
	const many = 200
	c := newClaims(t)
	controller := c.controller("-orphan-grace-period", "15s", // the default
		"-enable-leader-election", "-namespace", "default")
	name := func(i int) string { return fmt.Sprintf("claim-%03d", i) }
	make200 := func() {
		t.Helper()
		begun := time.Now()
		for i := range many {
			c.claim(name(i), deletes, nil)
		}
		c.eventually("all have a record", 3*time.Minute, func() error {
			time.Sleep(200 * time.Millisecond) // a list of so many takes its time
			n := 0
			for _, r := range c.all() {
				if p := r.Status.PersistentVolume; p != nil && p.Claim != nil && boundReason(&r) == "Bound" && r.Status.Health == v1.HealthHealthy {
					n++
				}
			}
			if n != many {
				return fmt.Errorf("%d of %d", n, many)
			}
			return nil
		})
		t.Logf("made, bound and recorded after %v", time.Since(begun))
	}

	make200()
	begun := time.Now()
	c.must(c.kube.CoreV1().PersistentVolumeClaims("default").DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	c.eventually("all records go", 3*time.Minute, func() error {
		time.Sleep(200 * time.Millisecond)
		if n := len(c.all()); n != 1 { // the witness
			return fmt.Errorf("%d are left", n-1)
		}
		return nil
	})
	t.Logf("gone after %v", time.Since(begun))
	c.saidOnly(nil)
	if strings.Contains(controller.log.String(), "are held") {
		t.Error("the breaker tripped")
	}

	make200()
	for _, v := range c.all() {
		if id := v.Status.VolumeID; id != c.witness.ID {
			c.must(c.sim.RemoveVolume(v.Annotations[v1.AnnotationNamespaceID], id))
		}
	}
	c.eventually("their deletion is held", time.Minute, func() error {
		if n := controller.metric("storageos_volume_deletions_held"); n != many {
			return fmt.Errorf("%v are", n)
		}
		return nil
	})
	controller.polls(4)
	if n := len(c.all()); n != many+1 {
		t.Errorf("%d records of %d", n, many+1)
	}
	c.saidOnly(map[string]int{"DeletionsHeld": 1})
}
