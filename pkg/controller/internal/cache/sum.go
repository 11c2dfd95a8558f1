package cache

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// recordSum keeps the sum of the records that name volumes, so that nobody has to go through all
// of them at each listing.
type recordSum struct {
	mu  sync.Mutex
	all record.Sum
	new map[types.UID]int64 // when those were made that a listing may end too soon after
}

// change takes note that a record has taken the place of another.
func (s *recordSum) change(old, obj *state.Record, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil && old.NamesVolume() {
		s.all -= record.SumOfOne(old.UID)
		delete(s.new, old.UID)
	}
	if obj == nil || !obj.NamesVolume() {
		return
	}
	s.all += record.SumOfOne(obj.UID)
	if record.TooYoung(obj.Created, now) {
		if s.new == nil {
			s.new = map[types.UID]int64{}
		}
		s.new[obj.UID] = obj.Created
	}
}

// of is the sum for a listing that was completed then, which is not before any change or any
// listing of before.
func (s *recordSum) of(completed time.Time) record.Sum {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.all
	for uid, created := range s.new {
		if record.TooYoung(created, completed) {
			sum -= record.SumOfOne(uid)
		} else {
			delete(s.new, uid)
		}
	}
	if len(s.new) == 0 {
		s.new = nil // a first start has had all in it
	}
	return sum
}
