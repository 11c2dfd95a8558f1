package integration

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// Volumes that really go lose their records: not before they were watched for the
// grace, or for the hold if many go and nothing explains it. An API that fails now and
// then only slows that down.
func TestFaultGone(t *testing.T) {
	t.Parallel()
	const grace, hold = 5 * time.Second, 12 * time.Second
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 41, CSI: -1})
	one, asked, lost := filled[0], filled[1:21], filled[21:]
	for _, f := range asked {
		e.persistentVolume(f)
	}
	c := e.controller("-api-poll-interval", "1s", "-api-retry-interval", "1s",
		"-orphan-grace-period", grace.String(), "-mass-orphan-hold", hold.String())
	e.eventually("every record is right", 20*time.Second, func() error { return e.well(filled, asked) })
	e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
	goes := func(what string, within time.Duration, begun time.Time, least time.Duration, all ...simulator.Filled) {
		t.Helper()
		e.eventually(what, within, func() error { return e.unrecorded(all...) })
		took := time.Since(begun)
		if t.Logf("%s: after %v", what, took.Round(10*time.Millisecond)); took < least {
			t.Errorf("%s: after %v, before %v", what, took, least)
		}
	}

	var turn atomic.Int64
	end := e.sim.AddFault(simulator.Fault{
		Match: simulator.Match{Call: simulator.CallNamespaces}, Count: simulator.Always,
		Effect: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if turn.Add(1)%3 == 0 {
				simulator.Status(503, "no store")(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		},
	})
	begun, failed := time.Now(), c.metric("storageos_sync_volume_errors_total", "list")
	e.lose(one)
	goes("while each third listing fails, one goes", 30*time.Second, begun, grace, one)
	if c.metric("storageos_sync_volume_errors_total", "list") == failed {
		t.Error("no listing failed")
	}
	end()

	begun = time.Now()
	e.lose(slices.Concat(asked, lost)...)
	for _, f := range asked {
		e.deletePersistentVolume(f.Name)
	}
	uids := e.uids()
	goes("what somebody asked Kubernetes for goes", 20*time.Second, begun, grace, asked...)
	for _, f := range asked {
		delete(uids, f.ID)
	}
	if err := e.same(uids); err != nil && time.Since(begun) < hold {
		t.Errorf("what nothing explains: %v", err)
	}
	goes("what nothing explains goes", 30*time.Second, begun, hold, lost...)
}

// However old a mark is: a deletion waits for two listings of this process that lack
// the volume. Here listings are further apart than the grace is long.
func TestFaultOneListing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 1, Volumes: 6, CSI: -1})
	flags := []string{"-api-poll-interval", "6s", "-api-retry-interval", "6s", "-orphan-grace-period", "2s"}
	c := e.controller(flags...)
	e.eventually("every record is right", 20*time.Second, func() error { return e.well(filled, nil) })
	c.polls(1)
	uids := e.uids()
	listed := func() int { return e.sim.Stats().Requests[simulator.CallVolumes] }
	age := func(all ...simulator.Filled) {
		for _, f := range all {
			e.patch(f.Name, `{"metadata":{"annotations":{"`+v1.AnnotationAbsentSince+`":"2020-01-01T00:00:00Z"}}}`)
		}
	}

	// hidden are in StorageOS, but one listing and those who ask for them are told
	// otherwise; lost are gone. The mark of one of each is made old by a hand.
	hidden, lost := filled[:2], filled[2:4]
	before := listed()
	show := e.hide(1, hidden...)
	e.lose(lost...)
	e.eventually("all four are marked", 20*time.Second, func() error { return e.marked(filled[:4]...) })
	age(hidden[1], lost[1])
	e.eventually("the next listing begins", 10*time.Second, func() error {
		stay := e.same(uids)
		if listed() > before+1 {
			return nil
		}
		e.must(stay)
		return errors.New("not yet")
	})
	e.eventually("the lost go", 15*time.Second, func() error { return e.unrecorded(lost...) })
	left := slices.Concat(hidden, filled[4:])
	e.eventually("the others are well", 15*time.Second, func() error { return e.well(left, nil) })
	show()

	// The first listing of a new process does not delete either, whatever the mark says.
	c.stop()
	age(hidden...)
	show = e.hide(1, hidden...)
	c = e.controller(flags...)
	c.polls(2)
	e.eventually("all are well", 15*time.Second, func() error { return e.well(left, nil) })
	show()

	for _, f := range lost {
		delete(uids, f.ID)
	}
	if err := e.same(uids); err != nil {
		t.Error(err)
	}
}
