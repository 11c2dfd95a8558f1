package controller

import (
	"sync"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// backlog knows the records that do not say what is known of their volumes, or may not, and as
// of when each was last right. The zero value knows none.
type backlog struct {
	mu    sync.Mutex
	looks uint64
	right map[string]lastRight // by volume ID
}

// lastRight is as of when a record was last right.
type lastRight struct {
	completed uptime // when the last complete listing then had begun; 0: there was none
	look      uint64 // the latest that did not find it right
}

// look numbers a look at a volume that begins now: a later one sees what an earlier one has.
func (b *backlog) look() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	return b.looks
}

// note takes note of how the record of a volume stands by a look at it, when the last complete
// listing had begun at that time. What is of the past is right as of none. What was wrong once is
// so until a later look finds it right, whatever is known meanwhile.
func (b *backlog) note(id string, look uint64, is policy.Standing, completed uptime) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, known := b.right[id]
	if is == policy.Past {
		completed, known = 0, false
	}
	switch {
	case is == policy.Unsure || look < was.look:
	case is == policy.Right:
		if delete(b.right, id); len(b.right) == 0 {
			b.right = nil // a first start has had all in it
		}
	case known:
		b.right[id] = lastRight{was.completed, look}
	case b.right == nil:
		b.right = map[string]lastRight{id: {completed, look}}
	default:
		b.right[id] = lastRight{completed, look}
	}
}

// lost takes note that a record has gone: unless its volume has gone too, what was recorded once
// is so no more.
func (b *backlog) lost(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was, known := b.right[id]; known {
		b.right[id] = lastRight{0, was.look}
	}
}

// oldest is the time as of which every record is right, but for those that count otherwise: the
// begin of a complete listing, that of the last one or an earlier one. Nobody knows when in a
// listing a volume was looked up. 0 if it is that of none.
func (b *backlog) oldest(completed uptime, otherwise func(id string) bool) uptime {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, right := range b.right {
		switch {
		case otherwise(id):
		case right.completed == 0:
			return 0
		default:
			completed = min(completed, right.completed)
		}
	}
	return completed
}
