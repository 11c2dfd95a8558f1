package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// The CRD is taken away and put back at once: what is told last is that it is there.
func TestHistoryCRDBackAtOnce(t *testing.T) {
	t.Parallel()
	for n := range 5 {
		synctest.Test(t, func(t *testing.T) {
			m := metrics.New()
			logger, said := loggedLines()
			ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
			good := crdOf(t)
			api := newCRDs(good)
			c := newCRD(api, m, func() {})
			var wg sync.WaitGroup
			wg.Go(func() { c.run(ctx) })
			time.Sleep(time.Minute)
			synctest.Wait()
			api.set(nil)
			api.set(good)
			time.Sleep(10 * time.Hour)
			synctest.Wait()
			if got := current(t, m); got != "1" {
				t.Errorf("run %d: 10 hours after the CRD is back the gauge is %s, want 1: %q", n, got, said())
			}
			cancel()
			wg.Wait()
		})
	}
}

// The right to look is away for a moment, while the CRD is replaced.
func TestHistoryCRDReplacedBehindARight(t *testing.T) {
	t.Parallel()
	told(t, 50, nil, func(h *history) {
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		h.install(c, old, true)
		h.polls(5)
		c.refuse(noRight)
		h.sleep(time.Second)
		h.install(c, good, false)
		c.refuse(nil)
		for current(t, h.leader.metrics) != "1" {
			h.polls(1)
		}
		h.polls(2)
		if lacking := h.incomplete(); len(lacking) > 0 {
			t.Errorf("two polls after the gauge says 1, %d of 50 records are not completed", len(lacking))
		}
		n := 2
		for ; len(h.incomplete()) > 0 && n < 400; n++ {
			h.polls(1)
		}
		t.Logf("complete after %d polls", n)
	})
}

// There is no CRD, and the first request fails.
func TestHistoryNoCRDFirstRequestFails(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"down": errDown, "no right at first": noRight} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := metrics.New()
				logger, said := loggedLines()
				ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
				api := newCRDs(nil)
				api.fail = err
				c := newCRD(api, m, func() {})
				var wg sync.WaitGroup
				wg.Go(func() { c.run(ctx) })
				time.Sleep(10 * time.Second)
				api.refuse(nil)
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := current(t, m); got != "0" {
					t.Errorf("an hour after it can be looked at the gauge is %s, want 0 (there is no CRD): %q; requests %v", got, said(), api.requests)
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// It goes between the first request and the first list.
func TestHistoryCRDGoesBeforeTheFirstList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New()
		logger, said := loggedLines()
		ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
		api := newCRDs(crdOf(t))
		c := newCRD(api, m, func() {})
		c.logger = logger
		c.look(ctx)
		api.crd = nil
		api.fail = errDown // the look of run
		var wg sync.WaitGroup
		wg.Go(func() { c.run(ctx) })
		time.Sleep(10 * time.Second)
		api.refuse(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := current(t, m); got != "0" {
			t.Errorf("the gauge is %s, want 0: %q", got, said())
		}
		cancel()
		wg.Wait()
	})
}

// Records dropped for ever beside one that is not any more.
func TestHistoryTrialStarves(t *testing.T) {
	t.Parallel()
	const forever = 60
	told(t, forever+1, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
		all := true
		h.records.wrote = func(_ context.Context, _, obj *v1.Volume) {
			if obj != nil && (obj.Name != "v0" || all) {
				obj.Status.Conditions = nil
			}
		}
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.polls(3)
		all = false
		n := 0
		for ; n < 50*12 && len(h.records.records["v0"].Status.Conditions) == 0; n++ {
			h.polls(1)
		}
		if n > 12+3 {
			t.Errorf("record v0 lacks its conditions for %d polls, %d resyncs, after what dropped them has ended", n, n/12)
		}
	})
}

// Another cluster answers; who leads next says again that deletions are held.
func TestHistoryHeldSaidTwice(t *testing.T) {
	t.Parallel()
	events := told(t, 5, nil, func(h *history) {
		h.polls(3)
		h.other()
		h.polls(10)
		for range 3 {
			h.lead()
			h.polls(10)
		}
	})
	if events[policy.EventHeld] > 1 {
		t.Errorf("%s was said %d times of one hold: %v", policy.EventHeld, events[policy.EventHeld], events)
	}
	t.Log(events)
}

var _ = strings.Repeat
