package main

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/record"
)

type answers []string // dates; "": none

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	if len(*a) == 0 {
		return nil, errors.New("no answer")
	}
	date := (*a)[0]
	*a = (*a)[1:]
	return &http.Response{Header: http.Header{"Date": {date}}}, nil
}

// Of this machine's clock and the API server's the later one counts.
func TestClock(t *testing.T) {
	t.Parallel()
	date := func(ahead time.Duration) string { return time.Now().Add(ahead).UTC().Format(http.TimeFormat) }
	for name, tc := range map[string]struct {
		ahead []time.Duration // of the API server's
		dates []string        // instead
		want  time.Duration
	}{
		"no answer":                         {},
		"the same":                          {ahead: []time.Duration{0}},
		"this one is behind":                {ahead: []time.Duration{10 * time.Minute}, want: 10 * time.Minute},
		"this one is ahead":                 {ahead: []time.Duration{-10 * time.Minute}},
		"an answer that is old":             {ahead: []time.Duration{10 * time.Minute, time.Minute}, want: 10 * time.Minute},
		"no date, or none that can be read": {dates: []string{"", "noon"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, all := &clock{}, answers(tc.dates)
				for _, ahead := range tc.ahead {
					all = append(all, date(ahead))
				}
				for n := len(all); n >= 0; n-- { // the last is not answered
					if resp, err := c.transport(&all).RoundTrip(&http.Request{}); (err == nil) != (n > 0) || err == nil && resp == nil {
						t.Errorf("%v, %v", resp, err)
					}
				}
				if got := time.Until(c.now()); got != tc.want {
					t.Errorf("%v ahead, want %v", got, tc.want)
				}
			})
		})
	}
}

// By a clock that is behind, what is old is not new.
func TestOldByTheServersClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cli{}
		c.clock.note(time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat))
		old := evidence{beat: record.Heartbeat{Cluster: "c1", Completed: time.Now(), Recorded: time.Now()}, lease: "there"}
		_, doubts, err := c.settled(t.Context(), func() (evidence, error) { return old, nil })
		if err != nil || len(doubts) != 1 || doubts[0] != "StorageOS was last listed completely 10m0s ago by the Lease in namespace there (--controller-namespace)" {
			t.Errorf("%q, %v", doubts, err)
		}
	})
}
