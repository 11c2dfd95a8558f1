package record

import (
	"cmp"
	"maps"
	"slices"
)

// FindNode tells by their IDs which nodes of StorageOS a node of Kubernetes is, each of which it may
// be, and which it could be besides. None of both: it cannot be told. Csi are the IDs that CSINodes
// tell, by the names of their nodes. A node that was made anew keeps its host name, and its CSINode may
// be of before. Records may have several host names for one node: each is its name, but one of several
// may be of before.
func FindNode(name string, csi map[string]string, nodes []Node) (is, could []string) {
	w := wanted{name: name, id: csi[name], tells: map[string]int{}}
	for _, id := range csi {
		w.tells[id]++
	}
	ids := map[string]bool{}
	if w.id != "" {
		ids[w.id] = true
	}
	if w.tells[name] > 0 || slices.ContainsFunc(nodes, func(n Node) bool { return n.ID == name }) {
		ids[name] = true
		w.byID, w.id = w.id == "", cmp.Or(w.id, name)
	}
	w.learn(nodes)
	for i := range nodes {
		if w.is(&nodes[i]) {
			ids[nodes[i].ID] = true
		}
	}
	for i := range nodes {
		if id := nodes[i].ID; !ids[id] && w.could(&nodes[i], len(ids) > 0) {
			could = append(could, id)
		}
	}
	return slices.Sorted(maps.Keys(ids)), could
}

// wanted is the node of Kubernetes that is asked for, and what is known of it.
type wanted struct {
	name  string
	id    string         // what its CSINode tells, or the name if that is an ID
	byID  bool           // no CSINode has the name, and it is an ID
	tells map[string]int // how many CSINodes tell each ID

	hosts  map[string]bool // what it may be called: the name, the ID and the host names of that
	sure   bool            // its CSINode is not of before: it alone tells the ID, and a copy that is well is there
	own    bool            // it is the host name of the ID: one with another host name may be it if it is well
	hosted bool            // records have its host name: one with another host name is another node
	well   bool            // a copy is well under the host name that was asked for
}

// learn learns what nodes tell of it.
func (w *wanted) learn(nodes []Node) {
	w.hosts = map[string]bool{w.name: true, w.id: true}
	own, unnamed, another := false, false, false // of those who are called so: it is the ID's, no CSINode names it, one names another
	for i := range nodes {
		n := &nodes[i]
		if n.ID == w.id {
			alone := w.tells[n.ID] == 1 // else it may be another's
			w.sure = alone && n.Usable > 0
			for host := range n.hosts {
				w.hosts[host] = true
			}
		}
		if _, called := n.hosts[w.name]; called {
			named := w.tells[n.ID] > 0
			own = own || n.ID == w.id && w.tells[n.ID] == 1 && len(n.hosts) == 1
			unnamed = unnamed || !named && len(n.hosts) == 1 && n.hosts[w.name] > 0
			another = another || named && n.ID != w.id
			w.well = w.well || n.hosts[w.name] > 0
		}
	}
	w.own = own && !another
	w.hosted = unnamed && !another // else the name is another machine's, or what that was before
}

// is tells whether a node may be it: it is called so, or as the ID is, unless it is known that another is.
func (w *wanted) is(n *Node) bool {
	if _, called := n.hosts[w.name]; called {
		return true
	}
	for host := range n.hosts {
		if w.hosts[host] {
			return !w.byID && (!w.sure || w.tells[n.ID] == 0)
		}
	}
	return false
}

// could tells whether one that is not known to be it could be it nevertheless, some having been found.
func (w *wanted) could(n *Node, found bool) bool {
	ofBefore := w.id == "" && found && !w.well // a host name that a node had before is all that was found
	switch {
	case w.sure, w.byID:
		return false
	case n.Host == "":
		return w.tells[n.ID] == 0 || ofBefore
	default:
		another := w.hosted || w.own && n.Usable == 0
		return w.tells[n.ID] == 0 && !another
	}
}
