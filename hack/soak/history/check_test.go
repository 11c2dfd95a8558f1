package history

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	cluster = "cluster"
	grace   = 2 * time.Second
	hold    = 20 * time.Second
	lease   = 5 * time.Second
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at is an event so many seconds after the beginning; a request takes no time.
func at(seconds float64, e Event) Event {
	e.At = begun.Add(time.Duration(seconds * float64(time.Second)))
	e.Begun = e.At
	return e
}

func has(seconds float64) Event {
	return at(seconds, Event{Kind: Has, Volume: "v", Cluster: cluster})
}

func lacks(seconds float64) Event {
	return at(seconds, Event{Kind: Lacks, Volume: "v", Cluster: cluster})
}

// seenLate is a volume that was there at the first time and no more at the second.
func seenLate(there, lacking float64) Event {
	e := lacks(lacking)
	e.Begun = at(there, Event{}).At
	return e
}

func answers(seconds float64, who string) Event {
	return at(seconds, Event{Kind: Answers, Process: "p", Cluster: who})
}

func asked(seconds float64, code int) Event {
	return at(seconds, Event{Kind: Asked, Process: "p", Volume: "v", Code: code})
}

func hides(seconds float64) Event { return at(seconds, Event{Kind: Fault, Hides: true}) }

func shows(seconds float64) Event { return at(seconds, Event{Kind: Healed, Hides: true}) }

func renewed(seconds float64) Event { return at(seconds, Event{Kind: Renewed, Process: "p"}) }

func deleted(seconds float64) Event {
	return at(seconds, Event{Kind: Wrote, Verb: "delete", Process: "p", Volume: "v", Cluster: cluster, UID: "1", Version: "2", Code: 200})
}

// unread is a deletion of a record that could not be read before, and whose answer was lost.
func unread(seconds float64) Event {
	return at(seconds, Event{Kind: Wrote, Verb: "delete", Process: "p", UID: "1", Version: "2"})
}

