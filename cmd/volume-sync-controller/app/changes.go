package app

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// maxChanges is how many changes are remembered for the status page.
const maxChanges = 100

// change is something that was written to a record, or said in an event.
type change struct {
	At      time.Time
	Object  string
	What    string
	Warning bool
	Number  int // counts all that there were
}

// changes remembers the last ones.
type changes struct {
	mu   sync.Mutex
	last []change // the newest last
	all  int
}

func (c *changes) add(object, what string, warning bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == maxChanges {
		c.last = c.last[1:]
	}
	c.all++
	c.last = append(c.last, change{time.Now(), object, what, warning, c.all})
}

// newest are the changes, the newest first.
func (c *changes) newest() []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]change, 0, len(c.last))
	for i := len(c.last) - 1; i >= 0; i-- {
		all = append(all, c.last[i])
	}
	return all
}

func (c *changes) said(on *corev1.ObjectReference, kind, reason, message string) {
	c.add(on.Kind+" "+on.Name, sentence(message)+" ("+reason+")", kind == corev1.EventTypeWarning)
}

// whats says a write of a record in the words of the status page.
var whats = map[string]string{
	metrics.VerbCreate:      "The record was created.",
	metrics.VerbPatch:       "The record was changed.",
	metrics.VerbPatchStatus: "The status of the record was changed.",
	metrics.VerbDelete:      "The record was deleted.",
}

func (c *changes) wrote(verb, record string) {
	c.add("Volume "+record, whats[verb], false)
}
