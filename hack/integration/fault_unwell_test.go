package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// While a volume is not listed, nothing that people read says that it is well. When it
// is back, all is as it was, and nothing is said of its health but what has changed.
func TestFaultAbsentIsNotWell(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 3, Volumes: 14, CSI: -1})
	set := func(f simulator.Filled, health string) {
		t.Helper()
		e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Master.Health = health }))
	}
	witness, was, becomes, lost := filled[0], filled[1], filled[2], filled[1:]
	set(was, simulator.HealthOffline)
	c := e.controller("-mass-orphan-hold", "10m")
	e.eventually("every record is right", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("none is claimed", 20*time.Second, func() error {
		for _, r := range e.all() {
			if boundReason(&r) != "Unclaimed" {
				return fmt.Errorf("record %s: %s", r.Name, boundReason(&r))
			}
		}
		return nil
	})
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	before := e.all()

	back := e.lose(lost...)
	begun := time.Now()
	e.eventually("all of them are held", 10*time.Second, func() error {
		if n := c.metric("storageos_volume_deletions_held"); n != float64(len(lost)) {
			return fmt.Errorf("%v are", n)
		}
		return nil
	})
	e.eventually("no record says that its volume is well", 10*time.Second, func() error {
		records := e.all()
		for _, f := range lost {
			r, was := records[f.ID], before[f.ID]
			if r.Status.Health != v1.HealthUnknown || r.Status.Ready != "" {
				return fmt.Errorf("record %s says %s %s", r.Name, r.Status.Health, r.Status.Ready)
			}
			for kind, want := range map[string]metav1.ConditionStatus{v1.ConditionHealthy: metav1.ConditionUnknown, v1.ConditionPresent: metav1.ConditionFalse} {
				if c := meta.FindStatusCondition(r.Status.Conditions, kind); c == nil || c.Status != want || c.Reason != "NotListed" {
					return fmt.Errorf("record %s: condition %s: %+v", r.Name, kind, c)
				}
			}
			if diff := cmp.Diff([]any{was.Status.Master, was.Status.Replicas}, []any{r.Status.Master, r.Status.Replicas}); diff != "" {
				return fmt.Errorf("the copies of record %s as they were last known (-want +got):\n%s", r.Name, diff)
			}
		}
		return nil
	})
	for name, row := range e.table() {
		if want := [2]string{"Unknown", ""}; name != witness.Name && row != want {
			t.Errorf("kubectl get shows %q of %s", row, name)
		}
	}
	unknown, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{FieldSelector: "status.health=Unknown"})
	e.must(err)
	if len(unknown.Items) != len(lost) {
		t.Errorf("%d records of %d are selected by their health", len(unknown.Items), len(lost))
	}
	if n := c.metric("storageos_volumes"); n != 1 {
		t.Errorf("storageos_volumes is %v: one volume is listed", n)
	}
	c.polls(2)

	back()
	set(becomes, simulator.HealthOffline)
	e.eventually("what has changed meanwhile is said", 15*time.Second, func() error { return e.said("VolumeOffline", becomes.Name) })
	e.eventually("all is as it was", 15*time.Second, func() error {
		records := e.all()
		for _, f := range lost {
			if f == becomes {
				continue
			}
			if diff := cmp.Diff(before[f.ID].Status, records[f.ID].Status, cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")); diff != "" {
				return fmt.Errorf("record %s (-before +now):\n%s", f.Name, diff)
			}
		}
		return nil
	})
	healed(t, "StorageOS: 13 of 14 volumes are not listed", "their records say Unknown, not listed", begun)

	set(witness, simulator.HealthOffline) // events come in the order in which they happen
	e.eventually("an event comes", 15*time.Second, func() error { return e.said("VolumeOffline", witness.Name) })
	for reason, want := range map[string]int{"VolumeOffline": 2, "VolumeDegraded": 0, "VolumeHealthy": 0} {
		if n := e.events(reason, ""); n != want {
			t.Errorf("%s was said %d times, want %d", reason, n, want)
		}
	}
}

// table is what kubectl get shows of each record in the columns HEALTH and READY.
func (e *env) table() map[string][2]string {
	e.t.Helper()
	body, err := e.records.StorageOSV1().RESTClient().Get().Resource("volumes").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(context.Background()).Raw()
	e.must(err)
	var table metav1.Table
	e.must(json.Unmarshal(body, &table))
	columns := map[string]int{}
	for i, column := range table.ColumnDefinitions {
		columns[column.Name] = i
	}
	rows := map[string][2]string{}
	for _, row := range table.Rows {
		cell := func(column string) string {
			text, _ := row.Cells[columns[column]].(string) // null where the record has nothing
			return text
		}
		rows[cell("Name")] = [2]string{cell("HEALTH"), cell("READY")}
	}
	return rows
}
