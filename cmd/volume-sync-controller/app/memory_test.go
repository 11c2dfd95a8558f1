package app

import (
	"sync"
	"testing"
	"time"
)

// observed is every latency that was observed.
type observed []time.Duration

func (o *observed) Observe(d time.Duration) { *o = append(*o, d) }

// Memory is given back once, everything is observed, and the last is known.
func TestLatency(t *testing.T) {
	t.Parallel()
	all, times := &observed{}, 0
	l := &latency{LatencyMetric: all, first: sync.OnceFunc(func() { times++ })}
	if times != 0 {
		t.Error("it was done before anything was observed")
	}
	for d := range 3 {
		l.Observe(time.Duration(d))
	}
	if times != 1 || len(*all) != 3 || l.last.Load() != 2 {
		t.Errorf("it was done %d times, %d latencies were observed, the last is %d", times, len(*all), l.last.Load())
	}
}
