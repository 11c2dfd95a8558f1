// Package integration runs the real binary against a real Kubernetes control
// plane and a simulated StorageOS. `make test-integration` builds what it needs;
// without the environment variable DEVCLUSTER its tests are skipped.
package integration

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

var (
	binary string // the controller, built with the race detector
	planes string // the folder of the control planes that more than one test has
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv("DEVCLUSTER") == "" {
			// Every test is skipped; -v shows why. Without it, go test shows
			// nothing of a package that passes but this line, as "[no tests
			// to run]".
			defer fmt.Println("testing: warning: no tests to run")
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "integration")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		planes, binary = dir, filepath.Join(dir, "volume-sync-controller")
		build := exec.Command("go", "build", "-race", "-o", binary, "../../cmd/volume-sync-controller")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the controller: %v\n%s", err, out)
			return 1
		}
		defer func() {
			for _, p := range spare.planes {
				p.process.end(nil)
			}
		}()
		return m.Run()
	}())
}

// build builds the program in a folder as it is shipped, without cgo: what it consists of
// need not be compiled anew.
func build(t *testing.T, folder, path string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-C", folder, "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// password opens the simulated StorageOS. No log may tell it.
const password = "pa55-that-nobody-tells"

// env is a cluster and a StorageOS of a test's own.
type env struct {
	t          *testing.T
	kubeconfig string
	config     *rest.Config
	kube       kubernetes.Interface
	records    versioned.Interface
	sim        *simulator.Simulator
	endpoint   string
	secret     string
}

// newEnv is an empty cluster with the CRD, and an empty StorageOS.
func newEnv(t *testing.T) *env {
	t.Helper()
	e := newStorageOS(t)
	e.use(borrowPlane(t))
	e.applyCRD(currentCRD)
	return e
}

// newOwnEnv starts a cluster of the test's own: for one that makes other things in it than
// the next test would find gone.
func newOwnEnv(t *testing.T) *env {
	t.Helper()
	e := newBareEnv(t)
	e.applyCRD(currentCRD)
	return e
}

// newBareEnv starts a cluster of the test's own, without the CRD.
func newBareEnv(t *testing.T, flags ...string) *env {
	t.Helper()
	e := newStorageOS(t)
	e.startCluster(flags...)
	return e
}

// newStorageOS starts an empty StorageOS.
func newStorageOS(t *testing.T) *env {
	t.Helper()
	if os.Getenv("DEVCLUSTER") == "" {
		t.Skip("it needs a Kubernetes control plane: run it by `make test-integration`")
	}
	e := &env{t: t, sim: simulator.New(simulator.Options{Password: password})}
	var err error
	e.endpoint, err = e.sim.Start("127.0.0.1:0")
	e.must(err)
	t.Cleanup(e.sim.Close)
	e.secret = t.TempDir()
	for name, value := range map[string]string{"username": "storageos", "password": password} {
		e.must(os.WriteFile(filepath.Join(e.secret, name), []byte(value+"\n"), 0o600))
	}
	return e
}

// startCluster starts a cluster that nobody else will have.
func (e *env) startCluster(flags ...string) {
	e.t.Helper()
	p := startPlane(e.t, e.t.TempDir(), flags...)
	e.t.Cleanup(func() { p.process.end(e.t) })
	e.use(p)
}

func (e *env) use(p *plane) {
	e.t.Helper()
	e.kubeconfig = p.kubeconfig
	var err error
	e.config, err = clientcmd.BuildConfigFromFlags("", e.kubeconfig)
	e.must(err)
	e.config.QPS = -1
	e.kube = kubernetes.NewForConfigOrDie(e.config)
	e.records = versioned.NewForConfigOrDie(e.config)
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// start starts a program that ends with the test.
func (e *env) start(cmd *exec.Cmd, output *safeBuffer) *process {
	e.t.Helper()
	return e.startWith(cmd, output, (*exec.Cmd).Start)
}

// startWith does so in a way of the caller's.
func (e *env) startWith(cmd *exec.Cmd, output *safeBuffer, start func(*exec.Cmd) error) *process {
	e.t.Helper()
	p, err := launch(cmd, output, start)
	e.must(err)
	e.t.Cleanup(func() { p.end(e.t) })
	return p
}

// launch starts a program in a way of the caller's.
func launch(cmd *exec.Cmd, output *safeBuffer, start func(*exec.Cmd) error) (*process, error) {
	if output == nil {
		output = &safeBuffer{}
	}
	cmd.Stdout, cmd.Stderr = output, output
	if err := start(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: output, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the exit code is read by whoever waits
		close(p.ended)
	}()
	return p, nil
}

// end ends a program. A test that has failed shows what it said.
func (p *process) end(t *testing.T) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if t != nil && t.Failed() {
		t.Logf("%s said:\n%s", filepath.Base(p.cmd.Path), tail(p.log.String()))
	}
}

func tail(s string) string {
	const most = 8000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

type process struct {
	cmd   *exec.Cmd
	log   *safeBuffer
	ended chan struct{}
}

// exit waits for the end, which comes within some time on a machine of its own,
// and returns the exit code.
func (p *process) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	within *= patience
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("it did not end within %v", within)
		return 0
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// controller is a running controller.
type controller struct {
	*process
	t   *testing.T
	url string
}

// controller starts one, with short times unless the flags say others.
func (e *env) controller(flags ...string) *controller {
	e.t.Helper()
	addr := freeAddress(e.t)
	args := append([]string{
		"-kubeconfig", e.kubeconfig, "-api-endpoint", e.endpoint, "-api-secret-path", e.secret,
		"-metrics-addr", addr, "-status-addr", "", "-api-poll-interval", "500ms", "-api-retry-interval", "500ms",
		"-orphan-grace-period", "2s", "-v", "4",
	}, flags...)
	c := &controller{e.start(exec.Command(binary, args...), nil), e.t, "http://" + addr}
	e.t.Cleanup(func() { tellsNoSecret(e.t, "the log", c.log.String()) })
	return c
}

// tellsNoSecret looks for passwords and tokens in a text, and for more secrets
// if there are.
func tellsNoSecret(t *testing.T, what, text string, more ...string) {
	t.Helper()
	text = strings.ReplaceAll(text, "Bearer <masked>", "") // client-go, at -v 8 and more
	for _, secret := range append([]string{password, "Bearer ", "eyJ"}, more...) {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s tells a secret: …%s…", what, text[max(0, i-100):min(len(text), i+100)])
		}
	}
}

// freeAddress is an address of loopback that nobody listens on, below the ports that the
// kernel hands out: until the process that it is for listens there, nobody else is given it.
// While it is held for UDP no other test has it.
func freeAddress(t *testing.T) string {
	t.Helper()
	const lowest, kernels, tries = 10_000, 32_768, 1000
	for range tries {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(kernels-lowest)))
		held, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { held.Close() })
		return addr
	}
	t.Fatalf("no free port was found in %d tries", tries)
	return ""
}

