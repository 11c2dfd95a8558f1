package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// fakeAPI is a StorageOS in memory, for what the poller makes of answers. How
// answers are read off the wire is shown in pkg/storageos.
type fakeAPI struct {
	mu         sync.Mutex
	cluster    string
	nodes      map[string]string
	namespaces []string
	volumes    map[string][]string // by namespace: what entry reads
	hidden     map[string]bool     // IDs that no list shows, though they are there
	elsewhere  map[string][]string // volumes, while another cluster answers
	takes      time.Duration       // of each call
	slow       map[string]time.Duration
	calls      map[string]int
	entries    map[[2]string]madeEntry
	fail       func(call string, n int) error         // n counts from 1 for each call
	before     func(ctx context.Context, call string) // while a call is on its way
}

func newFakeAPI(volumes map[string][]string) *fakeAPI {
	f := &fakeAPI{cluster: "cluster", nodes: map[string]string{}, volumes: volumes, calls: map[string]int{}, entries: map[[2]string]madeEntry{}}
	for _, ns := range []string{"one", "two", "three"} {
		if _, ok := volumes[ns]; ok {
			f.namespaces = append(f.namespaces, ns)
		}
	}
	return f
}

func (f *fakeAPI) call(ctx context.Context, call string) error {
	if takes := max(f.takes, f.slow[call]); takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.before != nil && call != "nodes" { // which are asked for beside the others
		f.before(ctx, call)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[call]++
	if f.fail != nil {
		return f.fail(call, f.calls[call])
	}
	return nil
}

func (f *fakeAPI) Cluster(ctx context.Context) (string, error) {
	err := f.call(ctx, "cluster")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cluster, err
}

func (f *fakeAPI) Nodes(ctx context.Context) (map[string]string, error) {
	return f.nodes, f.call(ctx, "nodes")
}

func (f *fakeAPI) Namespaces(ctx context.Context) ([]storageos.Namespace, error) {
	if err := f.call(ctx, "namespaces"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []storageos.Namespace
	for _, id := range f.namespaces {
		all = append(all, storageos.Namespace{Id: id})
	}
	return all, nil
}

// ListVolumes hands over what there is before it fails, as a cut body does.
func (f *fakeAPI) ListVolumes(ctx context.Context, ns string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	err := f.call(ctx, "volumes "+ns)
	f.mu.Lock()
	volumes := f.volumes[ns]
	f.mu.Unlock()
	var entries []storageos.Entry
	body := []byte("[")
	for _, v := range volumes {
		if e, id := f.made(ns, v); !f.hidden[id] {
			entries = append(entries, e)
			body = append(body, e.Raw...)
		}
	}
	is := storageos.FingerprintOf(body)
	if err == nil && is == known {
		return is, nil
	}
	for _, e := range entries {
		if err := each(e); err != nil {
			return storageos.Fingerprint{}, err
		}
	}
	if err != nil {
		return storageos.Fingerprint{}, err
	}
	return is, nil
}

// madeEntry is an entry and the ID that is read from it.
type madeEntry struct {
	is storageos.Entry
	id string
}

// made is what entry makes, and its ID: once for each text.
func (f *fakeAPI) made(ns, v string) (storageos.Entry, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := [2]string{ns, v}
	m, ok := f.entries[key]
	if !ok {
		e := entry(ns, v)
		m = madeEntry{e, idOf(e)}
		f.entries[key] = m
	}
	return m.is, m.id
}

// idOf reads the ID of an entry, "" if it has none.
func idOf(e storageos.Entry) string {
	id, _ := e.ID()
	return id
}

func (f *fakeAPI) Volume(ctx context.Context, ns, id string) ([]byte, *storageos.Volume, error) {
	if err := f.call(ctx, "volume "+id); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.volumes[ns] {
		if e := entry(ns, v); idOf(e) == id {
			if e.Err != nil {
				return nil, nil, e.Err
			}
			decoded, err := storageos.DecodeVolume(e.Raw)
			return e.Raw, decoded, err
		}
	}
	return nil, nil, notFound
}

// entry is a volume of the tests in a list: "<id> <size>", and maybe the health of its
// master, the node that it is on, how many bytes its only replica has yet to sync ("-" if
// it has none) and its name, if that is not its ID. Of the size "large" it cannot be
// held. Or its JSON.
func entry(ns, v string) storageos.Entry {
	if strings.HasPrefix(v, "{") {
		return storageos.Entry{Raw: []byte(v)}
	}
	id, size, health, node, left, name := "", "", "online", "n1", "-", ""
	_, _ = fmt.Sscan(v, &id, &size, &health, &node, &left, &name) // the tests' own
	if id == "-" {
		return storageos.Entry{Raw: []byte(`{"name":"it has no ID"}`)}
	}
	if size == "large" {
		return storageos.Entry{Raw: fmt.Appendf(nil, `{"id":%q}`, id), Err: errLarge}
	}
	replicas := ""
	if name == "" {
		name = id
	}
	if left != "-" {
		replicas = `,"replicas":[{"id":"r","health":"syncing","syncProgress":{"bytesRemaining":` + left + `}}]`
	}
	return storageos.Entry{Raw: fmt.Appendf(nil,
		`{"id":%q,"name":%q,"namespaceID":%q,"sizeBytes":%s,"master":{"health":%q,"nodeID":%q}%s}`, id, name, ns, size, health, node, replicas)}
}

var errLarge = errors.New("it has more than 4194304 bytes")

var (
	notFound  = &storageos.APIError{Code: http.StatusNotFound, Own: true}
	forbidden = &storageos.APIError{Code: http.StatusForbidden, Own: true}
)

// caches puts objects into the caches, as the informers do.
func (r *Reconciler) caches(t testing.TB, pv *state.PV, rec *state.Record) {
	t.Helper()
	if pv != nil {
		if err := r.pvInformer.GetStore().Add(pv); err != nil {
			t.Fatal(err)
		}
		r.persistentVolumeChanged(nil, pv)
	}
	if rec != nil {
		if err := r.recordInformer.GetStore().Add(rec); err != nil {
			t.Fatal(err)
		}
		r.recordChanged(nil, rec)
	}
}
