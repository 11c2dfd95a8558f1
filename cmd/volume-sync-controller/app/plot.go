package app

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The size of a plot, in its own units: the page stretches it.
const (
	plotWidth  = 720
	plotHeight = 100
	// plotLeast is how high is drawn what is there at all: two volumes of 100,000 are to be
	// seen too.
	plotLeast = 3
)

// plot is a part of the history as a drawing and in words.
type plot struct {
	Title    string
	Words    string // all that it shows, for those who do not see it
	Most     string // what its height stands for
	From, To time.Time
	Gaps     string // path of the times of which nothing is known
	Bands    []band // one upon the other, the first at the bottom
}

// band is the path of one kind of what is drawn.
type band struct {
	Name, Last, Class, Path string
}

// drawn is what a plot draws of samples: of each, so many of each kind.
type drawn struct {
	title string
	kinds []string // with more than one, each is told by its name
	class []string
	of    func(sample) []uint32
	say   func(uint32) string
}

var drawings = []drawn{{
	title: "Volumes by health", kinds: []string{"Offline", "Unknown", "Degraded", "Healthy"}, class: []string{"offline", "unknown", "degraded", "healthy"},
	of: func(s sample) []uint32 { return s.volumes[:] }, say: number,
}, {
	title: "Length of polls", kinds: []string{""}, class: []string{"poll"},
	of: func(s sample) []uint32 { return []uint32{s.poll} }, say: milliseconds,
}, {
	title: "Records held back", kinds: []string{""}, class: []string{"held"},
	of: func(s sample) []uint32 { return []uint32{s.held} }, say: number,
}}

// plots draws samples, the oldest first, with times as in that place. There are none without
// samples.
func plots(samples []sample, in *time.Location) []plot {
	slots := slotsOf(samples)
	if len(slots) == 0 {
		return nil
	}
	var all []plot
	for _, d := range drawings {
		p := plot{Title: d.title, Gaps: gaps(slots), From: slots[0].from.In(in), To: slots[len(slots)-1].to.In(in)}
		levels, most := stack(slots, d)
		p.Most = d.say(most)
		for k, kind := range d.kinds {
			is := "?"
			if last := slots[len(slots)-1]; last.known {
				is = d.say(d.of(last.sample)[k])
			}
			p.Bands = append(p.Bands, band{kind, is, d.class[k], area(slots, levels[k], levels[k+1])})
		}
		slices.Reverse(p.Bands) // what is well is named first, as everywhere
		p.Words = d.words(slots, in)
		all = append(all, p)
	}
	return all
}

// slot is the time that a sample stands for, or that lies between two, in which there was none.
type slot struct {
	sample
	from, to time.Time
	x0, x1   int
}

// slotsOf lays samples out in time: each stands for the time since the one before. One that
// the clock, set back, puts before that is left out.
func slotsOf(samples []sample) []slot {
	var slots []slot
	for _, s := range samples {
		at := s.time()
		from := at.Add(-samplePause)
		if n := len(slots); n > 0 {
			last := slots[n-1].to
			switch {
			case !at.After(last):
				continue
			case from.Sub(last) > samplePause/2: // the process stood still
				slots = append(slots, slot{from: last, to: from})
			default:
				from = last
			}
		}
		slots = append(slots, slot{sample: s, from: from, to: at})
	}
	for i := range slots {
		first, whole := slots[0].from, slots[len(slots)-1].to.Sub(slots[0].from)
		x := func(t time.Time) int { return int(t.Sub(first) * plotWidth / whole) }
		slots[i].x0, slots[i].x1 = x(slots[i].from), x(slots[i].to)
	}
	return slots
}

// stack puts the kinds upon each other: levels[k+1] are the heights of kind k's upper edge,
// slot by slot. Most is what the whole height stands for.
func stack(slots []slot, d drawn) (levels [][]int, most uint32) {
	sum := func(s slot) (n uint64) {
		for _, v := range d.of(s.sample) {
			n += uint64(v)
		}
		return n
	}
	highest := uint64(1)
	for _, s := range slots {
		highest = max(highest, sum(s))
		most = max(most, counted(int(sum(s))))
	}
	levels = make([][]int, len(d.kinds)+1)
	for k := range levels {
		levels[k] = make([]int, len(slots))
	}
	for i, s := range slots {
		heights, over := make([]int, len(d.kinds)), -int(sum(s)*plotHeight/highest)
		for k, v := range d.of(s.sample) {
			if v > 0 {
				heights[k] = max(plotLeast, int(uint64(v)*plotHeight/highest))
			}
			over += heights[k]
		}
		if over > 0 { // what was raised to be seen is taken from the highest
			k := slices.Index(heights, slices.Max(heights))
			heights[k] = max(plotLeast, heights[k]-over)
		}
		for k, h := range heights {
			levels[k+1][i] = levels[k][i] + h
		}
	}
	return levels, most
}