// proven is a volume that goes after 10 s, is proven gone after 13 and whose record is
// deleted after 14.
func proven() []Event {
	return []Event{
		at(0, Event{Kind: Began, Settings: &Settings{Grace: grace, Hold: hold, Lease: lease}}),
		renewed(0), has(0), lacks(10), renewed(12), answers(12.9, cluster), asked(13, 404), answers(13.1, cluster), deleted(14),
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	replace := func(i int, e ...Event) []Event { return slices.Replace(proven(), i, i+1, e...) }
	for name, tc := range map[string]struct {
		events []Event
		broken string // the rule; empty: none
	}{
		"proven gone":                  {proven(), ""},
		"the volume is there":          {slices.Delete(proven(), 3, 4), "that is there"},
		"it is back for long":          {replace(4, renewed(12), has(12.5)), "that is there"},
		"it is back for a moment":      {replace(7, answers(13.1, cluster), has(13.5)), ""},
		"too early":                    {replace(3, lacks(12.5)), "for the grace"},
		"not too early, seen late":     {replace(3, seenLate(11, 12.5)), ""},
		"not asked for":                {slices.Delete(proven(), 6, 7), "has said 404"},
		"asked for, and found":         {replace(6, asked(13, 200)), "has said 404"},
		"asked for by another process": {replace(6, at(13, Event{Kind: Asked, Process: "q", Volume: "v", Code: 404})), "has said 404"},
		"another cluster before":       {replace(5, answers(12.9, "other")), "between two answers"},
		"another cluster after":        {replace(7, answers(13.1, "other")), "between two answers"},
		"no answer after":              {slices.Delete(proven(), 7, 8), "between two answers"},
		"no precondition":              {replace(8, at(14, Event{Kind: Wrote, Verb: "delete", Process: "p", Volume: "v", Cluster: cluster, Code: 200})), "preconditions"},
		"it was not read":              {slices.Insert(replace(8, unread(14)), 3, at(1, Event{Kind: Came, Volume: "v", UID: "1"})), ""},
		"it was not read, and the volume is there": {
			slices.Insert(slices.Delete(replace(8, unread(14)), 3, 4), 3, at(1, Event{Kind: Came, Volume: "v", UID: "1"})), "that is there",
		},
		"refused":                         {replace(3, at(3, Event{Kind: Wrote, Verb: "delete", Process: "p", Volume: "v", Cluster: cluster, Code: 409}), lacks(10)), ""},
		"many are missing":                {replace(3, at(9.9, Event{Kind: Missing, Volumes: []string{"v", "w"}}), lacks(10)), "are held"},
		"many were missing, it was not":   {replace(1, renewed(0), at(0, Event{Kind: Missing, Volumes: []string{"v"}})), ""},
		"many are missing, hidden before": {replace(3, hides(-7), at(9.9, Event{Kind: Missing, Volumes: []string{"v", "w"}}), lacks(10)), ""},
		"many are missing, hidden for long, shown again": {
			replace(3, hides(-7), shows(0), at(9.9, Event{Kind: Missing, Volumes: []string{"v"}}), lacks(10)), "are held",
		},
		"many are missing, hidden again at once": {
			replace(3, hides(-7), shows(0), hides(1), shows(9), at(9.9, Event{Kind: Missing, Volumes: []string{"v"}}), lacks(10)), "",
		},
		"many are missing, hidden since then": {replace(3, at(9.9, Event{Kind: Missing, Volumes: []string{"v"}}), hides(9.95), lacks(10)), "are held"},
		"hidden before, and then too early":   {replace(3, hides(11), lacks(12.5)), ""},
		"hidden twice, shown once":            {replace(3, hides(-7), hides(-6), shows(-5), at(9.9, Event{Kind: Missing, Volumes: []string{"v"}}), lacks(10)), ""},
		"another fault before":                {replace(3, at(-7, Event{Kind: Fault}), at(9.9, Event{Kind: Missing, Volumes: []string{"v"}}), lacks(10)), "are held"},
		"the Lease has run out":               {slices.Delete(proven(), 4, 5), "last renewal"},
		"never led":                           {append(proven()[:1], at(1, Event{Kind: Wrote, Verb: "patch", Process: "p"})), "last renewal"},
		"told that another leads":             {append(proven()[:2], at(1, Event{Kind: Told, Process: "p"}), renewed(3), at(3.5, Event{Kind: Wrote, Verb: "patch", Process: "p"})), "has read"},
		"told a moment ago":                   {append(proven()[:2], at(1, Event{Kind: Told, Process: "p"}), at(1.3, Event{Kind: Wrote, Verb: "patch", Process: "p"})), ""},
		"an update":                           {append(proven()[:2], at(1, Event{Kind: Wrote, Verb: "PUT", Process: "p"})), "created, patched or deleted"},
		"StorageOS is changed":                {[]Event{at(1, Event{Kind: Changed})}, "never changed"},
		"two records":                         {[]Event{at(1, Event{Kind: Came, Volume: "v", UID: "1"}), at(2, Event{Kind: Came, Volume: "v", UID: "2"})}, "one record"},
		"one record after another":            {[]Event{at(1, Event{Kind: Came, Volume: "v", UID: "1"}), at(2, Event{Kind: Went, Volume: "v", UID: "1"}), at(3, Event{Kind: Came, Volume: "v", UID: "2"})}, ""},
		"untrue in the end":                   {[]Event{at(1, Event{Kind: Wrong, Volume: "v"})}, "every record is true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := Check(tc.events)
			switch {
			case tc.broken == "" && len(found) > 0:
				t.Errorf("violations: %v", found)
			case tc.broken != "" && (len(found) != 1 || !strings.Contains(found[0].Rule, tc.broken)):
				t.Errorf("violations %v, want one of %q", found, tc.broken)
			}
		})
	}
}

// What led to a violation begins when the volume was there for the last time.
func TestStretch(t *testing.T) {
	t.Parallel()
	events := slices.Insert(proven(), 1,
		at(0, Event{Kind: Fault, Detail: "earlier"}), at(0, Event{Kind: Has, Volume: "other"}))
	events = slices.DeleteFunc(events, func(e Event) bool { return e.Kind == Asked })
	found := Check(events)
	if len(found) != 1 {
		t.Fatalf("violations: %v", found)
	}
	text := found[0].String()
	for _, part := range []string{"broken: ", `"kind":"lacks"`, `"kind":"wrote"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in:\n%s", part, text)
		}
	}
	if strings.Contains(text, `"other"`) {
		t.Errorf("another volume in:\n%s", text)
	}
}

// What is written is read.
func TestLog(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	l := NewLog(&file)
	for _, e := range proven() {
		l.Add(e)
	}
	l.Add(Event{Kind: Right})
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range proven() {
		if events[i].String() != e.String() {
			t.Errorf("%v, want %v", events[i], e)
		}
	}
	if last := events[len(events)-1]; last.At.IsZero() {
		t.Error("an event without a time")
	}
	if _, err := Read(strings.NewReader("{}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("nonsense is read: %v", err)
	}
}
