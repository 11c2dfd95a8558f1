package controller

import (
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// backlog knows the records that do not say what is known of their volumes, or may not, and as
// of when each was last right. The zero value knows none.
type backlog struct {
	mu    sync.Mutex
	right map[string]int64 // by volume ID: end of the last complete listing then, Unix nanoseconds; 0: there was none
}

// note takes note of how the record of a volume stands, when a complete listing has last ended
// at that time. What was wrong once is so until it is right, whatever is known meanwhile.
func (b *backlog) note(id string, is policy.Standing, completed time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.right[id]
	switch {
	case is == policy.Unsure:
	case is == policy.Right:
		if delete(b.right, id); len(b.right) == 0 {
			b.right = nil // a first start has had all in it
		}
	case known:
	case b.right == nil:
		b.right = map[string]int64{id: nanoseconds(completed)}
	default:
		b.right[id] = nanoseconds(completed)
	}
}

// oldest is the time as of which every record is right, but for those that count otherwise: of
// a complete listing, or the zero time if that of none is.
func (b *backlog) oldest(completed time.Time, otherwise func(id string) bool) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, right := range b.right {
		switch {
		case otherwise(id):
		case right == 0:
			return time.Time{}
		case right < nanoseconds(completed):
			completed = time.Unix(0, right)
		}
	}
	return completed
}

// nanoseconds is 0 for the zero time.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
