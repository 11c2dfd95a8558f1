package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

// front is a process's way to StorageOS.
type front struct {
	s       *soak
	process string
	url     string

	mu    sync.Mutex
	fault func(http.ResponseWriter, *http.Request) bool
}

func (s *soak) newFront(process string) *front {
	s.t.Helper()
	f := &front{s: s, process: process}
	var err error
	f.url, err = s.sim.StartHandler("127.0.0.1:0", f)
	s.must(err)
	return f
}

// breakStorageOS lets it meet a fault; nil ends it.
func (f *front) breakStorageOS(fault func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// ServeHTTP lets a request pass, and notes what the rules of deletion ask for.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	begun, storageOS := time.Now(), f.s.storageOS(r)
	switch parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case r.Method != http.MethodGet && !strings.HasPrefix(r.URL.Path, "/v2/auth/"):
		f.s.log.Add(history.Event{Kind: history.Changed, Process: f.process, Verb: r.Method, Detail: r.URL.Path})
		storageOS.ServeHTTP(w, r)
	case path.Base(r.URL.Path) == "cluster":
		answer := httptest.NewRecorder()
		storageOS.ServeHTTP(answer, r)
		var cluster struct{ ID string }
		if answer.Code == http.StatusOK && json.Unmarshal(bytes.Clone(answer.Body.Bytes()), &cluster) == nil {
			f.s.log.Add(history.Event{Kind: history.Answers, Process: f.process, Begun: begun, Cluster: cluster.ID})
		}
		copyAnswer(w, answer)
	case len(parts) == 5 && parts[3] == "volumes": // v2/namespaces/NAMESPACE/volumes/ID
		answer := httptest.NewRecorder()
		storageOS.ServeHTTP(answer, r)
		f.s.log.Add(history.Event{
			Kind: history.Asked, Process: f.process, Begun: begun, Namespace: parts[2], Volume: parts[4], Code: answer.Code,
		})
		copyAnswer(w, answer)
	default:
		storageOS.ServeHTTP(w, r)
	}
}

// storageOSFault is what every process meets at paths that end so.
type storageOSFault struct {
	suffix string
	effect simulator.Effect
}

// storageOS is what answers a request now.
func (s *soak) storageOS(r *http.Request) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.broken {
		if strings.HasSuffix(r.URL.Path, f.suffix) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.effect(w, r, s.sim) })
		}
	}
	return s.sim
}

// watch notes until it is stopped what StorageOS has, and which records there are.
func (s *soak) watch() (stop func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { s.watchVolumes(over) })
	wg.Go(func() { s.watchRecords(over) })
	return func() {
		close(over)
		wg.Wait()
	}
}

// watchVolumes looks at StorageOS four times a second: more often than anything is decided.
func (s *soak) watchVolumes(over <-chan struct{}) {
	cluster, known := s.sim.ClusterID(), map[string]string{} // namespaces by ID
	looked := time.Now()
	for {
		before, now := looked, map[string]string{}
		looked = time.Now()
		for _, ns := range s.sim.Namespaces() {
			for _, v := range s.sim.Volumes(ns.ID) {
				now[v.ID] = ns.ID
			}
		}
		for id, ns := range now {
			if known[id] == "" {
				s.log.Add(history.Event{Kind: history.Has, Cluster: cluster, Volume: id, Namespace: ns})
			}
		}
		for id, ns := range known {
			if now[id] == "" {
				s.log.Add(history.Event{Kind: history.Lacks, Begun: before, Cluster: cluster, Volume: id, Namespace: ns})
			}
		}
		known = now
		select {
		case <-over:
			return
		case <-time.After(250 * time.Millisecond):
		}
	}
}
