package policy

import (
	"testing"
	"time"
)

// Whoever answers is heard in every listing, complete or not, and beside each question.
func TestWatchClock(t *testing.T) {
	t.Parallel()
	type step struct {
		cluster string        // that a complete listing is of; with a length of -1 only heard
		pause   time.Duration // since the one before
		length  time.Duration
		want    time.Duration // watched; -1: nothing is
	}
	for name, steps := range map[string][]step{
		"every interval":             {{"a", 0, 0, 0}, {"a", 5 * time.Second, 0, 5 * time.Second}, {"a", 5 * time.Second, 0, 10 * time.Second}},
		"a pause of two":             {{"a", 0, 0, 0}, {"a", 10 * time.Second, 0, 10 * time.Second}},
		"a pause of hours":           {{"a", 0, 0, 0}, {"a", 10 * time.Hour, 0, 15 * time.Second}},
		"long listings":              {{"a", 0, time.Minute, 0}, {"a", time.Minute, time.Minute, time.Minute}, {"a", time.Hour, time.Minute, 3 * time.Minute}},
		"one stands still":           {{"a", 0, 0, 0}, {"a", time.Hour, time.Hour, 15 * time.Second}, {"a", 5 * time.Second, 0, 20 * time.Second}, {"a", time.Hour, 0, 35 * time.Second}},
		"they become long":           {{"a", 0, 0, 0}, {"a", time.Minute, time.Minute, 15 * time.Second}, {"a", time.Minute, time.Minute, 75 * time.Second}},
		"another cluster":            {{"a", 0, 0, 0}, {"b", 5 * time.Second, 0, 0}, {"a", 5 * time.Second, 0, 0}},
		"another is heard":           {{"a", 0, 0, 0}, {"a", 5 * time.Second, 0, 5 * time.Second}, {"b", time.Second, -1, -1}, {"a", time.Second, -1, -1}, {"a", time.Second, 0, 0}},
		"the same is heard":          {{"a", 0, 0, 0}, {"a", time.Second, -1, 0}, {"a", 4 * time.Second, 0, 5 * time.Second}},
		"one that does not tell":     {{"a", 0, 0, 0}, {"", 5 * time.Second, 0, 0}, {"", 5 * time.Second, 0, 5 * time.Second}, {"a", time.Second, 0, 0}},
		"nothing was ever listed":    {{"a", 0, -1, -1}, {"a", time.Hour, -1, -1}, {"a", time.Second, 0, 0}},
		"it does not tell, at first": {{"", 0, 0, 0}, {"", 5 * time.Second, 0, 5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := WatchClock{Interval: 5 * time.Second}
			now := noon
			from := WatchPoint{}
			for n, s := range steps {
				if now = now.Add(s.pause); s.length < 0 {
					c.Heard(s.cluster)
				} else {
					c.Completed(now.Add(-s.length), now, s.cluster)
				}
				if _, ok := c.Now().Since(from); !ok {
					from = c.Now()
				}
				got, ok := c.Now().Since(from)
				if !ok {
					got = -1
				}
				if got != s.want {
					t.Errorf("after step %d: %v was watched, want %v", n, got, s.want)
				}
			}
		})
	}
}
