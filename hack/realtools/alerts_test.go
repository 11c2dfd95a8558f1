package realtools

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// fault is what goes wrong, and the alert that has to say so.
type fault struct {
	alert, in, what string
	begin           func(*installation) (end func())
}

var faults = []fault{
	{"StorageOSVolumeSyncStale", "silent", "StorageOS does not answer", func(i *installation) func() {
		i.AddFault(simulator.Fault{Effect: simulator.Silence(), Count: simulator.Always})
		i.CloseConnections()
		return func() {
			i.ClearFaults()
			i.CloseConnections() // on which somebody waits for an answer
		}
	}},
	{"StorageOSVolumeSyncNoLeader", "leaderless", "a stranger holds the Lease", func(i *installation) func() {
		i.lease(object{"holderIdentity": "stranger", "leaseDurationSeconds": 3600})
		return func() { i.lease(object{"holderIdentity": ""}) }
	}},
	{"StorageOSVolumesOffline", "failing", "the masters of 3 volumes are offline", func(i *installation) func() {
		i.master("offline", i.volumes[10:13]...)
		return func() { i.master("online", i.volumes[10:13]...) }
	}},
	{"StorageOSVolumesMissing", "failing", "2 volumes with PersistentVolumes are gone", func(i *installation) func() {
		return i.remove(i.volumes[:2]...)
	}},
	{"StorageOSVolumeDeletionsHeld", "losing", "30 of 60 volumes are gone", func(i *installation) func() {
		return i.remove(i.volumes[20:50]...)
	}},
	{"StorageOSVolumeCRDOutdated", "leaderless", "StorageOS puts its own CRD back", func(i *installation) func() {
		i.apply(productCRD(i.t))
		return func() { i.kubectl("apply", "-k", "deploy/crd") }
	}},
}

// TestAlerts makes faults and waits until each alert has come to Alertmanager, as long as the
// rule wants it to wait, and has gone after the fault has. All of them at once: an
// installation has those that do not hide each other. No other alert may come.
func TestAlerts(t *testing.T) {
	t.Parallel()
	at := map[string]*installation{}
	var all []*installation
	for _, f := range faults {
		if at[f.in] == nil {
			at[f.in] = newInstallation(t, f.in)
			all = append(all, at[f.in])
		}
	}
	m := startMonitoring(t, all...)
	want := fmt.Sprintf("%d %d", len(all)*podsOfAnInstallation, len(all))
	eventually(t, "Prometheus sees two Pods of each installation, one of which leads", time.Minute, func() error {
		up, err := m.value("sum(up)")
		if err != nil {
			return err
		}
		leaders, err := m.value(`sum(leader_election_master_status{name="storageos-volume-sync"})`)
		if got := up + " " + leaders; err == nil && got != want {
			err = fmt.Errorf("it sees %q, not %q", got, want)
		}
		return err
	})

	expected := map[string]bool{}
	table := make([]string, len(faults))
	var wait sync.WaitGroup
	for n, f := range faults {
		expected[f.alert+" "+f.in] = true
		wait.Go(func() { table[n] = m.see(f, at[f.in]) })
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	m.noOther(expected, done)
	t.Logf("\n| alert | fault | at Alertmanager after | gone after |\n|---|---|---|---|\n%s", strings.Join(table, "\n"))
}

// see makes a fault, waits for its alert, ends it, and waits until the alert has gone.
func (m *monitoring) see(f fault, i *installation) (row string) {
	begun := time.Now()
	end := f.begin(i)
	m.t.Logf("%s: %s", f.alert, f.what)
	arrived, err := m.until(f, true)
	if err == nil {
		err = arrived.says(shipped(m.t)[f.alert])
	}
	came := time.Since(begun).Round(time.Second)
	end()
	if err != nil {
		m.t.Errorf("%s: %v", f.alert, err)
		return ""
	}
	m.t.Logf("%s: came after %v: %s", f.alert, came, arrived.Annotations["summary"])
	ended := time.Now()
	if _, err := m.until(f, false); err != nil {
		m.t.Errorf("%s: %v", f.alert, err)
		return ""
	}
	went := time.Since(ended).Round(time.Second)
	m.t.Logf("%s: went after %v", f.alert, went)
	return fmt.Sprintf("| %s | %s | %v | %v |", f.alert, f.what, came, went)
}

// until waits until an alert is at Alertmanager, or is not. The longest rule waits for five
// minutes; a scrape, an evaluation and a grace come before it.
func (m *monitoring) until(f fault, there bool) (alert, error) {
	for deadline := time.Now().Add(9 * time.Minute); ; time.Sleep(time.Second) {
		all, err := m.alerts()
		if a, is := all[f.alert+" "+f.in]; err == nil && is == there {
			return a, nil
		}
		if time.Now().After(deadline) {
			return alert{}, errors.Join(fmt.Errorf("is it at Alertmanager? After 9 minutes that should be %v", there), err)
		}
	}
}

// noOther looks at Alertmanager until all is done: there may be no other alerts than those.
func (m *monitoring) noOther(expected map[string]bool, done <-chan struct{}) {
	said := map[string]bool{}
	for {
		all, _ := m.alerts() // of which others see whether it answers
		for key, a := range all {
			if !expected[key] && !said[key] {
				said[key] = true
				m.t.Errorf("nobody has made a fault for %s: %s", key, a.Annotations["summary"])
			}
		}
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
	}
}
