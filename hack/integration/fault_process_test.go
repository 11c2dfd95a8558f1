package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// electing are flags of a short election: 5 s after a leader's end another leads.
var electing = []string{
	"-enable-leader-election", "-namespace", "default",
	"-lease-duration", "5s", "-renew-deadline", "4s", "-retry-period", "1s",
}

// leads is nil if it writes.
func (c *controller) leads() error {
	if n := c.metric("leader_election_master_status"); n != 1 {
		return fmt.Errorf("leader_election_master_status %v", n)
	}
	return nil
}

// Both replicas are started at once, the leader is killed in the middle of its
// writes: the other one completes what it has begun.
func TestFaultKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 5, Nodes: 3, Volumes: 1000, CSI: -1})
	leader, other := e.controller(electing...), e.controller(electing...)
	e.eventually("writes are under way", 30*time.Second, func() error {
		if n := len(e.all()); n < 50 {
			return fmt.Errorf("%d records", n)
		}
		return nil
	})
	if other.leads() == nil {
		leader, other = other, leader
	}
	if err := other.leads(); err == nil {
		t.Fatal("both lead")
	}
	e.must(leader.cmd.Process.Signal(syscall.SIGKILL))
	<-leader.ended
	begun := time.Now()
	if n := len(e.all()); n >= 1000 {
		t.Fatalf("it was killed too late: %d records", n)
	}
	e.eventually("the other leads", 15*time.Second, other.leads)
	e.eventually("1,000 records are right", 60*time.Second, func() error { return e.right(filled, 0) })
	healed(t, "Process: the leader is killed in the middle of 1,000 records (lease 5 s)", "the other leads when the lease has run out, and completes them", begun)
	if n := other.metric("storageos_volume_writes_total", "delete"); n != 0 {
		t.Errorf("%v records were deleted", n)
	}
}

// A leader that is frozen for longer than its lease wakes up and writes nothing.
func TestFaultFrozen(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 5, Nodes: 3, Volumes: 600, CSI: -1})
	p := e.newProxy()
	frozen := e.controller(append([]string{"-kubeconfig", p.kubeconfig}, electing...)...)
	e.eventually("writes are under way", 30*time.Second, func() error {
		if n := p.written(); n < 50 {
			return fmt.Errorf("%d writes", n)
		}
		return nil
	})
	e.must(frozen.cmd.Process.Signal(syscall.SIGSTOP))
	other := e.controller(electing...)
	e.eventually("the other leads", 20*time.Second, other.leads)
	begun := time.Now()
	e.eventually("600 records are right", 60*time.Second, func() error { return e.right(filled, 0) })
	healed(t, "Process: the leader is frozen in the middle of 600 records", "the other leads; the first writes nothing when it wakes up, and exits with 1", begun)
	e.eventually("nothing is left to do", 60*time.Second, func() error { return other.atRest(2) })
	versions, before := e.versions(), p.written()
	e.must(frozen.cmd.Process.Signal(syscall.SIGCONT))
	if code := frozen.exit(t, 20*time.Second); code != 1 {
		t.Errorf("it ended with %d", code)
	}
	// Those that it had begun are refused by Kubernetes: there is one a worker.
	if n := p.written() - before; n > 10 {
		t.Errorf("%d writes after it woke up", n)
	}
	if diff := cmp.Diff(versions, e.versions()); diff != "" {
		t.Errorf("records were written after it woke up (-before +after):\n%s", diff)
	}
	if err := e.right(filled, 0); err != nil {
		t.Error(err)
	}
}

// How long nobody leads after the leader has ended, and when the next write
// comes.
func TestFaultFailOver(t *testing.T) {
	t.Parallel()
	const retry, lease, poll = time.Second, 5 * time.Second, 500 * time.Millisecond // electing, and the harness
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 5, CSI: -1})
	leader := e.controller(electing...)
	e.eventually("5 records", 20*time.Second, func() error { return e.right(filled, 0) })
	size := uint64(5 << 30)
	for _, tc := range []struct {
		signal syscall.Signal
		most   time.Duration // client-go waits for up to 2.2 times the retry period between two looks
	}{
		{syscall.SIGTERM, 22*retry/10 + 500*time.Millisecond},
		{syscall.SIGKILL, lease + 44*retry/10},
	} {
		t.Run(tc.signal.String(), func(t *testing.T) {
			standby := e.controller(electing...)
			eventually(t, "the standby is ready", 20*time.Second, func() error {
				if code := standby.get("/readyz"); code != 200 {
					return fmt.Errorf("readyz %d", code)
				}
				return nil
			})
			e.must(leader.cmd.Process.Signal(tc.signal))
			<-leader.ended
			begun := time.Now()
			size += 1 << 30
			for _, f := range filled {
				e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = size }))
			}
			promptly(t, "the standby leads", tc.most, standby.leads)
			led := time.Since(begun)
			eventually(t, "the change is written", poll+2*time.Second, func() error { return e.right(filled, size) })
			t.Logf("after %v the other led after %v (at most %v) and had written after %v", tc.signal,
				led.Round(10*time.Millisecond), tc.most, time.Since(begun).Round(10*time.Millisecond))
			healed(t, fmt.Sprintf("Process: the leader is %v (lease 5 s, retry period 1 s)", tc.signal), fmt.Sprintf("the other leads after %v", led.Round(10*time.Millisecond)), begun)
			leader = standby
		})
	}
}

// A standby notices at once that the lease is given back: it watches it, and
// does not wait for its next look.
func TestFaultGivenBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 5, CSI: -1})
	rarely := append(slices.Clone(electing), "-lease-duration", "600s", "-renew-deadline", "500s", "-retry-period", "200s")
	leader := e.controller(rarely...)
	e.eventually("5 records", 20*time.Second, func() error { return e.right(filled, 0) })
	standby := e.controller(rarely...)
	e.eventually("the standby waits", 20*time.Second, func() error {
		if !strings.Contains(standby.log.String(), "The leader is") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	leader.stop()
	begun := time.Now()
	e.eventually("the standby leads", 10*time.Second, standby.leads)
	t.Logf("it led %v after the other had ended, with a retry period of 200s", time.Since(begun).Round(10*time.Millisecond))
}
