package controller

import (
	"fmt"
	"testing"
	"time"
)

// A record that has gone, which the watch does not tell, is missed, whatever comes meanwhile.
func TestHistoryMissingRecord(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.setPV(h.pvs["v0"], nil)
		h.listings(3)
		if doubts := h.doubts(); len(doubts) > 0 {
			t.Fatalf("at rest: %v", doubts)
		}
		h.records.store(h.records.records["v0"], nil)
		h.leader.recordsTold = len(h.records.history) // the watch is quiet
		h.listings(2)
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.setPV(nil, boundPV("x", "x"))
		h.readEarly()
		for range 4 {
			if len(h.records.records) != 3 || len(h.doubts()) == 0 {
				t.Errorf("%d records are believed: %+v", len(h.records.records), h.leader.Listing())
			}
			h.listings(1)
		}
	})
}

// While volumes are made all the time it can be told every few seconds that all is recorded,
// whether they are read early or not.
func TestHistoryTallyWhileVolumesCome(t *testing.T) {
	t.Parallel()
	const step = 100 * time.Millisecond
	for _, early := range []bool{true, false} {
		for _, every := range []time.Duration{200 * time.Millisecond, time.Second, 4 * time.Second} {
			t.Run(fmt.Sprintf("early reads %t, one in %v", early, every), func(t *testing.T) {
				t.Parallel()
				told(t, 3, func(s *Settings) { s.EarlyReads = early }, func(h *history) {
					doubted := 0
					for n := range 600 {
						if n%int(every/step) == 0 {
							id := fmt.Sprint("x", n)
							h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
							h.setPV(nil, boundPV(id, id))
						}
						if n%50 == 0 {
							h.poll(h.leader)
						}
						h.tell(h.leader, -1)
						if early {
							h.leader.early.reader.ReadDue(h.ctx)
						}
						h.work(h.leader, 100)
						if n%10 == 9 { // drain-check looks every second
							if doubted++; len(h.doubts()) == 0 {
								doubted = 0
							}
							if doubted > 2 {
								t.Fatalf("it was in doubt for %d s: %v", doubted, h.doubts())
							}
						}
						h.sleep(step)
					}
				})
			})
		}
	}
}