// metric reads the sum of the series of a metric whose labels hold the given
// values; for a histogram, the count.
func (c *controller) metric(name string, labels ...string) float64 {
	c.t.Helper()
	resp, err := http.Get(c.url + "/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		if !hasLabels(m, labels) {
			continue
		}
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

func hasLabels(m *dto.Metric, values []string) bool {
	for _, want := range values {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetValue() == want
		}
		if !found {
			return false
		}
	}
	return true
}

// get asks for a page, such as /readyz, and returns its code.
func (c *controller) get(path string) int {
	resp, err := http.Get(c.url + path)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// stop ends it as Kubernetes does.
func (c *controller) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if code := c.exit(c.t, 20*time.Second); code != 0 {
		c.t.Errorf("it ended with %d", code)
	}
}

// atRest is nil if n listings have passed without anything in the queue.
func (c *controller) atRest(n int) error {
	before := c.metric("workqueue_adds_total")
	c.polls(n)
	if after := c.metric("workqueue_adds_total"); after != before {
		return fmt.Errorf("%v keys were queued", after-before)
	}
	return nil
}

// polls waits until n more complete listings have ended.
func (c *controller) polls(n int) {
	c.t.Helper()
	const name = "storageos_sync_volume_duration_seconds"
	before := max(c.metric(name), 0) // of one that has just been started, no metric can be read
	eventually(c.t, "more listings", time.Minute, func() error {
		if now := c.metric(name); now < before+float64(n) {
			return fmt.Errorf("%v of %d", now-before, n)
		}
		return nil
	})
}

