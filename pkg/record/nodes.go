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
	Host     string // its name, empty if no record has it
	Masters  int
	Replicas int
	Attached int
	Degraded int // volumes with a copy there that are not Healthy
	Usable   int // copies there whose data is whole: the node is there
	// LastCopies are copies there without which their volume could not go on.
	LastCopies int
	// Health is Healthy if each copy there is well or on its way to be, Offline if none is,
	// Degraded between the two, Unknown without any copy.
	Health v1.Health

	ailing int // copies that are neither well nor on their way
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
		return n
	}
	for i := range records {
		s := &records[i].Status
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
			if s.Health != v1.HealthHealthy {
				n.Degraded++
			}
			if c.Survives && survive == 1 {
				n.LastCopies++
			}
			if c.Usable {
				n.Usable++
			}
			if c.Ailing() {
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

func (n *Node) health() v1.Health {
	switch copies := n.Masters + n.Replicas; {
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

// NodeIDs are the IDs of the nodes of StorageOS that a node of Kubernetes may be: what its
// CSINode says, the one whose ID that is, and those that records know under either name, or under the
// host name of these: a node that was made anew keeps it. Where a copy is well on the node that its
// CSINode alone names, what another's CSINode names is that one, if they share no more than a host name
// that was not asked for. None: it cannot be told. Csi are the IDs that CSINodes tell, by the names of
// their nodes.
func NodeIDs(name string, csi map[string]string, nodes []Node) []string {
	named := map[string]int{}
	for _, id := range csi {
		named[id]++
	}
	ids, own := map[string]bool{}, csi[name]
	if own != "" {
		ids[own] = true
	}
	if named[name] > 0 || slices.ContainsFunc(nodes, func(n Node) bool { return n.ID == name }) {
		ids[name], own = true, cmp.Or(own, name)
	}
	hosts, sure := map[string]bool{name: true, own: true}, false
	for _, n := range nodes {
		if n.ID == own {
			hosts[n.Host], sure = true, n.Usable > 0 && named[own] == 1
		}
	}
	for _, n := range nodes {
		if n.Host != "" && hosts[n.Host] && (!sure || named[n.ID] == 0 || n.Host == name) {
			ids[n.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
