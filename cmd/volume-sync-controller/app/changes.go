package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// maxChanges is how many changes are remembered for the status page.
const maxChanges = 100

// change is something that was written to a record, or said in an event.
type change struct {
	At      time.Time
	Object  string
	What    string
	Warning bool
}

// changes remembers the last ones.
type changes struct {
	mu   sync.Mutex
	last []change // the newest last
}

func (c *changes) add(object, what string, warning bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == maxChanges {
		c.last = c.last[1:]
	}
	c.last = append(c.last, change{time.Now(), object, what, warning})
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

func (c *changes) said(e *corev1.Event) {
	c.add(e.InvolvedObject.Kind+" "+e.InvolvedObject.Name, e.Reason+": "+e.Message, e.Type == corev1.EventTypeWarning)
}

// recordsPath is that of the records in the API.
const recordsPath = "/apis/api.storageos.com/v1/volumes"

// transport takes note of the writes of records that the API server has taken.
func (c *changes) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || resp.StatusCode >= 300 || req.Method == http.MethodGet || req.URL.Query().Has("dryRun") {
			return resp, err
		}
		_, path, ok := strings.Cut(req.URL.Path, recordsPath)
		if !ok {
			return resp, err
		}
		name, sub, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		switch {
		case req.Method == http.MethodPost:
			c.add("Volume "+nameIn(req), "created", false)
		case req.Method == http.MethodDelete:
			c.add("Volume "+name, "deleted", false)
		case sub == "status":
			c.add("Volume "+name, "status changed", false)
		default:
			c.add("Volume "+name, "changed", false)
		}
		return resp, err
	})
}

// nameIn is the name of the object that a request creates.
func nameIn(req *http.Request) string {
	var object struct{ Metadata struct{ Name string } }
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			_ = json.NewDecoder(body).Decode(&object) // without a name it is still a change
			body.Close()
		}
	}
	return object.Metadata.Name
}
