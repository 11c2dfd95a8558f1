package controller

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// crdOf is the CRD as it is shipped, without some fields of the status.
func crdOf(t testing.TB, without ...string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("../../deploy/crd/api.storageos.com_volumes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		t.Fatal(err)
	}
	for _, field := range without {
		unstructured.RemoveNestedField(schemaOf(crd), strings.Split("properties.status.properties."+field, ".")...)
	}
	return crd
}

// olderFields are those that the CRD of the replaced program lacks.
var olderFields = []string{"capacity", "conditions", "health", "persistentVolume", "ready"}

func schemaOf(crd *unstructured.Unstructured) map[string]any {
	version := crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	return version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
}

// crds is the part of an API server that tells of CRDs: of the one that there is.
type crds struct {
	dynamic.NamespaceableResourceInterface

	mu       sync.Mutex
	crd      *unstructured.Unstructured // nil if there is none
	fail     error
	hang     bool
	watches  []*watch.RaceFreeFakeWatcher
	requests map[string]int
}

func newCRDs(crd *unstructured.Unstructured) *crds {
	return &crds{crd: crd, requests: map[string]int{}}
}

func (c *crds) Resource(r schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	if r != crdResource {
		panic(r.String())
	}
	return c
}

func (c *crds) Namespace(string) dynamic.ResourceInterface { return c }

// IsWatchListSemanticsUnSupported says that it lists by lists only.
func (c *crds) IsWatchListSemanticsUnSupported() bool { return true }

func (c *crds) request(ctx context.Context, verb string) error {
	c.mu.Lock()
	hang := c.hang
	c.requests[verb]++
	err := c.fail
	c.mu.Unlock()
	if hang {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute): // no API server lets a request take longer
			return apierrors.NewTimeoutError("it hangs", 1)
		}
	}
	return err
}

func (c *crds) Get(ctx context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	if err := c.request(ctx, "get"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name != record.CRDName || c.crd == nil {
		return nil, apierrors.NewNotFound(crdResource.GroupResource(), name)
	}
	return c.crd, nil
}

func (c *crds) List(ctx context.Context, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	if err := c.request(ctx, "list "+o.FieldSelector); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := &unstructured.UnstructuredList{Object: map[string]any{"metadata": map[string]any{"resourceVersion": "1"}}}
	if c.crd != nil {
		list.Items = append(list.Items, *c.crd)
	}
	return list, nil
}

func (c *crds) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if err := c.request(ctx, "watch "+o.FieldSelector); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := watch.NewRaceFreeFake()
	c.watches = append(c.watches, w)
	return w, nil
}

// set puts a CRD in the place of the one that there is, nil takes it away.
func (c *crds) set(crd *unstructured.Unstructured) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.crd
	c.crd = crd
	for _, w := range c.watches {
		switch {
		case w.IsStopped():
		case crd == nil:
			w.Delete(old)
		case old == nil:
			w.Add(crd)
		default:
			w.Modify(crd)
		}
	}
}

// refuse takes the right to look away, or gives it back; watches end as they do from
// time to time.
func (c *crds) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
	for _, w := range c.watches {
		w.Stop()
	}
	c.watches = nil
}

var noRight = apierrors.NewForbidden(crdResource.GroupResource(), record.CRDName, nil)

// current is the gauge: "absent" if it is.
func current(t testing.TB, m *metrics.Metrics) string {
	t.Helper()
	return gauge(t, m, "storageos_volume_crd_current")
}

func gauge(t testing.TB, m *metrics.Metrics, name string) string {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return fmt.Sprint(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return "absent"
}

// loggedLines is a logger, and what it was told so far.
func loggedLines() (klog.Logger, func() []string) {
	var mu sync.Mutex
	var all []string
	return funcr.New(func(_, args string) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, args)
		}, funcr.Options{}), func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all)
		}
}

