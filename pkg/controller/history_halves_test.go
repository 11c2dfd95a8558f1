package controller

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// becomes lists v0 as that and works on it, while the watch of records tells nothing.
func (h *history) becomes(entry string) {
	h.api.Lists["one"][0] = entry
	_ = h.leader.poller.Poll(h.ctx) // some of these listings fail
	h.work(h.leader, 10)
}

// from lists v0 as that until all is well, and forgets the events.
func (h *history) from(entry string) {
	h.api.Lists["one"][0] = entry
	h.polls(3)
	clear(h.events)
}

// nth lets the calls of these numbers meet an error.
func nth(err error, numbers ...int) func(string) error {
	calls := 0
	return func(string) error {
		calls++
		for _, n := range numbers {
			if calls == n {
				return err
			}
		}
		return nil
	}
}

// How many copies of a volume are wanted is in the first half of a write, and which there
// are in the second. Of a record that has one half alone no health is told: it says of its
// health something else than its copies make.
func TestHistoryHealthOfHalves(t *testing.T) {
	t.Parallel()
	const unlabelled = `{"id":"v0","name":"v0","namespaceID":"one","sizeBytes":1,"labels":{%s},` +
		`"master":{"health":"online","nodeID":"n1"},"replicas":[%s]}`
	const ready, failed = `{"id":"r0","nodeID":"n1","health":"ready"}`, `{"id":"r1","nodeID":"n1","health":"failed"}`
	for name, tc := range map[string]struct {
		tell func(t *testing.T, h *history)
		want counted
	}{
		"the answer to the first is lost, one more is wanted and there": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.lost = nth(errDown, 1)
			h.becomes(replicated(2, 2, "online"))
		}, nil},
		"the answer to the first is lost, one less is wanted and there": {func(t *testing.T, h *history) {
			h.from(replicated(2, 1, "online"))
			h.records.lost = nth(errDown, 1)
			h.becomes(replicated(1, 0, "online"))
		}, nil},
		"the answer to the first is lost, and the record is read": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.lost = nth(errDown, 1)
			h.becomes(replicated(2, 2, "online"))
			h.sleep(time.Second)
			h.work(h.leader, 10)
		}, nil},
		"the answer to the first is lost, and a hand edits the record": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.lost = nth(errDown, 1)
			h.becomes(replicated(2, 2, "online"))
			h.edit("v0", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, "theirs", "x") })
		}, nil},
		"the second fails, and the volume is not listed for a while": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(2, 2, "online"))
			h.api.Hidden = map[string]bool{"v0": true}
			h.polls(2)
			h.api.Hidden = nil
		}, nil},
		"the second fails, and the volume cannot be recorded for a while": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(2, 2, "online"))
			h.api.Lists["one"][0] = "v0 18446744073709551615"
			h.polls(2)
			h.api.Lists["one"][0] = replicated(2, 2, "online")
		}, counted{EventInvalid: 1}},
		"the second fails, and what is listed cannot be had for a while": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(2, 2, "online"))
			h.leader.contents.Limit(0)
			h.leader.contents.Take("v0")
			h.api.Fail = func(call string, _ int) error {
				if call == "volume v0" {
					return errDown
				}
				return nil
			}
			h.polls(3)
			if is := h.records.records["v0"]; is.Status.Health != v1.HealthHealthy {
				t.Errorf("meanwhile the record says %s %s", is.Status.Health, is.Status.Ready)
			}
			h.api.Fail = nil
		}, nil},
		"the second fails, and a hand deletes the record, which a finalizer keeps": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(2, 2, "online"))
			h.edit("v0", func(r *v1.Volume) {
				now := metav1.Now()
				r.DeletionTimestamp, r.Finalizers = &now, []string{"theirs"}
			})
			h.polls(2)
		}, nil},
		"the second conflicts for a while": {func(t *testing.T, h *history) {
			h.from(replicated(1, 1, "online"))
			h.records.fail = afterFirst(apierrors.NewConflict(volumesResource, "v0", errDown))
			h.becomes(replicated(2, 2, "online"))
			h.polls(3)
		}, nil},
		"the whole says what the half said": {func(t *testing.T, h *history) {
			h.records.lost = nth(errDown, 2)
			h.becomes(replicated(1, 0, "online"))
			h.becomes(replicated(1, 1, "online"))
		}, counted{EventDegraded: 1, EventHealthy: 1}},
		"the whole says what the half said, and is written later": {func(t *testing.T, h *history) {
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(1, 0, "online"))
			h.records.fail, h.records.lost = nil, nth(errDown, 1)
			h.sleep(time.Second)
			h.work(h.leader, 10)
			h.becomes(replicated(1, 0, "offline"))
		}, counted{EventDegraded: 1, EventOffline: 1}},
		"the volume is again as it was in the half": {func(t *testing.T, h *history) {
			h.records.lost = nth(errDown, 2, 3)
			h.becomes("v0 7 offline")
			h.becomes("v0 7 online n2")
			h.becomes("v0 7 offline")
		}, counted{EventOffline: 2, EventHealthy: 1}},
		"a failed replica goes with the label that wanted it": {func(t *testing.T, h *history) {
			h.from(fmt.Sprintf(unlabelled, `"storageos.com/replicas":"1"`, ready+","+failed))
			h.records.fail = nth(errDown, 2)
			h.becomes(fmt.Sprintf(unlabelled, "", ready))
		}, nil},
		"it was so when a new leader began": {func(t *testing.T, h *history) {
			h.from(replicated(2, 1, "online"))
			h.api.Lists["one"][0] = replicated(1, 0, "online")
			h.lead()
			h.records.fail = nth(errDown, 2)
			h.becomes(replicated(1, 0, "online"))
			h.records.fail = nil
			h.becomes(strings.Replace(replicated(1, 0, "online"), `"sizeBytes":1`, `"sizeBytes":2`, 1))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 12, nil, func(h *history) {
				tc.tell(t, h)
				h.records.lost, h.records.fail = nil, nil
				h.polls(20)
			})
			if !maps.Equal(events, tc.want) {
				t.Errorf("events %v, want %v", events, tc.want)
			}
		})
	}
}