// area is the path of what lies between two edges, in steps. Where they meet there is none.
func area(slots []slot, lower, upper []int) string {
	var b strings.Builder
	for i := 0; i < len(slots); {
		if lower[i] == upper[i] {
			i++
			continue
		}
		end := i
		for end < len(slots) && lower[end] < upper[end] {
			end++
		}
		fmt.Fprintf(&b, "M%d %d", slots[i].x0, plotHeight-upper[i])
		for j := i; j < end; j++ {
			if j+1 == end || upper[j+1] != upper[j] {
				fmt.Fprintf(&b, "H%d", slots[j].x1)
				if j+1 < end {
					fmt.Fprintf(&b, "V%d", plotHeight-upper[j+1])
				}
			}
		}
		for j := end - 1; j >= i; j-- {
			if j == end-1 || lower[j] != lower[j+1] {
				fmt.Fprintf(&b, "V%d", plotHeight-lower[j])
			}
			if j == i || lower[j-1] != lower[j] {
				fmt.Fprintf(&b, "H%d", slots[j].x0)
			}
		}
		b.WriteByte('Z')
		i = end
	}
	return b.String()
}

// gaps is the path of the times of which nothing is known.
func gaps(slots []slot) string {
	none, all := make([]int, len(slots)), make([]int, len(slots))
	for i, s := range slots {
		if !s.known {
			all[i] = plotHeight
		}
	}
	return area(slots, none, all)
}

// words say what a plot shows.
func (d drawn) words(slots []slot, in *time.Location) string {
	var now, most []string
	last := slots[len(slots)-1]
	var blind time.Duration
	highest, when := make([]uint32, len(d.kinds)), make([]time.Time, len(d.kinds))
	for _, s := range slots {
		if !s.known {
			blind += s.to.Sub(s.from)
			continue
		}
		for k, v := range d.of(s.sample) {
			if v > highest[k] {
				highest[k], when[k] = v, s.to.In(in)
			}
		}
	}
	named := func(k int, n uint32) string { return strings.TrimSpace(d.say(n) + " " + d.kinds[k]) }
	for k := len(d.kinds) - 1; k >= 0; k-- {
		if n := d.of(last.sample)[k]; last.known && (n > 0 || k == len(d.kinds)-1) {
			now = append(now, named(k, n))
		}
		if highest[k] > 0 && (len(d.kinds) == 1 || k < len(d.kinds)-1) { // that many are well is no event
			most = append(most, "at most "+named(k, highest[k])+" at "+when[k].Format("15:04"))
		}
	}
	if len(now) == 0 {
		now = []string{"not known"}
	}
	text := fmt.Sprintf("%s over the last %s: at the end %s", d.title, strings.TrimPrefix(span(last.to.Sub(slots[0].from)), "1 "), strings.Join(append([]string{strings.Join(now, ", ")}, most...), "; "))
	if blind > 0 {
		text += "; not known for " + span(blind)
	}
	return text + "."
}

// span is a length of time as people say it.
func span(d time.Duration) string {
	switch minutes := int((d + time.Minute/2) / time.Minute); {
	case d < time.Minute:
		return fmt.Sprintf("%d seconds", int(d/time.Second))
	case minutes == 1:
		return "1 minute"
	case minutes == 60:
		return "1 hour"
	default:
		return fmt.Sprintf("%d minutes", minutes)
	}
}

func number(n uint32) string { return fmt.Sprint(n) }

// milliseconds are a length of time, as exact as it matters.
func milliseconds(n uint32) string {
	switch d := time.Duration(n) * time.Millisecond; {
	case d < time.Second:
		return fmt.Sprintf("%d ms", n)
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
}
