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
	Degraded int // volumes with a copy there that are not Healthy
	Usable   int // copies there whose data is whole: the node is there
	// LastCopies are copies there without which their volume could not go on.
	LastCopies int
	// Health is Healthy if each copy there is well or on its way to be, Offline if none is,
	// Degraded between the two, Unknown without any copy. Of an absent volume nobody knows how a
	// copy is.
	Health v1.Health

	ailing  int            // copies that are neither well nor on their way
	unknown int            // copies of which nobody knows how they are
	others  map[string]int // its other host names, and how many copies are usable under each
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
		if host != n.Host && host != "" {
			if n.others == nil {
				n.others = map[string]int{}
			}
			n.others[host] += 0 // is there, at least
		}
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
			if s.Health != v1.HealthHealthy {
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
				if _, other := n.others[c.Host]; other {
					n.others[c.Host]++
				}
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

// called tells whether a record has this host name for the node.
func (n *Node) called(host string) bool {
	_, other := n.others[host]
	return host != "" && (n.Host == host || other)
}

// calledAny tells whether one of these is a host name of the node.
func (n *Node) calledAny(hosts map[string]bool) bool {
	for other := range n.others {
		if hosts[other] {
			return true
		}
	}
	return n.Host != "" && hosts[n.Host]
}

// wellAs tells whether a copy is well there under this host name.
func (n *Node) wellAs(host string) bool {
	if usable, other := n.others[host]; other {
		return usable > 0
	}
	usable := n.Usable
	for _, of := range n.others {
		usable -= of
	}
	return n.called(host) && usable > 0
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

// FindNode tells by their IDs which nodes of StorageOS a node of Kubernetes is, each of which it may
// be, and which it could be besides. None of both: it cannot be told. Csi are the IDs that CSINodes tell,
// by the names of their nodes. A node that was made anew keeps its host name, and its CSINode may be
// of before:
//
//	the ID that its CSINode tells, or that was asked for           is it
//	a record knows it under that name                              is it
//	a record knows it under the host name of the ID above          is it, unless sure and a CSINode names it
//	no CSINode names it                                            could be it, unless sure, or an ID was asked for
//	and it has a host name, and so has the node that is asked for  is another one
//	a CSINode names it, and it has no host name                    could be it, if a host name of before was asked for
//
// Sure: that CSINode alone tells its ID, and a copy that is well is there. The node that is asked for
// has a host name if the ID that its CSINode alone tells has one, or if its name is one: of a node
// that no CSINode names, and of none that another's does. A host name of before: no CSINode has it as
// its name, and no copy is well under it. Records may have several host names for one node: each is
// its name, but one of several may be of before, and that of a node that no CSINode names then does not
// tell that others are not it.
func FindNode(name string, csi map[string]string, nodes []Node) (is, could []string) {
	tell := map[string]int{} // how many CSINodes an ID
	for _, id := range csi {
		tell[id]++
	}
	isID := tell[name] > 0 || slices.ContainsFunc(nodes, func(n Node) bool { return n.ID == name })
	own := csi[name]
	byID := own == "" && isID
	ids, hosts := map[string]bool{}, map[string]bool{name: true, own: true}
	if isID {
		ids[name], own = true, cmp.Or(own, name)
	}
	if own != "" {
		ids[own] = true
	}
	sure, hosted := false, false
	unnamed, another, well := false, false, false // of the nodes that have the name as their host name
	for _, n := range nodes {
		if n.ID == own {
			hosts[n.Host], sure = true, n.Usable > 0 && tell[own] == 1
			for other := range n.others {
				hosts[other] = true
			}
			hosted = n.Host != "" && tell[own] == 1 // else it may be another's
		}
		if n.called(name) {
			unnamed = unnamed || tell[n.ID] == 0 && len(n.others) == 0
			another = another || tell[n.ID] > 0 && n.ID != own
			well = well || n.wellAs(name)
		}
	}
	hosted = hosted || unnamed && !another // else that is another machine's, or what it was before
	for _, n := range nodes {
		if n.calledAny(hosts) && (!sure || tell[n.ID] == 0 || n.called(name)) {
			ids[n.ID] = true
		}
	}
	ofBefore := own == "" && len(ids) > 0 && !well
	for _, n := range nodes {
		switch {
		case sure, byID, ids[n.ID]:
		case tell[n.ID] == 0 && (n.Host == "" || !hosted), ofBefore && n.Host == "":
			could = append(could, n.ID)
		}
	}
	return slices.Sorted(maps.Keys(ids)), could
}
