package policy

import "time"

// WatchClock measures watched time: for how long the cluster that answers has been
// listed completely. It is advanced in one place, where a complete listing ends, and
// begins anew when another cluster answers. What nobody watched does not count: after
// a pause it grows by what a pause between two listings may be, not by the pause.
//
//	complete:      yes    yes    no     no     yes    other   yes    yes
//	watched time:  0      5 s    -      -      20 s   -       0      5 s
//
// A process that is frozen in a listing, or an answer that hangs, makes one listing long: that
// is a pause like any other. Listings that are long for what there is to list are so twice.
//
// Invariant: ended is zero exactly while no complete listing of this span has ended.
type WatchClock struct {
	Interval time.Duration // from listing to listing

	Cluster string        // that answered last, "" if it refused to tell
	Span    int           // how many clusters have answered, one after the other
	total   time.Duration // watched in this span
	ended   time.Time     // when its last complete listing did
	length  time.Duration // of that listing
}

// WatchPoint is a point in watched time. The zero value is none: nothing is watched.
type WatchPoint struct {
	span int
	at   time.Duration
}

// The longest pause between two complete listings that counts as watched: so many
// intervals, or so many times the length of the shorter of the two.
const (
	watchedIntervals = 3
	watchedLengths   = 2
)

// Heard takes note of which cluster has answered, in a listing or beside a question.
func (c *WatchClock) Heard(cluster string) {
	if c.Span > 0 && c.Cluster == cluster {
		return
	}
	c.Cluster, c.total, c.ended = cluster, 0, time.Time{}
	c.Span++
}

// Completed takes note of the end of a complete listing.
func (c *WatchClock) Completed(begun, ended time.Time, cluster string) {
	c.Heard(cluster)
	length := ended.Sub(begun)
	if !c.ended.IsZero() {
		c.total += min(ended.Sub(c.ended), max(watchedIntervals*c.Interval, watchedLengths*min(length, c.length)))
	}
	c.ended, c.length = ended, length
}

// Now is the point that was reached with the last complete listing.
func (c *WatchClock) Now() WatchPoint {
	if c.ended.IsZero() {
		return WatchPoint{}
	}
	return WatchPoint{c.Span, c.total}
}

// Since is the watched time from an earlier point to this one. False if nothing is
// watched, or another cluster has answered in between.
func (p WatchPoint) Since(earlier WatchPoint) (time.Duration, bool) {
	if p.span == 0 || p.span != earlier.span {
		return 0, false
	}
	return p.at - earlier.at, true
}
