package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// Those of the shipped Deployment, and the defaults of the flags that it leaves out.
	nodePoll          = 5 * time.Second
	nodeLeaseDuration = 15 * time.Second
	nodeRetryPeriod   = 2 * time.Second

	nodeVolumes = 24 // of the simulated StorageOS at the start
)

// What is shipped, applied exactly as it is, runs as Pods on a node: under the
// kubelet, its probes and limits, with the network, names and secrets of Pods.
func TestNode(t *testing.T) {
	e := newNodeEnv(t)
	e.kubectl("apply", "-k", "hack/simulator/deploy")
	e.kubectl("rollout", "status", "--timeout=60s", "-n", deployNamespace, "deployment/storageos")
	e.kubectl("apply", "-k", "deploy/crd")
	e.kubectl("apply", "-k", "deploy")
	for _, step := range []struct {
		name string
		run  func(*nodeEnv)
	}{
		{"runs", (*nodeEnv).runs},
		{"leader's Pod deleted", (*nodeEnv).leaderDeleted},
		{"leader's process killed", (*nodeEnv).leaderKilled},
		{"rolling update", (*nodeEnv).rollingUpdate},
		{"evictions", (*nodeEnv).evictions},
		{"drain", (*nodeEnv).drain},
		{"secret rotated", (*nodeEnv).secretRotated},
		{"10,000 volumes", (*nodeEnv).manyVolumes},
		{"removed", (*nodeEnv).removed},
		{"StorageOS absent at start", (*nodeEnv).absentAtStart},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			begun := time.Now()
			e.on(t, step.run)
			t.Logf("took %v", time.Since(begun).Round(time.Second))
		})
		if !ok {
			t.FailNow() // what follows begins where this ends
		}
	}
	e.kept()
	e.oneWriter(time.Time{})
}

// on lets a step fail a test of its own.
func (e *nodeEnv) on(t *testing.T, step func(*nodeEnv)) {
	inner := *e.env
	inner.t = t
	step(&nodeEnv{env: &inner, dir: e.dir})
}

// runs: both Pods are ready, one leads, every volume has its record, the metrics
// are there through the Service, and no log has an error.
func (e *nodeEnv) runs() {
	e.allReady()
	first := e.leads("")
	e.recorded(nodeVolumes, 30*time.Second)

	service, err := e.kube.CoreV1().Services(deployNamespace).Get(context.Background(), deployName, metav1.GetOptions{})
	e.must(err)
	e.eventually("kube-proxy leads to /metrics", 30*time.Second, func() error {
		resp, err := http.Get("http://" + service.Spec.ClusterIP + ":8080/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "leader_election_master_status")) {
			err = fmt.Errorf("%s:\n%.1000s", resp.Status, text)
		}
		return err
	})

	leading := 0.0
	for _, p := range e.pods() {
		leading += e.measured(p.Name).metric("leader_election_master_status", deployName)
		log := e.kubectl("logs", "-n", deployNamespace, p.Name)
		if bad := errorLines(log, p.Name == first); len(bad) != 0 {
			e.t.Errorf("the log of %s has errors: %q", p.Name, bad)
		}
		tellsNoSecret(e.t, "the log", log)
		if n := restarts(p); n != 0 {
			e.t.Errorf("%s was started %d times again", p.Name, n)
		}
	}
	if leading != 1 || e.measured(first).metric("leader_election_master_status", deployName) != 1 {
		e.t.Errorf("%v Pods lead; the Lease names %s", leading, first)
	}
}

var (
	errorLine = regexp.MustCompile(`(?m)^[EF]\d{4} .*|.*panic:.*`)
	lostRace  = regexp.MustCompile(`leaderelection\.go:\d+\] "Failed to update lease" err="Operation cannot be fulfilled on leases\.`)
)

// errorLines are the errors in the log of a Pod. That it wanted the lease at the same
// moment as the one that leads is none, though client-go's elector calls it so.
func errorLines(log string, leads bool) []string {
	return slices.DeleteFunc(errorLine.FindAllString(log, -1), func(line string) bool { return !leads && lostRace.MatchString(line) })
}

func TestErrorLines(t *testing.T) {
	t.Parallel()
	const (
		fine   = "I1127 09:05:44.100000       1 server.go:10] \"Listening\"\n"
		race   = `E1127 09:05:45.637231       1 leaderelection.go:509] "Failed to update lease" err="Operation cannot be fulfilled on leases.coordination.k8s.io \"x\": the object has been modified"` + "\n"
		other  = `E1127 09:05:45.637231       1 leaderelection.go:509] "Failed to update lease" err="connection refused"` + "\n"
		panics = "panic: no\n"
	)
	for name, c := range map[string]struct {
		log   string
		leads bool
		want  int
	}{
		"nothing":                   {fine, true, 0},
		"a standby lost the race":   {fine + race, false, 0},
		"the leader lost the lease": {fine + race, true, 1},
		"another failure":           {race + other, false, 1},
		"a panic":                   {fine + panics, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := errorLines(c.log, c.leads); len(got) != c.want {
				t.Errorf("%q, want %d", got, c.want)
			}
		})
	}
}

