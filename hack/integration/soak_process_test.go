package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

func newSoak(t *testing.T, historyFile string) *soak {
	t.Helper()
	c := newClaims(t, "-restart", "2s")
	f, err := os.Create(historyFile)
	c.must(err)
	t.Cleanup(func() { f.Close() })
	return &soak{claims: c, log: history.NewLog(f), named: map[string]*soaked{}}
}

// soaked is a process of the program and its ways to both APIs.
type soaked struct {
	*controller
	s     *soak
	name  string
	kube  *proxy
	front *front

	mu     sync.Mutex
	holder string                                        // under this name it holds the Lease
	fault  func(http.ResponseWriter, *http.Request) bool // of its way to Kubernetes
}

// startProcess starts one.
func (s *soak) startProcess() {
	s.t.Helper()
	p := &soaked{s: s, name: s.name("process"), kube: s.newProxy()}
	p.front = s.newFront(p.name)
	p.kube.set(p.serve)
	in := *s.env
	in.endpoint = p.front.url
	p.controller = in.controller(
		"-enable-leader-election", "-namespace", "default",
		"-lease-duration", soakLease.String(), "-renew-deadline", "4s", "-retry-period", "1s",
		"-orphan-grace-period", soakGrace.String(), "-mass-orphan-hold", soakHold.String(),
		"-api-poll-interval", soakPoll.String(), "-api-retry-interval", soakPoll.String(), "-api-timeout", "3s",
		"-kubeconfig", p.kube.kubeconfig, "-v", "2")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named[p.name] = p
}

// tend starts another process for each that has ended, for a while.
func (s *soak) tend(lasts time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, p := range s.processes() {
			select {
			case <-p.ended:
				s.mu.Lock()
				delete(s.named, p.name)
				s.mu.Unlock()
				s.startProcess()
			default:
			}
		}
	}
}

func (s *soak) processes() []*soaked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*soaked
	for _, name := range slices.Sorted(maps.Keys(s.named)) {
		all = append(all, s.named[name])
	}
	return all
}

// breakKube lets its way to Kubernetes meet a fault; nil ends it.
func (p *soaked) breakKube(fault func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// serve lets a request to Kubernetes pass, unless it meets a fault, and notes what it is.
func (p *soaked) serve(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	if fault != nil && fault(w, r) {
		return true
	}
	lease := strings.Contains(r.URL.Path, "/leases") && r.URL.Query().Get("watch") == ""
	if !lease && !isWrite(r) {
		return false
	}
	begun := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	written := history.Event{}
	if isWrite(r) {
		written = p.write(r, body)
	}
	answer := httptest.NewRecorder()
	func() {
		// If the answer is lost, that is noted too.
		done := false
		defer func() {
			if written.Kind != "" {
				written.At, written.Begun = time.Now(), begun
				if done {
					written.Code = answer.Code
				}
				p.s.log.Add(written)
			}
		}()
		p.kube.pass.ServeHTTP(answer, r)
		done = true
	}()
	if lease {
		p.lease(r, body, answer, begun)
	}
	copyAnswer(w, answer)
	return true
}

// write is what a write of a record is in the history.
func (p *soaked) write(r *http.Request, body []byte) history.Event {
	e := history.Event{Kind: history.Wrote, Process: p.name, Verb: verbOf(r)}
	if e.Verb == "create" {
		var record v1.Volume
		if json.Unmarshal(body, &record) == nil {
			e.Record, e.Volume, e.Cluster = record.Name, record.Labels[v1.LabelVolumeID], record.Annotations[v1.AnnotationClusterID]
		}
		return e
	}
	e.Record = strings.TrimSuffix(r.URL.Path, "/status")
	e.Record = path.Base(e.Record)
	if e.Verb != "delete" {
		return e
	}
	var options metav1.DeleteOptions
	if json.Unmarshal(body, &options) == nil && options.Preconditions != nil {
		if uid := options.Preconditions.UID; uid != nil {
			e.UID = string(*uid)
		}
		if version := options.Preconditions.ResourceVersion; version != nil {
			e.Version = *version
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if record, err := p.s.records.StorageOSV1().Volumes().Get(ctx, e.Record, metav1.GetOptions{}); err == nil && record.UID == types.UID(e.UID) {
		e.Volume, e.Cluster, e.Namespace = idOf(record), record.Annotations[v1.AnnotationClusterID], record.Annotations[v1.AnnotationNamespaceID]
	}
	return e
}

// idOf is the volume that a record is of.
func idOf(r *v1.Volume) string {
	if id := r.Labels[v1.LabelVolumeID]; id != "" {
		return id
	}
	return r.Status.VolumeID
}

func verbOf(r *http.Request) string {
	status := strings.HasSuffix(r.URL.Path, "/status")
	switch {
	case r.Method == http.MethodPost:
		return "create"
	case r.Method == http.MethodPatch && status:
		return "patch status"
	case r.Method == http.MethodPatch:
		return "patch"
	case r.Method == http.MethodPut && status:
		return "update status"
	case r.Method == http.MethodDelete:
		return "delete"
	}
	return r.Method
}

// lease notes what the process has written into the Lease, or was told of it.
func (p *soaked) lease(r *http.Request, body []byte, answer *httptest.ResponseRecorder, begun time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := history.Event{Process: p.name, Begun: begun}
	if r.Method != http.MethodGet {
		l := leaseIn(r.URL.Path, body)
		if l == nil || answer.Code >= http.StatusBadRequest {
			return
		}
		e.Kind = history.Renewed
		if p.holder = holderOf(l); p.holder == "" {
			e.Kind = history.Released
		}
		p.s.log.Add(e)
		return
	}
	holder, told := holderRead(r, answer)
	if told && p.holder != "" && holder != p.holder {
		e.Kind, e.Detail = history.Told, "it is held by "+holder
		p.s.log.Add(e)
	}
}
