// Package storageostest is a StorageOS in memory, for tests.
package storageostest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// API is a StorageOS in memory, for what the poller makes of answers. How
// answers are read off the wire is shown in pkg/storageos.
type API struct {
	Mu           sync.Mutex
	ClusterID    string
	NodeNames    map[string]string
	NamespaceIDs []string
	Lists        map[string][]string // by namespace: what entry reads
	Hidden       map[string]bool     // IDs that no list shows, though they are there
	Elsewhere    map[string][]string // volumes, while another cluster answers
	Takes        time.Duration       // of each call
	Slow         map[string]time.Duration
	Calls        map[string]int
	entries      map[[2]string]madeEntry
	Fail         func(call string, n int) error         // n counts from 1 for each call
	Before       func(ctx context.Context, call string) // while a call is on its way
}

// New makes a StorageOS with these volumes, in the namespaces one, two and three.
func New(volumes map[string][]string) *API {
	f := &API{ClusterID: "cluster", NodeNames: map[string]string{}, Lists: volumes, Calls: map[string]int{}, entries: map[[2]string]madeEntry{}}
	for _, ns := range []string{"one", "two", "three"} {
		if _, ok := volumes[ns]; ok {
			f.NamespaceIDs = append(f.NamespaceIDs, ns)
		}
	}
	return f
}

func (f *API) call(ctx context.Context, call string) error {
	if takes := max(f.Takes, f.Slow[call]); takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.Before != nil && call != "nodes" { // which are asked for beside the others
		f.Before(ctx, call)
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Calls[call]++
	if f.Fail != nil {
		return f.Fail(call, f.Calls[call])
	}
	return nil
}

// Cluster answers with ClusterID.
func (f *API) Cluster(ctx context.Context) (string, error) {
	err := f.call(ctx, "cluster")
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return f.ClusterID, err
}

// Nodes answers with NodeNames.
func (f *API) Nodes(ctx context.Context) (map[string]string, error) {
	return f.NodeNames, f.call(ctx, "nodes")
}

// Namespaces answers with NamespaceIDs.
func (f *API) Namespaces(ctx context.Context) ([]storageos.Namespace, error) {
	if err := f.call(ctx, "namespaces"); err != nil {
		return nil, err
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	var all []storageos.Namespace
	for _, id := range f.NamespaceIDs {
		all = append(all, storageos.Namespace{Id: id})
	}
	return all, nil
}

// ListVolumes hands over what there is before it fails, as a cut body does.
func (f *API) ListVolumes(ctx context.Context, ns string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	err := f.call(ctx, "volumes "+ns)
	var entries []storageos.Entry
	body := []byte("[")
	f.Mu.Lock()
	for _, v := range f.Lists[ns] {
		if e, id := f.made(ns, v); !f.Hidden[id] {
			entries = append(entries, e)
			body = append(body, e.Raw...)
		}
	}
	f.Mu.Unlock()
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

// made is what Entry makes, and its ID: once for each text. The caller holds Mu.
func (f *API) made(ns, v string) (storageos.Entry, string) {
	key := [2]string{ns, v}
	m, ok := f.entries[key]
	if !ok {
		e := Entry(ns, v)
		m = madeEntry{e, IDOf(e)}
		f.entries[key] = m
	}
	return m.is, m.id
}

// IDOf reads the ID of an entry, "" if it has none.
func IDOf(e storageos.Entry) string {
	id, _ := e.ID()
	return id
}

// Volume answers with the entry that has the ID, hidden or not.
func (f *API) Volume(ctx context.Context, ns, id string) ([]byte, *storageos.Volume, error) {
	if err := f.call(ctx, "volume "+id); err != nil {
		return nil, nil, err
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	for _, v := range f.Lists[ns] {
		if e, is := f.made(ns, v); is == id {
			if e.Err != nil {
				return nil, nil, e.Err
			}
			decoded, err := storageos.DecodeVolume(e.Raw)
			return e.Raw, decoded, err
		}
	}
	return nil, nil, NotFound
}

// Entry is a volume of the tests in a list: "<id> <size>", and maybe the health of its
// master, the node that it is on, how many bytes its only replica has yet to sync ("-" if
// it has none) and its name, if that is not its ID. Of the size "large" it cannot be
// held. Or its JSON.
func Entry(ns, v string) storageos.Entry {
	if strings.HasPrefix(v, "{") {
		return storageos.Entry{Raw: []byte(v)}
	}
	id, size, health, node, left, name := "", "", "online", "n1", "-", ""
	_, _ = fmt.Sscan(v, &id, &size, &health, &node, &left, &name) // the tests' own
	if id == "-" {
		return storageos.Entry{Raw: []byte(`{"name":"it has no ID"}`)}
	}
	if size == "large" {
		return storageos.Entry{Raw: fmt.Appendf(nil, `{"id":%q}`, id), Err: ErrLarge}
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

// ErrLarge is why an entry of the size "large" cannot be held.
var ErrLarge = errors.New("it has more than 4194304 bytes")

// Answers of StorageOS itself that are errors.
var (
	NotFound  = &storageos.APIError{Code: http.StatusNotFound, Own: true}
	Forbidden = &storageos.APIError{Code: http.StatusForbidden, Own: true}
)
