package app

import (
	"testing"
	"time"
)

// observed is every latency that was observed.
type observed []time.Duration

func (o *observed) Observe(d time.Duration) { *o = append(*o, d) }

// Memory is given back once, and everything is observed.
func TestFirstLatency(t *testing.T) {
	t.Parallel()
	all, times := &observed{}, 0
	l := &firstLatency{LatencyMetric: all, then: func() { times++ }}
	if times != 0 {
		t.Error("it was done before anything was observed")
	}
	for d := range 3 {
		l.Observe(time.Duration(d))
	}
	if times != 1 || len(*all) != 3 {
		t.Errorf("it was done %d times, %d latencies were observed", times, len(*all))
	}
}
