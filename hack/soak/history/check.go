// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package history

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Moment is for how long a request is on its way: what happens at both ends of it is seen in
// its middle.
const Moment = 500 * time.Millisecond

// Late is for how long an answer and the request that comes after it may be on their way where
// the machine has much else to do: a process that goes on does so for longer.
const Late = 2 * time.Second

// Violation is an event that breaks a rule.
type Violation struct {
	Rule  string
	Event Event
	// Stretch is what led to it: what concerns its volume or its process since the volume
	// was there for the last time.
	Stretch []Event
}

// Check returns the violations in a history. It wants the events in the order of their times.
func Check(events []Event) []Violation {
	c := &checker{
		volumes: map[key]*volume{}, missing: map[string]time.Time{}, lastAsked: map[string]Event{},
		named: map[string][]Event{}, owners: map[string]string{}, renewed: map[string]time.Time{}, told: map[string]time.Time{}, records: map[string][]string{},
	}
	for i, e := range events {
		for _, rule := range c.see(e) {
			c.found = append(c.found, Violation{rule, e, stretch(events[:i+1], e)})
		}
	}
	return c.found
}

// key is a volume of a cluster.
type key struct{ cluster, id string }

// volume is since when a cluster has a volume, or its lists lack it.
type volume struct {
	there bool
	since time.Time
}

type checker struct {
	settings  Settings
	volumes   map[key]*volume
	missing   map[string]time.Time // since when lists lack volumes that were lost with many others
	lastAsked map[string]Event     // the last question for a volume that was answered by 404
	named     map[string][]Event   // the last answers of clusters to each process
	renewed   map[string]time.Time // when each process has begun to renew the Lease for the last time
	told      map[string]time.Time // since when each process knows that the Lease is not its own
	records   map[string][]string  // UIDs of the records of each volume
	owners    map[string]string    // the volume of each record, by the record's UID
	hidden    hidden
	found     []Violation
}

// hidden is since when lists lack volumes that are there. Who reads them cannot tell these
// from volumes that have gone: if one goes meanwhile, it was absent before.
type hidden struct {
	faults int       // that hide volumes now
	since  time.Time // when the first of them began
	ended  time.Time // when the last one did
}

// see takes note of the begin and the end of a fault.
func (h *hidden) see(e Event) {
	switch {
	case !e.Hides:
	case e.Kind == Healed:
		if h.faults--; h.faults == 0 {
			h.ended = e.At
		}
	default:
		if h.faults++; h.faults == 1 && e.At.Sub(h.ended) > Late { // or no list has shown them in between
			h.since = e.At
		}
	}
}

// absent is since when lists lack a volume that went at a time.
func (h *hidden) absent(went time.Time) time.Time {
	if h.faults > 0 && h.since.Before(went) || h.faults == 0 && !h.ended.IsZero() && went.Sub(h.ended) < Late {
		return h.since
	}
	return went
}

// see takes note of an event, and returns the rules that it breaks.
func (c *checker) see(e Event) []string {
	switch e.Kind {
	case Began:
		c.settings = *e.Settings
	case Has:
		c.volumes[key{e.Cluster, e.Volume}] = &volume{true, e.At}
		delete(c.missing, e.Volume)
	case Lacks: // it went after the last look that showed it
		c.volumes[key{e.Cluster, e.Volume}] = &volume{false, c.hidden.absent(e.Begun)}
	case Missing:
		for _, id := range e.Volumes {
			c.missing[id] = c.hidden.absent(e.At)
		}
	case Fault, Healed:
		c.hidden.see(e)
	case Answers:
		c.named[e.Process] = append(c.named[e.Process], e)
	case Asked:
		if e.Code == http.StatusNotFound {
			c.lastAsked[e.Volume] = e
		}
	case Changed:
		return []string{"a StorageOS volume is never changed"}
	case Renewed:
		c.renewed[e.Process] = e.Begun
	case Told:
		if c.told[e.Process].IsZero() {
			c.told[e.Process] = e.At
		}
	case Wrote:
		return slices.Concat(c.fence(e), c.verbs(e), c.deletion(e))
	case Came:
		c.owners[e.UID] = e.Volume
		if !slices.Contains(c.records[e.Volume], e.UID) {
			c.records[e.Volume] = append(c.records[e.Volume], e.UID)
		}
		if len(c.records[e.Volume]) > 1 {
			return []string{"a volume has one record"}
		}
	case Went:
		c.records[e.Volume] = slices.DeleteFunc(c.records[e.Volume], func(uid string) bool { return uid == e.UID })
	case Wrong:
		return []string{"every record is true when the faults have ended"}
	}
	return nil
}

