package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// ParallelLists bounds how many namespaces are listed at a time: a slow one
// does not hold the others up, and StorageOS is not flooded.
const ParallelLists = 4

// maxVolumes is how many volumes are kept, whatever StorageOS lists.
const maxVolumes = 2_000_000

// Poller is an informer whose watch is a poll: it lists StorageOS, compares
// what it is told with the view and passes on the IDs that differ.
type Poller struct {
	API      storageos.Lister
	View     *View
	Metrics  *metrics.Metrics
	Interval time.Duration // from begin to begin
	Retry    time.Duration // after a failure
	Parallel int           // how many namespaces are listed at a time

	// Keep is called with what was answered of each volume that is new or changed, to be
	// copied if it is kept; found with its ID when its namespace has been listed,
	// so that it is known by then whether it was listed twice.
	Keep  func(id string, p Payload)
	Found func(id string)
	// Begun and Ended frame a listing; changed are the IDs of which its end tells
	// more: those that it did not show, for one.
	Begun func(*Listing)
	Ended func(l *Listing, complete bool, changed []string)
	// Alive is told until when it is no wonder that nothing is asked: before a
	// pause, its end. Of requests the API itself tells, see movement.
	Alive func(until time.Time)

	nodes  chan nodesAnswer // what the nodes are listed with; nil while they are not
	waited bool             // for the nodes, once
	asking sync.WaitGroup

	Failed   error  // why the last listing was not complete, nil if it was
	failing  string // the last failure that was logged, "" while all is well
	repeats  int    // how often it has come again
	unnamed  bool   // it was said that StorageOS does not tell its cluster
	nameless bool   // and that it does not list its nodes
}

// Run lists until the context ends. Listings never overlap.
func (p *Poller) Run(ctx context.Context) {
	defer p.asking.Wait()
	for {
		begun := time.Now()
		err := p.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		p.log(ctx, err)
		pause := p.Interval - time.Since(begun)
		if err != nil {
			p.Metrics.Error(metrics.StageList)
			pause = p.Retry
		}
		p.Alive(time.Now().Add(max(pause, 0)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(pause, 0)):
		}
	}
}

// log says a failure once, and that it is over.
func (p *Poller) log(ctx context.Context, err error) {
	logger := klog.FromContext(ctx)
	switch {
	case err == nil && p.failing != "":
		logger.Info("StorageOS is listed completely again", "failedListings", p.repeats)
		p.failing, p.repeats = "", 0
	case err != nil:
		p.repeats++
		if text := OneLine(err); p.failing != text {
			logger.Error(errors.New(text), "The listing of StorageOS is incomplete: nothing is deleted until one is complete")
			p.failing = text
		}
	}
}

// Poll lists StorageOS once. It returns nil if the listing was complete.
func (p *Poller) Poll(ctx context.Context) error {
	l := &Listing{Begun: time.Now()}
	p.Begun(l)
	p.View.begin(l)
	err := p.list(ctx, l)
	l.ended = time.Now()
	changed, twice := p.View.End(l, err == nil)
	for range twice {
		p.Metrics.Error(metrics.StageDecode)
	}
	if err == nil {
		p.Metrics.Synced(l.ended)
	}
	p.Failed = err
	p.Ended(l, err == nil, changed)
	return err
}

// joinFew joins errors, but names only the first few of many: one line in the
// log has to say them all.
func joinFew(errs []error) error {
	const few = 3
	var named []error
	n := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		if n++; n <= few {
			named = append(named, err)
		}
	}
	if n > few {
		named = append(named, fmt.Errorf("and %d more", n-few))
	}
	return errors.Join(named...)
}

// OneLine is the text of an error without line breaks.
func OneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
