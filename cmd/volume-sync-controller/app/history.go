package app

import (
	"math"
	"sync"
	"time"
)

const (
	// samplePause is the time from one sample to the next.
	samplePause = 30 * time.Second
	// maxSamples are an hour of them.
	maxSamples = int(time.Hour / samplePause)
)

// healths are the places in a sample's volumes, the worst first.
const (
	offline = iota
	unknown
	degraded
	healthy
	healths
)

// sample is how the controller was at one moment: as small numbers, since an hour of them is
// kept.
type sample struct {
	at      uint32 // Unix seconds
	known   bool   // a listing was complete not long ago; if not, the rest is 0
	poll    uint32 // the slowest since the sample before, in milliseconds
	held    uint32 // records whose deletion is held back
	volumes [healths]uint32
}

func (s *sample) time() time.Time { return time.Unix(int64(s.at), 0) }

// history is the last hour, of a size that is fixed.
type history struct {
	mu    sync.Mutex
	since int64 // when this process began to lead, Unix seconds; 0: it does not
	next  int   // place of the next sample
	n     int   // how many there are
	ring  [maxSamples]sample
}

// begin forgets what was: another process may have led since.
func (h *history) begin(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since, h.next, h.n = now.Unix(), 0, 0
}

// add keeps a sample, for the oldest if there is an hour of them.
func (h *history) add(s sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring[h.next] = s
	h.next = (h.next + 1) % maxSamples
	h.n = min(h.n+1, maxSamples)
}

// samples are those that are kept, the oldest first, and since when there could be some: zero
// if this process does not lead.
func (h *history) samples() (all []sample, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.n {
		all = append(all, h.ring[(h.next-h.n+i+maxSamples)%maxSamples])
	}
	if h.since != 0 {
		since = time.Unix(h.since, 0)
	}
	return all, since
}

// counted is a number in a sample: a huge one as the largest that it can hold.
func counted(n int) uint32 { return uint32(min(max(int64(n), 0), math.MaxUint32)) }