// fence: who does not hold the Lease writes nothing.
func (c *checker) fence(e Event) []string {
	var broken []string
	if renewed := c.renewed[e.Process]; e.Begun.Sub(renewed) > c.settings.Lease-time.Second+Late {
		broken = append(broken, "no write begins later than the last renewal of the Lease and its duration less a second")
	}
	if told := c.told[e.Process]; !told.IsZero() && e.Begun.Sub(told) > Late {
		broken = append(broken, "who has read that the Lease is not his own writes no more")
	}
	return broken
}

// verbs: records are created, patched and deleted, but for the first status.
func (c *checker) verbs(e Event) []string {
	switch e.Verb {
	case "create", "patch", "patch status", "update status", "delete":
		return nil
	}
	return []string{"a record is created, patched or deleted"}
}

// deletion: only the record of a volume that is proven gone is deleted.
func (c *checker) deletion(e Event) []string {
	if e.Verb != "delete" || e.Code == http.StatusNotFound || e.Code == http.StatusConflict {
		return nil
	}
	if e.UID == "" || e.Version == "" {
		return []string{"a deletion has the UID and the resourceVersion as preconditions"}
	}
	var broken []string
	if e.Volume == "" { // whoever wrote it down could not read the record
		e.Volume = c.owners[e.UID]
	}
	v := c.volume(e.Cluster, e.Volume)
	if v.there && e.Begun.Sub(v.since) > 2*Moment {
		return append(broken, "the record of a volume that is there is not deleted")
	}
	if !v.there && e.Begun.Sub(v.since) < c.settings.Grace {
		broken = append(broken, "a volume is absent for the grace before its record is deleted")
	}
	asked := c.lastAsked[e.Volume]
	switch {
	case asked.Begun.IsZero() || asked.At.After(e.Begun.Add(Moment)) || asked.Process != e.Process:
		broken = append(broken, "StorageOS has said 404 to the same process before a record is deleted")
	case e.Cluster != "" && !c.between(asked, e):
		broken = append(broken, "the 404 is between two answers of the cluster that the record names")
	}
	if lost := c.missing[e.Volume]; !lost.IsZero() && e.Begun.Sub(lost) < c.settings.Hold {
		broken = append(broken, "many deletions at once that nothing explains are held")
	}
	return broken
}

// volume is what is known of a volume of a cluster; of any, if the record is not known to name
// one. A cluster that never had it lacks it.
func (c *checker) volume(cluster, id string) *volume {
	if v := c.volumes[key{cluster, id}]; v != nil {
		return v
	}
	if cluster == "" {
		for k, v := range c.volumes {
			if k.id == id {
				return v
			}
		}
	}
	return &volume{}
}

// between tells whether the cluster that a record names has named itself before and after a
// question, to the process that has deleted the record.
func (c *checker) between(asked, deleted Event) bool {
	before, after := "", ""
	for _, e := range c.named[deleted.Process] {
		if !e.At.After(asked.Begun) {
			before = e.Cluster
		}
		if after == "" && !e.Begun.Before(asked.At) && !e.At.After(deleted.Begun.Add(Moment)) {
			after = e.Cluster
		}
	}
	return before == deleted.Cluster && after == deleted.Cluster
}

// stretch returns what concerns the volume or the process of the last event, since the volume
// was there for the last time.
func stretch(events []Event, last Event) []Event {
	from := last.At.Add(-time.Minute)
	for _, e := range events {
		if e.Kind == Has && e.Volume == last.Volume && last.Volume != "" {
			from = e.At
		}
	}
	var out []Event
	for _, e := range events {
		about := e.Volume != "" && e.Volume == last.Volume || slices.Contains(e.Volumes, last.Volume)
		whole := e.Kind == Fault || e.Kind == Healed || e.Kind == Began
		theirs := e.Process == last.Process && (e.Kind == Renewed || e.Kind == Told || e.Kind == Answers)
		if about || (whole || theirs) && !e.At.Before(from) {
			out = append(out, e)
		}
	}
	const most = 60
	return out[max(0, len(out)-most):]
}

// String shows a violation and what led to it.
func (v Violation) String() string {
	text := fmt.Sprintf("broken: %s\nby %v\nwhat led to it:\n", v.Rule, v.Event)
	for _, e := range v.Stretch {
		text += "  " + e.String() + "\n"
	}
	return text
}
