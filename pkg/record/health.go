package record

import (
	"fmt"
	"time"

	api "github.com/storageos/go-api/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// healthOf sums up the state of a volume's copies. Replicas is how many the
// volume wants beside the master, -1 if it does not say: then those that are
// listed and not deleted are wanted.
func healthOf(replicas int, master *v1.Master, listed []v1.Replica) (v1.Health, string) {
	wanted, usable := 1+replicas, 0
	if replicas < 0 {
		wanted = 1
	}
	for _, r := range listed {
		if r.Health == string(api.REPLICAHEALTH_READY) {
			usable++
		}
		if replicas < 0 && r.Health != string(api.REPLICAHEALTH_DELETED) {
			wanted++
		}
	}
	var state api.MasterHealth
	if master != nil {
		state = api.MasterHealth(master.Health)
	}
	if state == api.MASTERHEALTH_ONLINE {
		usable++
	}
	ready := fmt.Sprintf("%d/%d", usable, wanted)
	switch {
	case state == api.MASTERHEALTH_OFFLINE:
		return v1.HealthOffline, ready
	case state != api.MASTERHEALTH_ONLINE:
		return v1.HealthUnknown, ready
	case usable < wanted:
		return v1.HealthDegraded, ready
	default:
		return v1.HealthHealthy, ready
	}
}

// HealthStatus is what a record says of how its volume is: status.health, status.ready
// and the condition Healthy. The copies decide it while the volume is listed.
type HealthStatus struct {
	Health    v1.Health
	Ready     string
	Condition Condition
}

// HealthNotListed is what the record of an absent volume says: nobody knows how it is.
var HealthNotListed = HealthStatus{v1.HealthUnknown, "", Condition{metav1.ConditionUnknown, ReasonNotListed, NotListed.Message}}

// HealthStatus works it out from the copies, which a record behind the product's own CRD has
// too. Zero for a record that does not have its status yet.
func (c Content) HealthStatus() HealthStatus {
	if c.Status.Master == nil {
		return HealthStatus{}
	}
	wanted, ok := replicasLabel(c.Spec.ConfigLabels)
	if !ok {
		wanted = -1
	}
	health, ready := healthOf(wanted, c.Status.Master, c.Status.Replicas)
	return NewHealthStatus(health, ready)
}

// NewHealthStatus is what is said of a volume whose health and usable copies are known.
func NewHealthStatus(health v1.Health, ready string) HealthStatus {
	return HealthStatus{health, ready, healthyCondition(health, ready)}
}

// ReadHealthStatus reads off a record what it says.
func ReadHealthStatus(r *v1.Volume) HealthStatus {
	return HealthStatus{r.Status.Health, r.Status.Ready, ReadCondition(r, v1.ConditionHealthy)}
}

// Apply writes it into a record.
func (w HealthStatus) Apply(r *v1.Volume, now time.Time) {
	r.Status.Health, r.Status.Ready = w.Health, w.Ready
	w.Condition.Apply(r, v1.ConditionHealthy, now)
}

// Reasons of the condition Healthy are the values of v1.Health, and NotListed while the
// volume is absent.
func healthyCondition(h v1.Health, ready string) Condition {
	c := Condition{metav1.ConditionFalse, string(h), ready + " copies are usable"}
	switch h {
	case v1.HealthHealthy:
		c.Status = metav1.ConditionTrue
	case v1.HealthUnknown:
		c.Status = metav1.ConditionUnknown
	}
	return c
}