// The gauge is 1 or 0 as the CRD is, and absent while that cannot be told; each change
// has one line in the log.
func TestCRDGauge(t *testing.T) {
	t.Parallel()
	good, old := crdOf(t), crdOf(t, olderFields...)
	type step struct {
		do   func(*crds)
		want string
		says string // "" if nothing
	}
	const older, well, gone, cannot = "older than this version", "keeps all", "is gone", "cannot be told"
	set := func(crd *unstructured.Unstructured) func(*crds) { return func(c *crds) { c.set(crd) } }
	refuse := func(err error) func(*crds) { return func(c *crds) { c.refuse(err) } }
	down := apierrors.NewInternalError(errDown)
	for name, tc := range map[string]struct {
		begin *crds
		steps []step
	}{
		"the current one":     {newCRDs(good), []step{{nil, "1", ""}}},
		"the older one":       {newCRDs(old), []step{{nil, "0", older}}},
		"none":                {newCRDs(nil), []step{{nil, "0", gone}, {set(good), "1", well}}},
		"it is replaced":      {newCRDs(old), []step{{nil, "0", older}, {set(good), "1", well}, {set(good), "1", ""}}},
		"by the older one":    {newCRDs(good), []step{{nil, "1", ""}, {set(old), "0", older}, {set(old), "0", ""}, {set(good), "1", well}}},
		"it goes":             {newCRDs(good), []step{{nil, "1", ""}, {set(nil), "0", gone}, {set(old), "0", older}}},
		"no right":            {&crds{crd: good, fail: noRight, requests: map[string]int{}}, []step{{nil, "absent", cannot}}},
		"no right, then one":  {&crds{crd: good, fail: noRight, requests: map[string]int{}}, []step{{nil, "absent", cannot}, {refuse(nil), "1", well}}},
		"the right goes":      {newCRDs(good), []step{{nil, "1", ""}, {refuse(noRight), "absent", cannot}, {refuse(nil), "1", well}}},
		"it goes while older": {newCRDs(old), []step{{nil, "0", older}, {refuse(noRight), "absent", cannot}, {set(good), "absent", ""}, {refuse(nil), "1", well}}},
		"Kubernetes is down":  {newCRDs(old), []step{{nil, "0", older}, {refuse(down), "0", ""}, {set(good), "0", ""}, {refuse(nil), "1", well}}},
		"it hangs":            {&crds{crd: good, hang: true, requests: map[string]int{}}, []step{{nil, "absent", ""}, {func(c *crds) { c.mu.Lock(); c.hang = false; c.mu.Unlock() }, "1", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := metrics.New()
				logger, said := loggedLines()
				ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
				c := newCRD(tc.begin, m, func() {})
				var wg sync.WaitGroup
				wg.Go(func() { c.run(ctx) })
				before := 0
				for i, s := range tc.steps {
					if s.do != nil {
						s.do(tc.begin)
					}
					time.Sleep(3 * time.Minute) // tried again now and then
					synctest.Wait()
					if got := current(t, m); got != s.want {
						t.Errorf("step %d: the gauge is %s, want %s", i, got, s.want)
					}
					now := said()[before:]
					before += len(now)
					switch {
					case s.says == "" && len(now) > 0, s.says != "" && (len(now) != 1 || !strings.Contains(now[0], s.says)):
						t.Errorf("step %d: it says %q, want %q", i, now, s.says)
					}
				}
				cancel()
				wg.Wait()
				if got := current(t, m); got != "absent" {
					t.Errorf("at the end the gauge is %s", got)
				}
				for verb := range tc.begin.requests {
					if verb != "get" && !strings.HasSuffix(verb, " metadata.name=volumes.api.storageos.com") {
						t.Errorf("a request without the selector: %s", verb)
					}
				}
			})
		})
	}
}

// Where nobody looks the gauge is absent.
func TestCRDWithoutClient(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	newCRD(nil, m, nil).run(context.Background())
	if got := current(t, m); got != "absent" {
		t.Errorf("the gauge is %s", got)
	}
}

