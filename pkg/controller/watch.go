package controller

import "time"

// watchClock measures watched time: for how long the cluster that answers has been
// listed completely. It is advanced in one place, where a complete listing ends, and
// begins anew when another cluster answers. What nobody watched does not count: after
// a pause it grows by what a pause between two listings may be, not by the pause.
//
//	listings:      [ ]    [ ]    error  error  [ ]    other   [ ]    [ ]
//	watched time:  0      5 s    -      -      20 s   -       0      5 s
//
// A process that is frozen in a listing, or an answer that hangs, makes one listing long: that
// is a pause like any other. Listings that are long for what there is to list are so twice.
//
// Invariant: ended is zero exactly while no complete listing of this span has ended.
type watchClock struct {
	interval time.Duration // from listing to listing

	cluster string        // that answered last, "" if it refused to tell
	span    int           // how many clusters have answered, one after the other
	total   time.Duration // watched in this span
	ended   time.Time     // when its last complete listing did
	length  time.Duration // of that listing
}

// watchPoint is a point in watched time. The zero value is none: nothing is watched.
type watchPoint struct {
	span int
	at   time.Duration
}

// The longest pause between two complete listings that counts as watched: so many
// intervals, or so many times the length of the shorter of the two.
const (
	watchedIntervals = 3
	watchedLengths   = 2
)

// heard takes note of which cluster has answered, in a listing or beside a question.
func (c *watchClock) heard(cluster string) {
	if c.span > 0 && c.cluster == cluster {
		return
	}
	c.cluster, c.total, c.ended = cluster, 0, time.Time{}
	c.span++
}

// completed takes note of the end of a complete listing.
func (c *watchClock) completed(l *listing) {
	c.heard(l.cluster)
	length := l.ended.Sub(l.begun)
	if !c.ended.IsZero() {
		c.total += min(l.ended.Sub(c.ended), max(watchedIntervals*c.interval, watchedLengths*min(length, c.length)))
	}
	c.ended, c.length = l.ended, length
}

// now is the point that was reached with the last complete listing.
func (c *watchClock) now() watchPoint {
	if c.ended.IsZero() {
		return watchPoint{}
	}
	return watchPoint{c.span, c.total}
}

// since is the watched time from an earlier point to this one. False if nothing is
// watched, or another cluster has answered in between.
func (p watchPoint) since(earlier watchPoint) (time.Duration, bool) {
	if p.span == 0 || p.span != earlier.span {
		return 0, false
	}
	return p.at - earlier.at, true
}