// healths takes down which health was said, in turn.
type healths []string

func (s *healths) Event(_ runtime.Object, _, reason, _ string) {
	switch reason {
	case EventOffline, EventHealthy, EventDegraded:
		*s = append(*s, strings.TrimPrefix(reason, "Volume"))
	}
}

// Whatever happens to the writes of a record while its volume changes: what is said of its
// health was so, none is said twice in a row, and the last is how it is.
func TestHistoryHealthAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			told(t, 12, nil, func(h *history) { healthAtRandom(t, h, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func healthAtRandom(t *testing.T, h *history, random *rand.Rand) {
	var said healths
	h.leader.events = &said
	health := func() string {
		volume, err := storageos.DecodeVolume(storageostest.Entry("one", h.api.Lists["one"][0]).Raw)
		if err != nil {
			t.Fatal(err)
		}
		c, err := record.FromVolume(volume, "one", nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Status.Health)
	}
	was := map[string]bool{health(): true}
	errs := []error{errDown, refuse, apierrors.NewConflict(volumesResource, "v0", errDown), apierrors.NewTooManyRequests("slowly", 1)}
	some := func(err error) func(string) error { return nth(err, 1+random.IntN(2), 1+random.IntN(4)) }
	for edit := range 3 + random.IntN(8) {
		switch random.IntN(10) {
		case 0, 1, 2:
			master := []string{"online", "online", "online", "offline"}[random.IntN(4)]
			next := replicated(random.IntN(3), random.IntN(3), master)
			h.becomes(next)
			was[health()] = true
		case 3:
			h.records.lost = some(errDown)
		case 4:
			h.records.fail = some(errs[random.IntN(len(errs))])
		case 5:
			h.api.Hidden = map[string]bool{"v0": true}
		case 6:
			h.api.Hidden = nil
		case 7:
			h.tell(h.leader, 1+random.IntN(2))
		case 8:
			h.sleep(time.Duration(1+random.IntN(60)) * 100 * time.Millisecond)
			h.work(h.leader, 1+random.IntN(3))
		case 9:
			h.edit("v0", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, "theirs", fmt.Sprint(edit)) })
		}
	}
	h.api.Hidden, h.records.fail, h.records.lost = nil, nil, nil
	h.polls(20)
	last := string(v1.HealthHealthy)
	for _, is := range said {
		if is == last || !was[is] {
			t.Errorf("said %v, and it was %v", said, was)
		}
		last = is
	}
	if is := health(); last != is {
		t.Errorf("said %v, and it is %s", said, is)
	}
	if kept := h.leader.tracker.all["v0"]; kept != (policy.Memory{}) {
		t.Errorf("remembered: %+v", kept)
	}
}
