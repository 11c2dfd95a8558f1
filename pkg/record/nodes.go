package record

import (
	"cmp"
	"maps"
	"slices"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Node is a node of StorageOS, as far as volumes tell of it.
type Node struct {
	ID       string
	Host     string // its name, empty if no record has it; of several the first
	Masters  int
	Replicas int
	Attached int
	Degraded int // volumes with a copy there that are listed and not Healthy
	Usable   int // copies there whose data is whole: the node is there
	// LastCopies are copies there without which their volume could not go on.
	LastCopies int
	// Health is Healthy if each copy there is well or on its way to be, Offline if none is,
	// Degraded between the two, Unknown without any copy. Of an absent volume nobody knows how a
	// copy is.
	Health v1.Health

	ailing  int            // copies that are neither well nor on their way
	unknown int            // copies of which nobody knows how they are
	hosts   map[string]int // its host names, and how many copies are usable under each
}

// Nodes are all nodes that records name, by name.
func Nodes(records []v1.Volume) []Node {
	all := map[string]*Node{}
	node := func(id, host string) *Node {
		n := all[id]
		if n == nil {
			n = &Node{ID: id}
			all[id] = n
		}
		n.Host = cmp.Or(n.Host, host)
		n.called(host, 0)
		return n
	}
	for i := range records {
		s, absent := &records[i].Status, records[i].Annotations[v1.AnnotationAbsentSince] != ""
		if s.AttachedOn != "" {
			node(s.AttachedOn, s.AttachedOnHost).Attached++
		}
		copies := Copies(s)
		survive := 0
		for _, c := range copies {
			if c.Survives {
				survive++
			}
		}
		for _, c := range copies {
			if c.NodeID == "" {
				continue
			}
			n := node(c.NodeID, c.Host)
			if c.Master {
				n.Masters++
			} else {
				n.Replicas++
			}
			if s.Health != v1.HealthHealthy && !absent {
				n.Degraded++
			}
			if c.Survives && survive == 1 && !absent {
				n.LastCopies++
			}
			switch {
			case absent:
				n.unknown++
			case c.Usable:
				n.Usable++
				n.called(c.Host, 1)
			case c.Ailing():
				n.ailing++
			}
		}
	}
	nodes := make([]Node, 0, len(all))
	for _, n := range slices.SortedFunc(maps.Values(all), func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID))
	}) {
		n.Health = n.health()
		nodes = append(nodes, *n)
	}
	return nodes
}

// called takes note of a host name, under which so many copies more are usable.
func (n *Node) called(host string, usable int) {
	if host == "" {
		return
	}
	if n.hosts == nil {
		n.hosts = map[string]int{}
	}
	n.hosts[host] += usable
}

func (n *Node) health() v1.Health {
	switch copies := n.Masters + n.Replicas - n.unknown; {
	case copies == 0:
		return v1.HealthUnknown
	case n.ailing == 0:
		return v1.HealthHealthy
	case n.ailing == copies:
		return v1.HealthOffline
	default:
		return v1.HealthDegraded
	}
}
