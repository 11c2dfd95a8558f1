package source

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// lists is a StorageOS of which each namespace has a list, and counts what is
// looked into.
type lists struct {
	*storageostest.API
	bodies  map[string][][]byte
	whole   map[string][]byte
	streams bool // as lists do that are too long to be held
	handed  int  // entries
}

func newLists(namespaces, volumes int) *lists {
	l := &lists{API: storageostest.New(nil), bodies: map[string][][]byte{}, whole: map[string][]byte{}}
	for n := range volumes {
		ns := "ns" + strconv.Itoa(n%namespaces)
		if n < namespaces {
			l.NamespaceIDs = append(l.NamespaceIDs, ns)
		}
		l.bodies[ns] = append(l.bodies[ns], storageostest.Entry(ns, fmt.Sprintf("v%d %d", n, n)).Raw)
	}
	return l
}

func (l *lists) ListVolumes(_ context.Context, ns string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	var is storageos.Fingerprint
	if !l.streams {
		if is = storageos.FingerprintOf(l.joined(ns)); is == known {
			return is, nil
		}
	}
	for _, raw := range l.bodies[ns] {
		l.handed++
		if err := each(storageos.Entry{Raw: raw}); err != nil {
			return storageos.Fingerprint{}, err
		}
	}
	return is, nil
}

// joined is the body of a list. It is joined once for as long as it does not change.
func (l *lists) joined(ns string) []byte {
	if l.whole[ns] == nil {
		l.whole[ns] = bytes.Join(l.bodies[ns], nil)
	}
	return l.whole[ns]
}

// steady is a poller that has listed everything once; kept counts the volumes
// that are decoded from then on.
func steady(t *testing.T, l *lists) (p *Poller, kept *int) {
	t.Helper()
	kept = new(int)
	p = &Poller{
		API: l, View: newView(), Metrics: metrics.New(), Parallel: 1,
		Keep: func(string, Payload) { *kept++ }, Found: func(string) {},
		Alive: func(time.Time) {}, Begun: func(*Listing) {}, Ended: func(*Listing, bool, []string) {},
	}
	if err := p.Poll(unlogged(t)); err != nil {
		t.Fatal(err)
	}
	*kept, l.handed = 0, 0
	return p, kept
}

// unlogged is a context without a log.
func unlogged(t *testing.T) context.Context {
	return klog.NewContext(t.Context(), logr.Discard())
}

// unreadable makes each volume one that cannot be decoded, so that every attempt to do
// so is counted as an error.
func (l *lists) unreadable() {
	for _, volumes := range l.bodies {
		for i, raw := range volumes {
			volumes[i] = bytes.Replace(raw, []byte(`"master":{`), []byte(`"master":7,"was":{`), 1)
		}
	}
	clear(l.whole)
}

// What is looked into and what is decoded.
func TestWhatAPollLooksInto(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*lists)
		handed int // entries of 1,000 in 50 namespaces
		kept   int
	}{
		"nothing has changed": {func(*lists) {}, 0, 0},
		"one has changed": {func(l *lists) {
			l.bodies["ns7"][3] = storageostest.Entry("ns7", "v157 99999").Raw
		}, 20, 1},
		"one is new":   {func(l *lists) { l.bodies["ns7"] = append(l.bodies["ns7"], storageostest.Entry("ns7", "new 1").Raw) }, 21, 1},
		"one has gone": {func(l *lists) { l.bodies["ns7"] = l.bodies["ns7"][1:] }, 19, 0},
		"another order": {func(l *lists) {
			b := l.bodies["ns7"]
			b[0], b[1], b[18], b[19] = b[19], b[18], b[1], b[0]
		}, 20, 0},
		"nothing has changed in lists that are too long to be held": {func(l *lists) { l.streams = true }, 1000, 0},
		"one has changed in a list that is too long to be held": {func(l *lists) {
			l.streams = true
			l.bodies["ns7"][3] = storageostest.Entry("ns7", "v157 99999").Raw
		}, 1000, 1},
		"another order in a list that is too long to be held": {func(l *lists) {
			l.streams = true
			slices.Reverse(l.bodies["ns7"])
		}, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLists(50, 1000)
			l.unreadable()
			p, kept := steady(t, l)
			before := storageostest.DecodeErrors(t, p.Metrics)
			tc.change(l)
			l.unreadable()
			if err := p.Poll(unlogged(t)); err != nil {
				t.Fatal(err)
			}
			decoded := storageostest.DecodeErrors(t, p.Metrics) - before
			if before != 1000 || l.handed != tc.handed || *kept != tc.kept || decoded != tc.kept {
				t.Errorf("%d volumes were looked at, %d kept and %d decoded, want %d, %d and %[5]d", l.handed, *kept, decoded, tc.handed, tc.kept)
			}
		})
	}
}

// A volume that has changed is decoded once, to find out whether its record has to.
func TestDecodedOnce(t *testing.T) { // not parallel: allocations are counted for the whole process
	l := newLists(1, 20)
	p, kept := steady(t, l)
	ctx := t.Context()
	n := 0
	poll := func() {
		n++
		l.bodies["ns0"][3] = storageostest.Entry("ns0", fmt.Sprint("v3 ", n)).Raw
		clear(l.whole)
		if err := p.Poll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	poll()
	*kept = 0
	const runs = 20
	changed := testing.AllocsPerRun(runs, poll)
	if *kept != runs+1 {
		t.Fatalf("%d volumes were found changed in %d polls", *kept, runs+1)
	}
	raw := l.bodies["ns0"][3]
	once := testing.AllocsPerRun(runs, func() {
		if _, err := digestRaw(raw, "ns0", nil); err != nil {
			t.Fatal(err)
		}
	})
	unchanged := testing.AllocsPerRun(runs, func() {
		l.bodies["ns0"][3] = storageostest.Entry("ns0", fmt.Sprint("v3 ", n)).Raw
		clear(l.whole)
		if err := p.Poll(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if more := changed - unchanged; more < once || more >= 2*once {
		t.Errorf("%.0f allocations more for a volume that has changed; to decode it takes %.0f", more, once)
	}
}

// What a poll asks StorageOS for: the cluster before and after, the nodes, the
// namespaces, and the volumes of each once, a few at a time.
func TestRequestsOfAPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const namespaces, polls = 50, 2
		api := storageostest.New(map[string][]string{})
		want := map[string]int{"cluster": 2 * polls, "nodes": polls, "namespaces": polls}
		for n := range namespaces {
			ns := fmt.Sprint("ns", n)
			api.NamespaceIDs = append(api.NamespaceIDs, ns)
			api.Lists[ns] = []string{fmt.Sprintf("v%d 1", n)}
			want["volumes "+ns] = polls
		}
		api.Takes = time.Second / 2
		p := newPolled(api)
		for range polls {
			begun := time.Now()
			if err := p.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			const others = 4 // before and after the lists
			turns := others + (namespaces+ParallelLists-1)/ParallelLists
			if took := time.Since(begun); took != time.Duration(turns)*api.Takes {
				t.Errorf("it took %v, want %d times %v", took, turns, api.Takes)
			}
		}
		if diff := cmp.Diff(want, api.Calls); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	if ParallelLists < 2 || ParallelLists > 8 {
		t.Errorf("%d lists at a time, and 8 connections are kept", ParallelLists)
	}
}