// looks lets the leader look at the CRD; the API server goes by it.
func (h *history) looks(t *testing.T, c *crds) {
	h.leader.crd.api = c.Resource(crdResource)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	var wg sync.WaitGroup
	wg.Go(func() { h.leader.crd.run(ctx) })
	h.ended = append(h.ended, func() { cancel(); wg.Wait() })
	synctest.Wait()
}

// install replaces the CRD. With it the API server shows records otherwise, though they
// have not changed, and the caches learn that by a new list, of which nobody is told.
func (h *history) install(c *crds, crd *unstructured.Unstructured, pruned bool) {
	h.records.pruned = pruned
	for _, r := range h.records.records {
		h.records.prune(r)
		must(h.t, h.leader.caches.Records.GetIndexer().Add(state.NewRecord(r)))
	}
	c.set(crd)
	synctest.Wait()
}

// When the CRD is replaced, the records are completed within two polls out of a listing;
// when the older one comes instead, nothing is written.
func TestHistoryCRDReplaced(t *testing.T) {
	t.Parallel()
	for interval, volumes := range map[time.Duration]int{5 * time.Second: 1000, time.Second: 50, 30 * time.Second: 50} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			told(t, volumes, func(s *Settings) { s.PollInterval, s.ResyncInterval = interval, 5*interval }, func(h *history) {
				good, old := crdOf(t), crdOf(t, olderFields...)
				c := newCRDs(good)
				h.looks(t, c)
				for range 2 {
					writes, asked := h.attempts(), h.askedByID()
					h.install(c, old, true)
					if n := len(h.incomplete()); n != volumes {
						t.Fatalf("%d records were pruned", n)
					}
					h.polls(int(h.settings.ResyncInterval/interval) + 3)
					if n := h.attempts() - writes; n > 0 {
						t.Errorf("%d writes of what is dropped", n)
					}
					h.install(c, good, false)
					h.polls(2)
					if lacking := h.incomplete(); len(lacking) > 0 {
						t.Errorf("%d records were not completed within two polls: %.3q", len(lacking), lacking)
					}
					if n := h.askedByID() - asked; n > 0 {
						t.Errorf("%d volumes were asked for by ID", n)
					}
					writes = h.attempts()
					h.polls(10)
					if n := h.attempts() - writes; n > 0 {
						t.Errorf("%d writes when all was complete", n)
					}
				}
			})
		})
	}
}

// More records than fit between a listing and the workers are completed by several, those
// of absent volumes too; what happens meanwhile is not lost.
func TestHistoryCRDReplacedMany(t *testing.T) {
	t.Parallel()
	told(t, 110, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
		h.leader.completion.most = 50
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		h.install(c, old, true)
		h.keepVolumes(107)
		h.polls(20)
		asked := h.askedByID()
		h.install(c, good, false)
		h.polls(4)
		for name, r := range h.records.records {
			if len(r.Status.Conditions) < 2 || r.Status.PersistentVolume == nil {
				t.Errorf("record %s was not completed: %+v", name, r.Status)
			}
		}
		if n := h.askedByID() - asked; n > 3*4 {
			t.Errorf("%d volumes were asked for by ID", n)
		}
	})
}

// An API server may go by a new CRD later than the CRD says, and where nobody may look
// nobody knows when: the next resync shows it.
func TestHistoryCRDLate(t *testing.T) {
	t.Parallel()
	for _, looks := range []bool{true, false} {
		t.Run(fmt.Sprint("somebody looks: ", looks), func(t *testing.T) {
			t.Parallel()
			told(t, 100, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
				h.records.pruned = true
				for i := range h.api.Lists["one"] {
					h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
				}
				h.polls(3)
				if looks {
					h.looks(t, newCRDs(crdOf(t)))
				}
				writes := h.attempts()
				h.polls(12)
				if n := h.attempts() - writes; n > mostTried+3*fewTried {
					t.Errorf("%d writes of what is dropped", n)
				}
				h.records.pruned = false
				h.polls(int(h.settings.ResyncInterval/h.settings.PollInterval) + 2)
				if lacking := h.incomplete(); len(lacking) > 0 {
					t.Errorf("%d records were not completed: %.3q", len(lacking), lacking)
				}
			})
		})
	}
}

