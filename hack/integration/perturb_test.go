package integration

import (
	"cmp"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// One in so many of the perturbed runs is made: always the same ones. 1 makes all.
var (
	perturbOneIn  = flag.Uint("perturb-one-in", 60, "make one in so many of the perturbed runs of TestPerturb")
	perturbReport = flag.String("perturb-report", "", "write the table of TestPerturb to this file")
)

// Each reference run is made once as it is, which tells what it writes, and then once for
// each of these writes and each perturbation. Whatever is done at whatever point: no record
// of a volume that is there is deleted, nobody writes who has read that the Lease is not his,
// and in the end everything is right and nothing is written any more.
//
// A run that fails is made again, with all others of its story, by
//
//	go test -run 'TestPerturb/(references|runs)/<the story>' -perturb-one-in 1
func TestPerturb(t *testing.T) {
	t.Parallel()
	report := &perturbations{}
	points := make(map[string][]point)
	var mu sync.Mutex
	t.Run("references", func(t *testing.T) {
		for _, s := range stories {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				recorded := newTrial(t, s, point{}, perturbation{}).make()
				if len(recorded) == 0 {
					t.Fatal("it writes nothing")
				}
				mu.Lock()
				defer mu.Unlock()
				points[s.name] = recorded
				report.recorded(s.name, len(recorded))
			})
		}
	})
	t.Run("runs", func(t *testing.T) {
		for _, s := range stories {
			for _, at := range points[s.name] {
				for _, how := range perturbationsOf {
					name := strings.ReplaceAll(strings.Join([]string{s.name, at.String(), how.name}, ": "), "/", "|")
					if !chosen(name) {
						continue
					}
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						tr := newTrial(t, s, at, how)
						t.Cleanup(func() { report.made(tr) })
						tr.make()
					})
				}
			}
		}
	})
	t.Log("\n" + report.table())
	if *perturbReport != "" {
		if err := os.WriteFile(*perturbReport, []byte(report.table()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

func chosen(name string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it never fails
	return uint(h.Sum32())%max(*perturbOneIn, 1) == 0
}

// perturbations count what was made of each story and perturbation.
type perturbations struct {
	mu     sync.Mutex
	points map[string]int // of each story
	counts map[[2]string]*perturbed
}

type perturbed struct {
	runs, met, failed int
	longest           time.Duration // until everything was right
}

func (p *perturbations) recorded(story string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.points == nil {
		p.points = map[string]int{}
	}
	p.points[story] = n
}

func (p *perturbations) made(tr *trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts == nil {
		p.counts = map[[2]string]*perturbed{}
	}
	key := [2]string{tr.story.name, tr.how.name}
	if p.counts[key] == nil {
		p.counts[key] = &perturbed{}
	}
	c := p.counts[key]
	c.runs++
	if tr.wasMet() {
		c.met++
	}
	if tr.e.t.Failed() {
		c.failed++
	}
	c.longest = max(c.longest, tr.healed)
}

// table has a row for each story and perturbation. A point that was recorded may not be met
// when the run is made again: an event less, or two changes in one write.
func (p *perturbations) table() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rows []string
	total := perturbed{}
	for key, c := range p.counts {
		rows = append(rows, fmt.Sprintf("| %s | %d | %s | %d | %d | %d | %v |\n", key[0], p.points[key[0]], key[1], c.runs, c.met, c.failed, c.longest.Round(100*time.Millisecond)))
		total.runs += c.runs
		total.met += c.met
		total.failed += c.failed
		total.longest = max(total.longest, c.longest)
	}
	slices.SortFunc(rows, cmp.Compare[string])
	points := 0
	for _, n := range p.points {
		points += n
	}
	return "| run | points | perturbation | made | point met | violations | right again after, at most |\n|---|---|---|---|---|---|---|\n" +
		strings.Join(rows, "") +
		fmt.Sprintf("| all | %d | | %d | %d | %d | %v |\n", points, total.runs, total.met, total.failed, total.longest.Round(100*time.Millisecond))
}
