package controller

import "sync"

// fewFailures is how often in a row an ID fails until it counts as one that cannot be written: a
// conflict with somebody else is over with the next try.
const fewFailures = 3

// failing knows the IDs that fail again and again, whatever the reason: what is known of them is
// not in their records. The zero value knows none.
type failing struct {
	mu    sync.Mutex
	times map[string]int
	many  int // that have failed more than a few times
}

// note takes note of how a try has ended.
func (f *failing) note(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := f.times[id]; {
	case err == nil:
		if delete(f.times, id); n >= fewFailures {
			f.many--
		}
		if len(f.times) == 0 {
			f.times = nil // all may have been in it
		}
	case f.times == nil:
		f.times = map[string]int{id: 1}
	default:
		if f.times[id] = n + 1; n+1 == fewFailures {
			f.many++
		}
	}
}

// often are the IDs that have failed more than a few times, all at one moment.
func (f *failing) often() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.many == 0 {
		return nil
	}
	all := make(map[string]bool, f.many)
	for id, n := range f.times {
		if n >= fewFailures {
			all[id] = true
		}
	}
	return all
}
