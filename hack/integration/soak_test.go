package integration

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

var (
	soakFor     = flag.Duration("soak", 2*time.Minute, "for how long TestSoak goes on")
	soakSeed    = flag.Uint64("soak-seed", 1, "what the faults and the traffic of TestSoak are drawn with")
	soakHistory = flag.String("soak-history", "", "write the history of TestSoak to this file")
)

// The program's times in a soak.
const (
	soakLease = 5 * time.Second
	soakGrace = 2 * time.Second
	soakHold  = 20 * time.Second
	soakPoll  = 500 * time.Millisecond
)

const (
	soakVolumes   = 500
	soakProcesses = 3
	soakRound     = 40 * time.Second // faults; then everything has to become right
)

// soak is a long run: what there is, and its history.
type soak struct {
	*claims
	log   *history.Log
	named map[string]*soaked // processes by their names: each that ends is followed by another

	mu     sync.Mutex
	broken []*storageOSFault
	count  int // names that were given
}

// Volumes change, claims are made and deleted, and at random moments, several at a time,
// something goes wrong. What is done and what the program does is written down; apart from
// the program it is checked against the rules. Whenever the faults have ended, every record
// has to become true.
//
//	make soak MINUTES=30 SEED=7
func TestSoak(t *testing.T) {
	t.Parallel()
	path := *soakHistory
	if path == "" {
		path = filepath.Join(t.TempDir(), "history")
	}
	s := newSoak(t, path)
	s.log.Add(history.Event{Kind: history.Began, Settings: &history.Settings{
		Grace: soakGrace, Hold: soakHold, Lease: soakLease, Seed: *soakSeed, Duration: *soakFor,
	}})
	s.sim.Fill(simulator.FillOptions{Namespaces: 5, Nodes: 4, Volumes: soakVolumes, CSI: 0})
	stopWatching := s.watch()
	for range soakProcesses {
		s.startProcess()
	}
	for round, begun := 0, time.Now(); !t.Failed() && (round == 0 || time.Since(begun) < *soakFor); round++ {
		s.rest(round)
		s.rage(round, min(soakRound, max(*soakFor-time.Since(begun), time.Second)))
	}
	s.rest(-1)
	stopWatching()
	s.must(s.log.Err())
	s.verdict(path)
}

// rage lets things go wrong for a while, while volumes change.
func (s *soak) rage(round int, lasts time.Duration) {
	s.t.Helper()
	over := make(chan struct{})
	var wg sync.WaitGroup
	for i, run := range []func(*rand.Rand, <-chan struct{}){s.traffic, s.faults} {
		random := rand.New(rand.NewPCG(*soakSeed, uint64(round)<<8|uint64(i)))
		wg.Go(func() { run(random, over) })
	}
	s.tend(lasts)
	close(over)
	wg.Wait()
}

// rest waits until everything is right, without faults.
func (s *soak) rest(round int) {
	s.t.Helper()
	const within = soakLease + soakGrace + soakHold + 30*time.Second // what the control plane itself takes
	begun := time.Now()
	for {
		s.tend(time.Second)
		wrong := s.wrong()
		if len(wrong) == 0 {
			s.log.Add(history.Event{Kind: history.Right, Detail: fmt.Sprintf("after %v", time.Since(begun).Round(time.Second))})
			s.t.Logf("before round %d: right after %v", round, time.Since(begun).Round(time.Second))
			return
		}
		if time.Since(begun) > patience*within {
			for _, e := range wrong {
				s.log.Add(e)
			}
			s.t.Errorf("%d records are not true %v after the faults: %s", len(wrong), time.Since(begun), wrong[0].Detail)
			return
		}
	}
}

// verdict reads the history and says what breaks a rule.
func (s *soak) verdict(path string) {
	s.t.Helper()
	text, err := os.ReadFile(path)
	s.must(err)
	events, err := history.Read(bytes.NewReader(text))
	s.must(err)
	slices.SortStableFunc(events, func(a, b history.Event) int { return a.At.Compare(b.At) })
	kinds, deleted := map[history.Kind]int{}, 0
	for _, e := range events {
		kinds[e.Kind]++
		if e.Kind == history.Wrote && e.Verb == "delete" {
			deleted++
		}
	}
	s.t.Logf("seed %d: %d events, %d deletions; by kind: %v", *soakSeed, len(events), deleted, kinds)
	if deleted == 0 || kinds[history.Fault] == 0 {
		s.t.Error("nothing was tried")
	}
	violations := history.Check(events)
	const most = 5
	for _, v := range violations[:min(len(violations), most)] {
		s.t.Error(v)
	}
	if len(violations) > 0 {
		s.t.Errorf("%d violations; again by: make soak MINUTES=%.0f SEED=%d", len(violations), soakFor.Minutes(), *soakSeed)
	}
}

// name gives a name that nothing has had.
func (s *soak) name(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return fmt.Sprintf("%s-%d", strings.ReplaceAll(kind, " ", "-"), s.count)
}
