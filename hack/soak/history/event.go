// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Package history is what has happened in a long run, as it was seen from outside of the
// program, and the judge of it. It knows the rules of the program, and nothing of its code.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind is what has happened.
type Kind string

// The kinds of events.
const (
	Began    Kind = "began"    // the run, with these Settings
	Has      Kind = "has"      // the cluster has the volume from now on
	Lacks    Kind = "lacks"    // it has it no more
	Missing  Kind = "missing"  // so many volumes are lost at once that the breaker has to hold
	Answers  Kind = "answers"  // a cluster has named itself to the process
	Asked    Kind = "asked"    // the process has asked for the volume by its ID
	Changed  Kind = "changed"  // the process has sent something to StorageOS that is no question
	Wrote    Kind = "wrote"    // the process has written a record
	Renewed  Kind = "renewed"  // the process has written that it holds the Lease
	Released Kind = "released" // the process has given the Lease back
	Told     Kind = "told"     // the process was told that it does not hold the Lease that it held
	Came     Kind = "came"     // a record is there
	Went     Kind = "went"     // a record has gone
	Fault    Kind = "fault"    // something goes wrong from now on
	Healed   Kind = "healed"   // it goes wrong no more
	Right    Kind = "right"    // the faults have ended, and every record is true
	Wrong    Kind = "wrong"    // the faults have ended for long, and a record is not true
)

// Settings are the program's.
type Settings struct {
	Grace    time.Duration `json:"grace"`
	Hold     time.Duration `json:"hold"`
	Lease    time.Duration `json:"lease"`
	Seed     uint64        `json:"seed"`
	Duration time.Duration `json:"duration"`
}

// Event is one thing that has happened. What does not apply is empty.
type Event struct {
	At        time.Time `json:"at"`
	Begun     time.Time `json:"begun,omitzero"` // of a request: when it was sent; of a volume that has gone: when it was last looked for
	Kind      Kind      `json:"kind"`
	Process   string    `json:"process,omitempty"` // of the program
	Volume    string    `json:"volume,omitempty"`  // its ID
	Volumes   []string  `json:"volumes,omitempty"`
	Cluster   string    `json:"cluster,omitempty"` // that has it, has answered, or is named by the record
	Namespace string    `json:"namespace,omitempty"`
	Record    string    `json:"record,omitempty"` // its name
	UID       string    `json:"uid,omitempty"`    // of the record; of a deletion, its precondition
	Version   string    `json:"version,omitempty"`
	Verb      string    `json:"verb,omitempty"`
	Code      int       `json:"code,omitempty"` // 0: the answer was lost
	Settings  *Settings `json:"settings,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Hides     bool      `json:"hides,omitempty"` // of a fault: lists lack volumes meanwhile that are there
}

// String is the event on one line, as it is in a file.
func (e Event) String() string {
	text, err := json.Marshal(e)
	if err != nil {
		return err.Error() // no field can cause one
	}
	return string(text)
}

// Log writes events to a file, one on a line. It may be used by several at once.
type Log struct {
	mu  sync.Mutex
	out *json.Encoder
	err error
}

// NewLog writes to w.
func NewLog(w io.Writer) *Log { return &Log{out: json.NewEncoder(w)} }

// Add adds an event; one without a time has happened now.
func (l *Log) Add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	l.err = errors.Join(l.err, l.out.Encode(e))
}

// Err is what went wrong with writing.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Read reads what a Log has written.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(events)+1, err)
		}
		events = append(events, e)
	}
	return events, lines.Err()
}
