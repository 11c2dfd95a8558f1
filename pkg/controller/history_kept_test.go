package controller

import (
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// With deletions switched off a record whose volume is proven gone stays, and is no reason not to
// believe the others, until anything about it is otherwise.
func TestHistoryKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		then    func(*history)
		doubted bool // at once
		kept    bool // in the end
	}{
		"it stays so":                      {func(h *history) { h.polls(12 * 60) }, false, true},
		"another goes":                     {func(h *history) { h.api.Lists["one"] = []string{"v2 1"}; h.polls(1) }, true, true},
		"it is listed again, as another":   {func(h *history) { h.api.Lists["one"] = []string{"v0 2 offline", "v1 1", "v2 1"}; h.poll(h.leader) }, true, false},
		"it is listed again, as it was":    {func(h *history) { h.api.Lists["one"] = []string{"v0 1", "v1 1", "v2 1"}; h.poll(h.leader) }, true, false},
		"a hand takes its mark":            {func(h *history) { h.edit("v0", func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationAbsentSince) }) }, true, true},
		"a hand deletes its record":        {func(h *history) { h.records.store(h.records.records["v0"], nil) }, true, false},
		"another process leads":            {func(h *history) { h.lead(); h.polls(1) }, true, true},
		"another one that is well changes": {func(h *history) { h.api.Lists["one"][0] = "v1 2 offline"; h.pollFor(90 * h.settings.PollInterval) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
				h.polls(20)
				h.api.Lists["one"] = []string{"v1 1", "v2 1"}
				for range 3 {
					h.polls(1)
					if len(h.doubts()) == 0 {
						t.Errorf("it is believed before it is proven: %+v", h.leader.Listing())
					}
				}
				h.polls(20)
				if doubts := h.doubts(); len(doubts) > 0 || h.leader.Listing().Kept == 0 {
					t.Fatalf("it is proven gone: %v, %+v", doubts, h.leader.Listing())
				}
				tc.then(h)
				if doubts := h.doubts(); (len(doubts) > 0) != tc.doubted {
					t.Errorf("at once: %v, %+v", doubts, h.leader.Listing())
				}
				h.polls(60)
				if doubts := h.doubts(); len(doubts) > 0 || (h.leader.Listing().Kept != 0) != tc.kept {
					t.Errorf("in the end: %v, %+v", doubts, h.leader.Listing())
				}
			})
		})
	}
}
