package app

import (
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// gcPercent is how much garbage there may be beside what is in use. Most of that is
// caches, which stay: half of Go's default costs little time and spares much memory.
const gcPercent = 50

// spareMemory sets how much garbage there may be, unless somebody else has.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// returnMemory gives the system what the process does not need any more. Go does it by
// itself, but where a start has left a lot it takes minutes.
func returnMemory() { go debug.FreeOSMemory() }

// firstLatency does something once, after the first observation. Of listings that is
// when the first was worked off: what follows takes less memory.
type firstLatency struct {
	metrics.LatencyMetric
	once sync.Once
	then func()
}

func (l *firstLatency) Observe(d time.Duration) {
	l.LatencyMetric.Observe(d)
	l.once.Do(l.then)
}