// spoken are the messages of events, by reason.
type spoken map[string][]string

func (s spoken) Event(_ runtime.Object, _, reason, message string) {
	s[reason] = append(s[reason], message)
}

// askedByID counts the questions for single volumes.
func (h *history) askedByID() (n int) {
	for call, times := range h.api.Calls {
		if strings.HasPrefix(call, "volume ") {
			n += times
		}
	}
	return n
}

// attempts are the writes, with those of which nothing was left.
func (h *history) attempts() int { return h.records.writes + h.records.dropped }

// incomplete are the names of the records that lack what the older CRD drops.
func (h *history) incomplete() (names []string) {
	for name, r := range maps.All(h.records.records) {
		if r.Status.Health == "" || r.Status.PersistentVolume == nil || len(r.Status.Conditions) != 3 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Whatever the CRD drops, an event says how many copies are usable.
func TestHistoryOlderCRDEvents(t *testing.T) {
	t.Parallel()
	replicas := func(health ...string) string {
		n := len(health)
		for i, h := range health {
			health[i] = fmt.Sprintf(`{"id":"r%d","health":%q}`, i, h)
		}
		return fmt.Sprintf(`"labels":{"storageos.com/replicas":"%d"},"replicas":[%s]`, n, strings.Join(health, ","))
	}
	for name, tc := range map[string]struct {
		was, is, master string
		want            spoken
	}{
		"degraded":         {replicas("ready", "ready"), replicas("ready", "failed"), "online", spoken{policy.EventDegraded: {"Only 2 of 3 wanted copies are usable"}}},
		"healthy":          {replicas("ready", "failed"), replicas("ready", "ready"), "online", spoken{policy.EventHealthy: {"3 of 3 wanted copies are usable"}}},
		"offline":          {replicas("ready", "ready"), replicas("ready", "ready"), "offline", spoken{policy.EventOffline: {"The master is offline, so the volume cannot be used; 2 of 3 wanted copies are usable"}}},
		"a label too few":  {replicas("ready"), `"replicas":[{"id":"r","health":"failed"}]`, "online", spoken{policy.EventDegraded: {"Only 1 of 2 wanted copies is usable"}}},
		"nothing to speak": {replicas("ready"), replicas("ready"), "online", spoken{}},
	} {
		for _, older := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", older CRD ", older), func(t *testing.T) {
				t.Parallel()
				told(t, 1, nil, func(h *history) {
					h.records.pruned = older
					said := spoken{}
					h.leader.events = said
					show := func(more, master string) {
						h.api.Lists["one"] = []string{fmt.Sprintf(`{"id":"v0","name":"v0","namespaceID":"one","sizeBytes":2,"master":{"health":%q,"nodeID":"n1"},%s}`, master, more)}
						h.polls(2)
					}
					show(tc.was, "online")
					clear(said)
					show(tc.is, tc.master)
					if diff := cmp.Diff(tc.want, said); diff != "" {
						t.Errorf("events (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// When the newer CRD is installed, and one record has shown it, the others are completed
// out of a listing: nothing is asked for by ID.
func TestHistoryNewerCRDOutOfListing(t *testing.T) {
	t.Parallel()
	const volumes = 1000
	told(t, volumes, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
		h.records.pruned = true
		for i, v := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = strings.TrimSuffix(v, " 1") + " 7"
		}
		h.polls(3)
		if n := len(h.incomplete()); n != volumes {
			t.Fatalf("%d records were pruned", n)
		}
		asked := h.askedByID()
		h.records.pruned = false
		h.polls(int(h.settings.ResyncInterval/h.settings.PollInterval) + 3) // the next resync, and two polls
		if lacking := h.incomplete(); len(lacking) > 0 {
			t.Errorf("%d records were not completed: %.3q", len(lacking), lacking)
		}
		if n := h.askedByID() - asked; n > 0 {
			t.Errorf("%d volumes were asked for by ID", n)
		}
	})
}
