package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// countEvents counts the events of a reason, without the limit of one answer.
func (e *env) countEvents(reason string) int {
	e.t.Helper()
	list, err := e.kube.CoreV1().Events("default").List(context.Background(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	e.must(err)
	n := 0
	for _, ev := range list.Items {
		n += int(max(ev.Count, 1))
	}
	return n
}

// Many volumes change their health in one poll: each event arrives or is counted.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	const volumes = 1500
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 5, Nodes: 3, Volumes: volumes, CSI: -1})
	c := e.controller()
	e.eventually("all are recorded", 60*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("the queue comes to rest", 30*time.Second, func() error { return c.atRest(2) })
	for _, f := range filled {
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Master.Health = "offline" }))
	}
	e.eventually("each event has arrived or is counted", 60*time.Second, func() error {
		arrived, dropped := e.countEvents("VolumeOffline"), int(c.metric("storageos_volume_events_dropped_total"))
		if arrived+dropped != volumes {
			return fmt.Errorf("%d arrived, %d were counted", arrived, dropped)
		}
		if dropped != 0 {
			t.Errorf("%d were lost", dropped)
		}
		return nil
	})
}
