package controller

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// lists is a StorageOS of which each namespace has a list, and counts what is
// looked into.
type lists struct {
	*fakeAPI
	bodies  map[string][][]byte
	whole   map[string][]byte
	streams bool // as lists do that are too long to be held
	handed  int  // entries
}

func newLists(namespaces, volumes int) *lists {
	l := &lists{fakeAPI: newFakeAPI(nil), bodies: map[string][][]byte{}, whole: map[string][]byte{}}
	for n := range volumes {
		ns := "ns" + strconv.Itoa(n%namespaces)
		if n < namespaces {
			l.namespaces = append(l.namespaces, ns)
		}
		l.bodies[ns] = append(l.bodies[ns], entry(ns, fmt.Sprintf("v%d %d", n, n)).Raw)
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
func steady(t *testing.T, l *lists) (p *poller, kept *int) {
	t.Helper()
	kept = new(int)
	p = &poller{
		api: l, view: newView(), metrics: metrics.New(), parallel: 1,
		keep: func(string, []byte) { *kept++ }, found: func(string) {},
		alive: func(time.Time) {}, begun: func(*listing) {}, ended: func(*listing, bool, []string) {},
	}
	if err := p.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	*kept, l.handed = 0, 0
	return p, kept
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
			l.bodies["ns7"][3] = entry("ns7", "v157 99999").Raw
		}, 20, 1},
		"one is new":   {func(l *lists) { l.bodies["ns7"] = append(l.bodies["ns7"], entry("ns7", "new 1").Raw) }, 21, 1},
		"one has gone": {func(l *lists) { l.bodies["ns7"] = l.bodies["ns7"][1:] }, 19, 0},
		"another order": {func(l *lists) {
			b := l.bodies["ns7"]
			b[0], b[1], b[18], b[19] = b[19], b[18], b[1], b[0]
		}, 20, 0},
		"nothing has changed in lists that are too long to be held": {func(l *lists) { l.streams = true }, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLists(50, 1000)
			p, kept := steady(t, l)
			tc.change(l)
			clear(l.whole)
			if err := p.poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if l.handed != tc.handed || *kept != tc.kept {
				t.Errorf("%d volumes were looked at and %d decoded, want %d and %d", l.handed, *kept, tc.handed, tc.kept)
			}
		})
	}
}

// A poll in which nothing has changed allocates as much for many volumes as for
// few.
func TestSteadyPollAllocations(t *testing.T) { // not parallel: allocations are counted for the whole process
	for _, streams := range []bool{false, true} {
		allocations := map[int]float64{}
		for _, volumes := range []int{1_000, 10_000, 100_000} {
			l := newLists(1, volumes)
			l.streams = streams
			p, kept := steady(t, l)
			ctx := t.Context()
			allocations[volumes] = testing.AllocsPerRun(5, func() {
				if err := p.poll(ctx); err != nil {
					t.Fatal(err)
				}
			})
			if *kept != 0 {
				t.Errorf("%d volumes were decoded", *kept)
			}
		}
		if few := allocations[1_000]; allocations[10_000] != few || allocations[100_000] != few {
			t.Errorf("allocations by number of volumes: %v", allocations)
		}
	}
}