// leaderDeleted: a leader that is asked to end gives the lease back.
func (e *nodeEnv) leaderDeleted() {
	defer e.load()()
	old := e.leads("")
	begun := time.Now()
	e.must(e.kube.CoreV1().Pods(deployNamespace).Delete(context.Background(), old, metav1.DeleteOptions{}))
	successor := e.leads(old)
	wrote := e.firstWrite(successor, begun)
	given := begun
	for _, r := range e.audited("leases", begun) {
		if r.pod() == old {
			given = r.Ended
		}
	}
	within := time.Duration(2.2*float64(nodeRetryPeriod)) + 500*time.Millisecond + nodePoll
	e.t.Logf("deleted: the lease is given back after %v, the next write comes %v after that (at most %v)",
		given.Sub(begun).Round(time.Millisecond), wrote.Sub(given).Round(time.Millisecond), within)
	if took := wrote.Sub(given); took > within {
		e.t.Errorf("the next write came after %v, later than %v", took, within)
	}
	e.gone(old)
	e.allReady()
}

// leaderKilled: the lease of a leader that is killed runs out, and another process
// takes it: that of the other Pod, or the one that the kubelet starts in its place.
func (e *nodeEnv) leaderKilled() {
	defer e.load()()
	old := e.leads("")
	killed, _ := e.identity()
	p, err := e.kube.CoreV1().Pods(deployNamespace).Get(context.Background(), old, metav1.GetOptions{})
	e.must(err)
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	begun := time.Now()
	kill := exec.Command("ctr", "--address", e.dir+"/containerd.sock", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", id)
	if out, err := kill.CombinedOutput(); err != nil {
		e.t.Fatalf("killing it: %v: %s", err, out)
	}
	var taken time.Time
	e.eventually("another process leads", time.Minute, func() error {
		var who string
		if who, taken = e.identity(); who == "" || who == killed {
			return fmt.Errorf("%q holds the lease", who)
		}
		return nil
	})
	wrote := e.firstWrite(e.holder(), taken)
	within := nodeLeaseDuration + time.Duration(4.4*float64(nodeRetryPeriod)) + nodePoll
	e.t.Logf("killed: the next write comes after %v (at most %v)", wrote.Sub(begun).Round(time.Millisecond), within)
	if took := wrote.Sub(begun); took > within {
		e.t.Errorf("the next write came after %v, later than %v", took, within)
	}
	e.eventually("the killed one is started again", time.Minute, func() error {
		for _, p := range e.pods() {
			if p.Name == old && restarts(p) == 1 && ready(p) {
				return nil
			}
		}
		return fmt.Errorf("not yet")
	})
}

// rollingUpdate: while volumes change, no listing is missed, and of those that write
// each one begins when the one before has ended.
func (e *nodeEnv) rollingUpdate() {
	end := e.load()
	e.firstWrite(e.leads(""), time.Now())
	begun := time.Now()
	e.kubectl("set", "image", "-n", deployNamespace, "deployment/"+deployName, "volume-sync-controller=storageos/volume-sync-controller:next")
	e.kubectl("rollout", "status", "--timeout=120s", "-n", deployNamespace, "deployment/"+deployName)
	leader := e.leads("")
	e.firstWrite(leader, time.Now())
	end()

	polls := e.polled(begun.Add(-nodePoll))
	longest := time.Duration(0)
	for i := 1; i < len(polls); i++ {
		longest = max(longest, polls[i].Sub(polls[i-1]))
	}
	writers := e.oneWriter(begun)
	e.t.Logf("rolling update: %d listings, at most %v apart; %d writers, one after the other", len(polls), longest.Round(time.Millisecond), len(writers))
	if len(polls) < 2 || longest > 2*nodePoll {
		e.t.Errorf("%d listings, up to %v apart", len(polls), longest)
	}
	slices.Sort(writers)
	if n := len(slices.Compact(slices.Clone(writers))); n != len(writers) {
		e.t.Errorf("one wrote again after another had: %q", writers)
	}
	e.recorded(nodeVolumes, 10*time.Second)
	e.kept()
	for _, p := range e.pods() {
		if image := p.Spec.Containers[0].Image; !strings.HasSuffix(image, ":next") {
			e.t.Errorf("%s has image %s", p.Name, image)
		}
	}
	e.allReady()
}

// cordon keeps new Pods from the node, so that one that goes is not replaced.
func (e *nodeEnv) cordon() (undo func()) {
	e.kubectl("cordon", "node")
	return func() { e.kubectl("uncordon", "node") }
}

// evictions: the last ready Pod may not be evicted.
func (e *nodeEnv) evictions() {
	undo := e.cordon()
	pods := e.pods()
	e.must(e.evict(pods[0].Name))
	e.gone(pods[0].Name)
	if err := e.evict(pods[1].Name); !apierrors.IsTooManyRequests(err) {
		e.t.Errorf("the last ready Pod was to be evicted: %v", err)
	}
	undo()
	e.allReady()
	e.eventually("with two it may be evicted", 30*time.Second, func() error { return e.evict(pods[1].Name) })
	e.gone(pods[1].Name)
	e.allReady()
}

// drain: it takes one Pod and waits for the other to be replaced. That goes on
// working.
func (e *nodeEnv) drain() {
	e.leads("")
	out, err := e.try("drain", "node", "--pod-selector=app.kubernetes.io/name="+deployName, "--timeout=15s")
	if err == nil || !strings.Contains(out, "disruption budget") {
		e.t.Errorf("the drain of the only node: %v: %s", err, out)
	}
	running := 0
	for _, p := range e.pods() {
		if ready(p) {
			running++
		}
	}
	if running != 1 {
		e.t.Errorf("%d Pods are ready during the drain, not 1", running)
	}
	begun := time.Now()
	e.eventually("StorageOS is listed during the drain", 2*nodePoll, func() error {
		if len(e.polled(begun)) == 0 {
			return fmt.Errorf("no listing")
		}
		return nil
	})
	e.kubectl("uncordon", "node")
	e.allReady()
}

// secretRotated: the file in the Pod changes by itself, and is read again.
func (e *nodeEnv) secretRotated() {
	before := e.pods()
	e.simulate(http.MethodPut, "credentials", map[string]string{"username": "storageos", "password": password}, nil)
	e.simulate(http.MethodPost, "tokens/expire", nil, nil)
	begun := time.Now()
	_, err := e.kube.CoreV1().Secrets(deployNamespace).Patch(context.Background(), "storageos-api", types.StrategicMergePatchType,
		fmt.Appendf(nil, `{"stringData":{"password":%q}}`, password), metav1.PatchOptions{})
	e.must(err)
	e.eventually("StorageOS is listed with the new password", 2*time.Minute, func() error {
		if len(e.polled(begun)) == 0 {
			return fmt.Errorf("no listing")
		}
		return nil
	})
	e.t.Logf("the new password is used %v after the Secret has it", time.Since(begun).Round(100*time.Millisecond))
	defer e.load()()
	e.firstWrite(e.leads(""), begun)
	same := map[types.UID]int32{}
	for _, p := range before {
		same[p.UID] = restarts(p)
	}
	for _, p := range e.pods() {
		if n, ok := same[p.UID]; !ok || n != restarts(p) {
			e.t.Errorf("%s was started again", p.Name)
		}
		tellsNoSecret(e.t, "the log", e.kubectl("logs", "-n", deployNamespace, p.Name))
	}
}

// removed: what deploy brought goes; the namespace, the CRD and the records stay.
func (e *nodeEnv) removed() {
	begun := time.Now()
	e.deployDeleted()
	e.t.Logf("deleted after %v", time.Since(begun).Round(time.Millisecond))
	e.eventually("the Pods are gone", time.Minute, func() error {
		if out := e.kubectl("get", "all,endpointslices", "-n", deployNamespace, "-o", "name", "-l", "app.kubernetes.io/name="+deployName); out != "" {
			return fmt.Errorf("left: %s", out)
		}
		return nil
	})
	e.kubectl("get", "crd", "volumes.api.storageos.com")
}

// absentAtStart: without StorageOS the Pods wait, and nothing starts them again.
func (e *nodeEnv) absentAtStart() {
	ctx := context.Background()
	e.must(e.kube.CoreV1().Services(deployNamespace).Delete(ctx, "storageos", metav1.DeleteOptions{}))
	e.kubectl("apply", "-k", "deploy")
	e.eventually("both Pods have tried to log in for long", 2*time.Minute, func() error {
		pods := e.pods()
		if len(pods) != 2 {
			return fmt.Errorf("%d Pods", len(pods))
		}
		for _, p := range pods {
			if p.Status.PodIP == "" {
				return fmt.Errorf("%s does not run yet", p.Name)
			}
			if n := e.measured(p.Name).metric("storageos_sync_volume_errors_total", "login"); n < 5 {
				return fmt.Errorf("%s: %v tries", p.Name, n)
			}
		}
		return nil
	})
	for _, p := range e.pods() {
		if p.Status.Phase != corev1.PodRunning || ready(p) || restarts(p) != 0 {
			e.t.Errorf("%s is %s, ready: %t, started again: %d", p.Name, p.Status.Phase, ready(p), restarts(p))
		}
	}
	first := e.pods()[0].Name
	if err := e.evict(first); err != nil {
		e.t.Errorf("a Pod that waits may not be evicted: %v", err)
	}
	e.gone(first)
	e.kubectl("apply", "-f", "hack/simulator/deploy/service.yaml")
	e.allReady()
	defer e.load()()
	begun := time.Now()
	e.firstWrite(e.leads(""), begun)
	for _, p := range e.pods() {
		if n := restarts(p); n != 0 {
			e.t.Errorf("%s was started again %d times", p.Name, n)
		}
	}
}
