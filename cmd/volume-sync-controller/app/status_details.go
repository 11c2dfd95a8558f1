package app

import (
	"cmp"
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

const (
	// maxDetails is how many records are asked for at most each time that the page is: the
	// rest the next time, two seconds later.
	maxDetails = 50
	// detailsTimeout is how long the page waits for them.
	detailsTimeout = time.Second
)

// details are what only the records themselves say of what is shown: on which nodes the copies
// are. No record is asked for unless somebody looks at the page, and again only when it
// has changed.
type details struct {
	get func(ctx context.Context, record string) (*v1.Volume, error)

	mu    sync.Mutex
	known map[string]detail // by record
}

// detail is what a record says of its copies.
type detail struct {
	version string
	copies  []copyOn
}

// copyOn is a copy of a volume, and the node that it is on.
type copyOn struct {
	Node   string
	Role   string
	Health string // "" if it is usable
}

// record reads a record for the page.
func (s *server) record(ctx context.Context, name string) (*v1.Volume, error) {
	return s.records.StorageOSV1().Volumes().Get(ctx, name, metav1.GetOptions{})
}

// of are the details of concerns by record, as far as they are known now. What nobody looks
// at any more is forgotten.
func (d *details) of(ctx context.Context, concerns []controller.Concern) map[string]detail {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, detailsTimeout)
	defer cancel()
	known, left := map[string]detail{}, maxDetails
	for _, c := range concerns {
		if _, done := known[c.Record]; done || c.Record == "" {
			continue
		}
		was, ok := d.known[c.Record]
		if (!ok || was.version != c.Version) && left > 0 && ctx.Err() == nil {
			left--
			if r, err := d.get(ctx, c.Record); err == nil {
				was, ok = detail{c.Version, copiesOn(r)}, true
			}
		}
		if ok {
			known[c.Record] = was
		}
	}
	d.known = known
	return known
}

// copiesOn are the copies of a record, its master first.
func copiesOn(r *v1.Volume) []copyOn {
	var all []copyOn
	for _, c := range record.Copies(&r.Status) {
		on := copyOn{Node: cmp.Or(c.Host, c.NodeID), Role: "replica"}
		if c.Master {
			on.Role = "master"
		}
		if !c.Usable {
			on.Health = c.Health
		}
		if on.Node != "" {
			all = append(all, on)
		}
	}
	return all
}
