package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The Lease of the listings says until when records are known to be true, with an
// election and without.
func TestListingLease(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"elected": electing, "alone": {"-namespace", "default"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 3, CSI: -1})
			broken := e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes}, Effect: simulator.Status(500, "store"), Count: simulator.Always})
			c := e.controller(flags...)
			leases := e.kube.CoordinationV1().Leases("default")
			time.Sleep(3 * time.Second)
			if _, err := leases.Get(context.Background(), "storageos-volume-sync-listing", metav1.GetOptions{}); err == nil {
				t.Error("it is there before a listing was complete")
			}
			broken()
			check := func(what string, within time.Duration, after time.Time) {
				t.Helper()
				e.eventually(what, within, func() error {
					l, err := leases.Get(context.Background(), "storageos-volume-sync-listing", metav1.GetOptions{})
					if err != nil {
						return err
					}
					if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity != e.sim.ClusterID() || l.Spec.RenewTime == nil || !l.Spec.RenewTime.After(after) ||
						l.Annotations["api.storageos.com/held"] != "0" || l.Annotations["api.storageos.com/invalid"] == "" {
						return fmt.Errorf("%+v %v", l.Spec, l.Annotations)
					}
					return nil
				})
			}
			check("it is there", 15*time.Second, time.Time{})
			deleted := time.Now()
			e.must(leases.Delete(context.Background(), "storageos-volume-sync-listing", metav1.DeleteOptions{}))
			check("it is there again", 40*time.Second, deleted)
			if strings.Contains(c.log.String(), "cannot be written") {
				t.Error("it could not be written")
			}
		})
	}
}