func (e *env) eventually(what string, within time.Duration, check func() error) {
	e.t.Helper()
	eventually(e.t, what, within, check)
}

// patience is how many times longer than what a machine of its own needs a
// test waits before it fails: the tests share two cores, and each brings its
// own control plane. How fast something is, `make bench` says.
const patience = 4

// eventually waits for a condition, which a machine of its own meets within
// some time.
func eventually(t *testing.T, what string, within time.Duration, check func() error) {
	t.Helper()
	promptly(t, what, patience*within, check)
}

// promptly waits for a condition that is promised within that time.
func promptly(t *testing.T, what string, within time.Duration, check func() error) {
	t.Helper()
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		waited := time.Since(begun)
		if waited > within {
			t.Fatalf("%s: not within %v: %v", what, within, err)
		}
		// To look all the time takes processor time from what is waited for.
		time.Sleep(min(max(waited/20, 20*time.Millisecond), 200*time.Millisecond))
	}
}

// persistentVolume makes the PersistentVolume of a volume, bound by hand: no
// claim is made.
func (e *env) persistentVolume(f simulator.Filled, changes ...func(*corev1.PersistentVolume)) {
	e.t.Helper()
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: f.Name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI)},
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: "csi.storageos.com", VolumeHandle: f.Handle(),
			}},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			StorageClassName:              "storageos",
		},
	}
	for _, change := range changes {
		change(pv)
	}
	_, err := e.kube.CoreV1().PersistentVolumes().Create(context.Background(), pv, metav1.CreateOptions{})
	e.must(err)
}

func (e *env) deletePersistentVolume(name string) {
	e.t.Helper()
	e.must(e.kube.CoreV1().PersistentVolumes().Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// all returns the records by volume ID.
func (e *env) all() map[string]v1.Volume {
	e.t.Helper()
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	e.must(err)
	byID := map[string]v1.Volume{}
	for _, r := range list.Items {
		byID[r.Labels[v1.LabelVolumeID]] = r
	}
	return byID
}

// versions are the resource versions of the records.
func (e *env) versions() map[string]string {
	e.t.Helper()
	versions := map[string]string{}
	for id, r := range e.all() {
		versions[id] = r.ResourceVersion
	}
	return versions
}

// record returns the record of a volume.
func (e *env) record(id string) (*v1.Volume, error) {
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(),
		metav1.ListOptions{LabelSelector: v1.LabelVolumeID + "=" + id})
	if err != nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("%d records of volume %s", len(list.Items), id)
	}
	return &list.Items[0], nil
}

// healed notes how long after the end of a fault every record was right again.
func healed(t *testing.T, fault, meanwhile string, ended time.Time) {
	t.Helper()
	noted(t, fault, meanwhile, time.Since(ended))
}

// noted writes a line of docs/reliability.md: a fault, what happens meanwhile,
// and how long after its end every record was right again.
func noted(t *testing.T, fault, meanwhile string, took time.Duration) {
	t.Helper()
	took = max(took.Round(100*time.Millisecond), 100*time.Millisecond)
	t.Logf("%s: right again after %v", fault, took)
	path := os.Getenv("FAULT_REPORT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "| %s | %s | %v |\n", fault, meanwhile, took); err != nil {
		t.Fatal(err)
	}
}

// want is nil if the record of a volume passes a check.
func (e *env) want(id string, check func(*v1.Volume) bool) error {
	r, err := e.record(id)
	if err == nil && !check(r) {
		err = fmt.Errorf("record %s: %+v %+v", r.Name, r.Spec, r.Status)
	}
	return err
}

// names is nil if these are the records that there are.
func (e *env) names(want ...string) error {
	list, err := e.records.StorageOSV1().Volumes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	var got []string
	for _, r := range list.Items {
		got = append(got, r.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("the records are %q, not %q", got, want)
	}
	return nil
}

// events counts the events of a reason.
func (e *env) events(reason, name string) int {
	e.t.Helper()
	list, err := e.kube.CoreV1().Events("default").List(context.Background(), metav1.ListOptions{})
	e.must(err)
	n := 0
	for _, ev := range list.Items {
		if ev.Reason == reason && strings.HasPrefix(ev.InvolvedObject.Name, name) {
			n += int(max(ev.Count, 1))
		}
	}
	return n
}
