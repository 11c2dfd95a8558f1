package cache

import (
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// recordSum keeps the sum of the records that name volumes, so that nobody has to go through all
// of them at each listing.
type recordSum struct {
	mu   sync.Mutex
	all  record.Sum
	new  map[state.UID]int64 // when those were made that a listing may end too soon after
	last time.Time           // the latest time that it was asked for
}

// change takes note that a record has taken the place of another.
func (s *recordSum) change(old, obj *state.Record, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil && old.NamesVolume() {
		s.all -= record.SumOfOne(old.UID.Text())
		delete(s.new, old.UID)
	}
	if obj == nil || !obj.NamesVolume() {
		return
	}
	s.all += record.SumOfOne(obj.UID.Text())
	s.remember(obj, now)
}

// remember keeps when a record was made if that is too young. The caller holds the lock.
func (s *recordSum) remember(rec *state.Record, now time.Time) {
	if !record.TooYoung(rec.Created, now) {
		return
	}
	if s.new == nil {
		s.new = map[state.UID]int64{}
	}
	s.new[rec.UID] = rec.Created
}

// of is the sum for a listing that was completed then, which is not before any change. If the
// clock was set back, records that were old are young again: then all are gone through.
func (s *recordSum) of(completed time.Time, records func() []*state.Record) record.Sum {
	s.mu.Lock()
	defer s.mu.Unlock()
	if completed.Round(0).Before(s.last) {
		for _, rec := range records() {
			if rec.NamesVolume() {
				s.remember(rec, completed)
			}
		}
	}
	s.last = completed.Round(0) // of the clock that people read
	sum := s.all
	for uid, created := range s.new {
		if record.TooYoung(created, completed) {
			sum -= record.SumOfOne(uid.Text())
		} else {
			delete(s.new, uid)
		}
	}
	if len(s.new) == 0 {
		s.new = nil // a first start has had all in it
	}
	return sum
}
