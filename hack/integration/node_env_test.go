package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// nodeEnv is a cluster with a node, on which the simulated StorageOS and what is
// shipped run as Pods.
type nodeEnv struct {
	*env
	dir string // of the cluster
}

// newNodeEnv starts the cluster and loads the images.
func newNodeEnv(t *testing.T) *nodeEnv {
	t.Helper()
	images := os.Getenv("NODE_IMAGES")
	if images == "" {
		t.Skip("it needs a node: run it by `make test-node`")
	}
	t.Setenv("NO_PROXY", "*") // Pods are reached at their own addresses
	t.Setenv("no_proxy", "*")
	e := &nodeEnv{env: &env{t: t}}
	e.startCluster("-node")
	e.dir = filepath.Dir(e.kubeconfig)
	for _, image := range []string{"storageos-simulator.tar", "controller.tar", "controller-next.tar"} {
		cmd := exec.Command(os.Getenv("DEVCLUSTER"), "load", filepath.Join(images, image))
		cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+e.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("loading %s: %v: %s", image, err, out)
		}
	}
	return e
}

// try runs kubectl, which may fail, and returns all that it said.
func (e *nodeEnv) try(args ...string) (string, error) {
	cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl"}, args...)...)
	cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+e.dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pods are the controller's, those that are ending left out.
func (e *nodeEnv) pods() []corev1.Pod {
	e.t.Helper()
	list, err := e.kube.CoreV1().Pods(deployNamespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + deployName})
	e.must(err)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

func ready(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// restarts is how often the container of a Pod was started again.
func restarts(p corev1.Pod) int32 {
	n := int32(0)
	for _, c := range p.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

// allReady waits until there are two Pods and both are ready.
func (e *nodeEnv) allReady() {
	e.t.Helper()
	e.eventually("2 of 2 Pods are ready", time.Minute, func() error {
		pods := e.pods()
		n := 0
		for _, p := range pods {
			if ready(p) {
				n++
			}
		}
		if n != 2 || len(pods) != 2 {
			return fmt.Errorf("%d of %d", n, len(pods))
		}
		return nil
	})
}

// identity is the process that the Lease names, "" if none holds it, and since when.
func (e *nodeEnv) identity() (who string, since time.Time) {
	e.t.Helper()
	lease, err := e.kube.CoordinationV1().Leases(deployNamespace).Get(context.Background(), deployName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || lease.Spec.AcquireTime == nil {
		return "", time.Time{}
	}
	return *lease.Spec.HolderIdentity, lease.Spec.AcquireTime.Time
}

// holder is the Pod that the Lease names, "" if nobody holds it.
func (e *nodeEnv) holder() string {
	e.t.Helper()
	who, _ := e.identity()
	pod, _, _ := strings.Cut(who, "_")
	return pod
}

// leads waits until a Pod that is there holds the Lease, another one than the given.
func (e *nodeEnv) leads(not string) string {
	e.t.Helper()
	found := ""
	e.eventually("a Pod leads", time.Minute, func() error {
		found = e.holder()
		there := slices.ContainsFunc(e.pods(), func(p corev1.Pod) bool { return p.Name == found })
		if !there || found == not {
			return fmt.Errorf("%q holds the lease", found)
		}
		return nil
	})
	return found
}

// measured is a Pod's /metrics.
func (e *nodeEnv) measured(pod string) *controller {
	e.t.Helper()
	p, err := e.kube.CoreV1().Pods(deployNamespace).Get(context.Background(), pod, metav1.GetOptions{})
	e.must(err)
	return &controller{t: e.t, url: "http://" + p.Status.PodIP + ":8080"}
}

// simulate asks the simulated StorageOS to do something.
func (e *nodeEnv) simulate(method, path string, body, answer any) {
	e.t.Helper()
	e.must(e.trySimulate(method, path, body, answer))
}

func (e *nodeEnv) trySimulate(method, path string, body, answer any) error {
	list, err := e.kube.CoreV1().Pods(deployNamespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=storageos-simulator"})
	if err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return fmt.Errorf("%d Pods of StorageOS", len(list.Items))
	}
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://"+list.Items[0].Status.PodIP+":5705/sim/"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// load keeps volumes changing until it is ended: each listing finds some that have.
func (e *nodeEnv) load() (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
				if err := e.trySimulate(http.MethodPost, "change", map[string]int{"volumes": 3}, nil); err != nil {
					e.t.Errorf("changing volumes: %v", err)
					return
				}
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}

// polled is when the listings of StorageOS began, from a time on.
func (e *nodeEnv) polled(since time.Time) []time.Time {
	e.t.Helper()
	var log []simulator.Request
	e.simulate(http.MethodGet, "log", nil, &log)
	var begun []time.Time
	for _, r := range log {
		if r.Call == simulator.CallNodes && r.Time.After(since) {
			begun = append(begun, r.Time)
		}
	}
	return begun
}

// request is one that a Pod of the controller made to the API server.
type request struct {
	Verb      string
	Begun     time.Time `json:"requestReceivedTimestamp"`
	Ended     time.Time `json:"stageTimestamp"`
	ObjectRef struct{ Resource, Name, Subresource string }
	User      struct {
		Username string
		Extra    map[string][]string
	}
	ResponseStatus struct{ Code int }
}

func (r request) pod() string {
	return strings.Join(r.User.Extra["authentication.kubernetes.io/pod-name"], "")
}

// audited are the requests of the controller's Pods that change something of a resource,
// in the API server's audit log, from a time on.
func (e *nodeEnv) audited(resource string, since time.Time) []request {
	e.t.Helper()
	file, err := os.Open(filepath.Join(e.dir, "audit.log"))
	e.must(err)
	defer file.Close()
	var all []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(`"`+resource+`"`)) {
			continue
		}
		var r request
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // a last line that is being written
		}
		switch r.Verb {
		case "get", "list", "watch":
			continue
		}
		if r.pod() != "" && r.ObjectRef.Resource == resource && r.ResponseStatus.Code < 300 && !r.Begun.Before(since) {
			all = append(all, r)
		}
	}
	e.must(lines.Err())
	slices.SortFunc(all, func(a, b request) int { return a.Begun.Compare(b.Begun) })
	return all
}

// oneWriter fails if two Pods have written records at a time. It returns who wrote,
// one after the other.
func (e *nodeEnv) oneWriter(since time.Time) []string {
	e.t.Helper()
	var writers []string
	var last request // to end of those before
	for _, w := range e.audited("volumes", since) {
		if last.pod() != w.pod() {
			writers = append(writers, w.pod())
			if w.Begun.Before(last.Ended) {
				e.t.Errorf("%s wrote at %v, before a write of %s had ended at %v", w.pod(), w.Begun, last.pod(), last.Ended)
			}
			last = w
		}
		if w.Ended.After(last.Ended) {
			last = w
		}
	}
	return writers
}

// firstWrite waits for the first write of a record by a Pod after a time.
func (e *nodeEnv) firstWrite(pod string, since time.Time) time.Time {
	e.t.Helper()
	var at time.Time
	e.eventually("it writes", time.Minute, func() error {
		for _, w := range e.audited("volumes", since) {
			if w.pod() == pod {
				at = w.Begun
				return nil
			}
		}
		return fmt.Errorf("no write yet")
	})
	return at
}

// kept fails if a record was deleted: no volume of the simulated StorageOS ever is.
func (e *nodeEnv) kept() {
	e.t.Helper()
	for _, w := range e.audited("volumes", time.Time{}) {
		if w.Verb == "delete" {
			e.t.Errorf("record %s was deleted, and its volume lives", w.ObjectRef.Name)
		}
	}
}

// recorded waits until there are n records, all of living volumes.
func (e *nodeEnv) recorded(n int, within time.Duration) {
	e.t.Helper()
	e.eventually(fmt.Sprintf("%d records", n), within, func() error { return e.count(n) })
}

// count is nil if there are n records, all of living volumes.
func (e *nodeEnv) count(n int) error {
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	whole := 0
	for _, r := range list.Items {
		if r.Status.VolumeID != "" && r.Annotations[v1.AnnotationAbsentSince] == "" {
			whole++
		}
	}
	if whole != n || len(list.Items) != n {
		return fmt.Errorf("%d, %d of them whole", len(list.Items), whole)
	}
	return nil
}

// evict asks for a Pod to be evicted, as a drain does.
func (e *nodeEnv) evict(pod string) error {
	return e.kube.PolicyV1().Evictions(deployNamespace).Evict(context.Background(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: deployNamespace}})
}

// gone waits until a Pod is.
func (e *nodeEnv) gone(pod string) {
	e.t.Helper()
	e.eventually("the Pod is gone", time.Minute, func() error {
		if _, err := e.kube.CoreV1().Pods(deployNamespace).Get(context.Background(), pod, metav1.GetOptions{}); err == nil {
			return fmt.Errorf("%s is there", pod)
		}
		return nil
	})
}
