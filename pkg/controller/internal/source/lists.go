package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// nodesAnswer is what came of listing the nodes.
type nodesAnswer struct {
	names map[string]string // by ID
	err   error
}

// nodesPatience is for how long a listing waits for the nodes. The first one of a
// process waits longer: where StorageOS leaves out host names, every record that tells
// some would have to be read without them.
const nodesPatience, firstNodesPatience = time.Second, 5 * time.Second

// list asks for everything that a listing consists of.
func (p *Poller) list(ctx context.Context, l *Listing) error {
	before, err := askCluster(ctx, p.API, p.View)
	clusterErr := err
	p.listNodes(ctx)
	namespaces, err := p.API.Namespaces(ctx)
	if err != nil {
		return errors.Join(clusterErr, fmt.Errorf("listing namespaces: %w", err))
	}
	ids := make([]string, len(namespaces))
	for i, ns := range namespaces {
		ids[i] = ns.GetID()
	}
	p.View.setNamespaces(l, ids)
	listErr := p.listNamespaces(ctx, l, ids)
	if clusterErr == nil {
		clusterErr = p.agree(ctx, l, before)
	}
	return errors.Join(clusterErr, listErr)
}

// listNodes lists the nodes, but does not wait for them for long: the listing can
// be complete without. What comes later is taken by the next one.
func (p *Poller) listNodes(ctx context.Context) {
	if p.nodes == nil {
		answer := make(chan nodesAnswer, 1)
		p.nodes = answer
		p.asking.Go(func() {
			names, err := p.API.Nodes(ctx)
			answer <- nodesAnswer{names, err}
		})
	}
	patience := nodesPatience
	if !p.waited {
		p.waited, patience = true, firstNodesPatience
	}
	select {
	case answer := <-p.nodes:
		p.nodes = nil
		p.takeNodes(ctx, answer)
	case <-time.After(patience):
	case <-ctx.Done():
	}
}

// takeNodes takes the names of nodes. If there are none, those that are known stay, which is said
// once.
func (p *Poller) takeNodes(ctx context.Context, is nodesAnswer) {
	switch {
	case is.err == nil:
		p.View.setNodes(is.names)
	case ctx.Err() != nil:
		return
	default:
		p.Metrics.Error(metrics.StageList)
		if !p.nameless {
			klog.FromContext(ctx).Info("StorageOS does not list its nodes: host names in records stay as they are, and are missing in new ones", "err", is.err)
		}
	}
	p.nameless = is.err != nil
}

// agree asks for the cluster again: what was listed is of one cluster if it is
// still the same.
func (p *Poller) agree(ctx context.Context, l *Listing, before answer) error {
	after, err := askCluster(ctx, p.API, p.View)
	if err != nil {
		return err
	}
	if err := before.agrees(after, p.View); err != nil {
		return fmt.Errorf("the StorageOS cluster changed while it was listed: %w", err)
	}
	p.warnUnnamed(ctx, after.cluster)
	l.Cluster, l.Verified = after.cluster, true
	return nil
}

// warnUnnamed says once that StorageOS refuses to tell which cluster answers.
func (p *Poller) warnUnnamed(ctx context.Context, cluster string) {
	if cluster == "" && !p.unnamed {
		klog.FromContext(ctx).Info("StorageOS refuses to tell which cluster it is: records that name a cluster are not deleted, those that name none are not protected against another cluster behind this endpoint")
	}
	p.unnamed = cluster == ""
}

// listNamespaces lists the volumes of each namespace, a few at a time. One that
// fails makes the listing incomplete, but does not stop the others.
func (p *Poller) listNamespaces(ctx context.Context, l *Listing, ids []string) error {
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	slots := make(chan struct{}, p.Parallel)
	for i, id := range ids {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = p.listVolumes(ctx, l, id)
		})
	}
	wg.Wait()

	var vanished map[string]bool // namespaces, by whether they are still there
	for i, err := range errs {
		if !storageos.IsNotFound(err) {
			continue
		}
		if vanished == nil {
			var err error
			if vanished, err = p.vanished(ctx, ids); err != nil {
				return errors.Join(joinFew(errs), err)
			}
		}
		if vanished[ids[i]] {
			errs[i] = nil // gone between the two requests, and its volumes with it
		}
	}
	return joinFew(errs)
}

// vanished lists the namespaces again and tells which of them are gone.
func (p *Poller) vanished(ctx context.Context, ids []string) (map[string]bool, error) {
	namespaces, err := p.API.Namespaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing namespaces again: %w", err)
	}
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	for _, ns := range namespaces {
		delete(gone, ns.GetID())
	}
	return gone, nil
}

func (p *Poller) listVolumes(ctx context.Context, l *Listing, namespaceID string) error {
	p.Alive(time.Now())
	var found []string
	var unread error // of an entry that is some volume, nobody knows which
	r := p.View.Read(l, namespaceID)
	is, err := p.API.ListVolumes(ctx, namespaceID, r.known(), func(e storageos.Entry) error {
		raw := e.Hash()
		if r.recognise(raw) {
			return nil
		}
		id, err := e.ID()
		if err != nil {
			if unread == nil {
				unread = err
			}
			return nil
		}
		if p.View.full(id) {
			return fmt.Errorf("StorageOS has more than %d volumes", maxVolumes)
		}
		if p.examine(ctx, r, id, raw, e) {
			if e.Err != nil {
				e.Raw = nil // it is not the volume; what was kept before is no longer true
			}
			p.Keep(id, Payload{e.Raw, r.begun})
			found = append(found, id)
		}
		return nil
	})
	err = errors.Join(err, unread)
	found = append(found, r.Close(is, err == nil)...)
	for _, id := range found {
		p.Found(id)
	}
	if err != nil {
		return fmt.Errorf("listing the volumes of namespace %s: %w", namespaceID, err)
	}
	return nil
}

// examine looks at a volume that a list does not show as before. False if there is
// nothing to do about it.
func (p *Poller) examine(ctx context.Context, r *ListDiff, id string, hash uint64, e storageos.Entry) bool {
	switch r.Show(id, hash) {
	case unchanged:
		return false
	case duplicated:
		p.Metrics.Error(metrics.StageDecode)
	case changed:
		d, err := state.Digest{}, e.Err
		if err == nil {
			d, err = digestRaw(e.Raw, r.ns.id, p.View.NodeNames())
		}
		invalid := ""
		if err != nil {
			p.Metrics.Error(metrics.StageDecode)
			klog.FromContext(ctx).Error(err, "A volume cannot be recorded: its record stays as it is", "volumeID", id, "namespaceID", r.ns.id)
			invalid = err.Error()
		}
		if !r.Store(id, hash, d, invalid) {
			p.Metrics.Error(metrics.StageDecode)
		}
	}
	return true
}

// digestRaw decodes a volume and digests what its record should say.
func digestRaw(raw []byte, namespaceID string, nodes map[string]string) (state.Digest, error) {
	v, err := storageos.DecodeVolume(raw)
	if err != nil {
		return state.Digest{}, err
	}
	return digestOf(v, namespaceID, nodes)
}

func digestOf(v *storageos.Volume, namespaceID string, nodes map[string]string) (state.Digest, error) {
	c, err := record.FromVolume(v, namespaceID, nodes)
	if err != nil {
		return state.Digest{}, err
	}
	d, _ := state.DigestContent(c)
	return d, nil
}
