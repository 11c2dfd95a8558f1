package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// foretold is what is said, as a document.
type foretold struct {
	Verdict string         `json:"verdict"` // safe, unsafe or unknown
	Summary string         `json:"summary"`
	Doubts  []string       `json:"doubts"`
	Nodes   []meantNode    `json:"nodes"`
	Volumes []drainedEntry `json:"volumes"`
}

type meantNode struct {
	Name  string   `json:"name"`
	IDs   []string `json:"ids"`             // of StorageOS
	Could []string `json:"could,omitempty"` // others that it could be, none of which is meant
}

type drainedEntry struct {
	Outcome   record.Outcome `json:"outcome"`
	Name      string         `json:"name"` // of the record
	VolumeID  string         `json:"volumeID"`
	Namespace string         `json:"namespace,omitempty"` // of the claim
	Claim     string         `json:"claim,omitempty"`
	Attached  bool           `json:"attached"` // on one of the nodes
	Goes      []copyEntry    `json:"goes"`
	Stays     []copyEntry    `json:"stays"`
}

type copyEntry struct {
	Role   string `json:"role"`
	Node   string `json:"node"` // as it is called in Kubernetes
	NodeID string `json:"nodeID"`
	Health string `json:"health"`
}

// What the answer may be.
const (
	verdictSafe    = "safe"
	verdictUnsafe  = "unsafe"
	verdictUnknown = "unknown"
)

// foretell finds out which nodes are meant, and what becomes of volumes without them.
func foretell(names []string, csi map[string]string, records []v1.Volume, doubts []string) foretold {
	f := foretold{Nodes: []meantNode{}, Volumes: []drainedEntry{}, Doubts: append([]string{}, doubts...)}
	known := record.Nodes(records)
	nodes, gone := meantNodes(names, csi, known)
	f.Nodes = append(f.Nodes, nodes...)
	atMost := outcomes(record.Drain(records, withAll(gone, nodes)))
	matters := atMost[record.OutcomeOffline]+atMost[record.OutcomeUnknown] > 0 // which of them it is
	for _, n := range f.Nodes {
		if len(n.IDs) == 0 {
			f.Doubts = append(f.Doubts, fmt.Sprintf("neither a CSINode nor a record says which node of StorageOS %s is: see `kubectl storageos-volumes nodes`", n.Name))
		} else if len(n.Could) > 0 && matters {
			f.Doubts = append(f.Doubts, mayBe(n, csi, known))
		}
	}
	drained, called := record.Drain(records, gone), namesOfNodes(csi)
	for _, v := range drained {
		claim := record.ClaimOf(v.Record)
		f.Volumes = append(f.Volumes, drainedEntry{
			v.Outcome, v.Record.Name, identity(v.Record), claim.Namespace, claim.Name, v.Attached, entries(v.Gone, called), entries(v.Left, called),
		})
	}
	f.conclude(names, besides(nodes, known, atMost), outcomes(drained), len(records))
	return f
}

// meantNodes are the nodes that names mean, and the IDs of all of them.
func meantNodes(names []string, csi map[string]string, known []record.Node) ([]meantNode, map[string]bool) {
	var nodes []meantNode
	meant := map[string]bool{}
	for _, name := range names {
		ids, could := record.FindNode(name, csi, known)
		for _, id := range ids {
			meant[id] = true
		}
		nodes = append(nodes, meantNode{name, append([]string{}, ids...), could})
	}
	for i := range nodes {
		nodes[i].Could = slices.DeleteFunc(nodes[i].Could, func(id string) bool { return meant[id] })
	}
	return nodes, meant
}

// withAll are these nodes of StorageOS and all that the others could be.
func withAll(gone map[string]bool, nodes []meantNode) map[string]bool {
	all := maps.Clone(gone)
	for _, n := range nodes {
		for _, id := range n.Could {
			all[id] = true
		}
	}
	return all
}

// mayBe says of a node which of StorageOS's it could be.
func mayBe(n meantNode, csi map[string]string, known []record.Node) string {
	why := "the CSINode of " + n.Name + " may be of before it was made anew"
	if csi[n.Name] == "" {
		why = "no CSINode says which node of StorageOS " + n.Name + " is"
	}
	which := ", which no CSINode names"
	for _, id := range csi {
		if slices.Contains(n.Could, id) {
			which = "" // a host name of before was asked for
		}
	}
	return why + ": it could be " + alternatives(n.Could, known) + which
}

// outcomes counts volumes by what becomes of them.
func outcomes(volumes []record.Drained) map[record.Outcome]int {
	counts := map[record.Outcome]int{}
	for _, v := range volumes {
		counts[v.Outcome]++
	}
	return counts
}

// besides says what becomes of volumes if nodes are others than they seem, of which none goes Offline
// then, either: "" if each is what it seems.
func besides(nodes []meantNode, known []record.Node, atMost map[record.Outcome]int) string {
	var which []string
	names := map[string][]string{} // by what they could be
	for _, n := range nodes {
		if len(n.Could) > 0 {
			could := alternatives(n.Could, known)
			if names[could] == nil {
				which = append(which, could)
			}
			names[could] = append(names[could], n.Name)
		}
	}
	if len(which) == 0 {
		return ""
	}
	for i, could := range which {
		which[i] = fmt.Sprintf("%s %s %s", enumerated(names[could]), verb(len(names[could]), "is", "are"), could)
	}
	then := "none goes"
	if n := atMost[record.OutcomeDegraded]; n > 0 {
		then = "at most " + how(n, "goes", "go")
	}
	return fmt.Sprintf("; nor does one go Offline if %s, when %s Degraded", joinedBy("or", which), then)
}

// conclude says it in one sentence.
func (f *foretold) conclude(names []string, besides string, counts map[record.Outcome]int, all int) {
	rest := fmt.Sprintf("%s Degraded, %s only moved, %s not concerned",
		how(counts[record.OutcomeDegraded], "goes", "go"), how(counts[record.OutcomeMoved], "is", "are"), how(all-len(f.Volumes), "is", "are"))
	without := "without " + enumerated(names) + ","
	if n := counts[record.OutcomeUnknown]; n > 0 {
		f.Doubts = append(f.Doubts, fmt.Sprintf("nobody knows where the copies are that %d of %d volumes depend on", n, all))
	}
	switch n := counts[record.OutcomeOffline]; {
	case len(f.Doubts) > 0:
		f.Verdict, f.Summary = verdictUnknown, fmt.Sprintf("It cannot be told: %s.", strings.Join(f.Doubts, "; "))
	case n > 0:
		f.Verdict, f.Summary = verdictUnsafe, fmt.Sprintf("Not safe: %s %d of %d volumes %s Offline; %s.", without, n, all, verb(n, "goes", "go"), rest)
	default:
		f.Verdict, f.Summary = verdictSafe, fmt.Sprintf("Safe: %s none of %d volumes goes Offline; %s%s.", without, all, rest, besides)
	}
}

// how is how many there are of something, and its verb.
func how(n int, one, many string) string {
	if n == 0 {
		return "none " + one
	}
	return fmt.Sprintf("%d %s", n, verb(n, one, many))
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// unrecorded is a doubt if a PersistentVolume is there and the record of its volume is not:
// somebody may have deleted it.
func unrecorded(records []v1.Volume, pvs []corev1.PersistentVolume) []string {
	recorded := map[string]bool{}
	for i := range records {
		recorded[identity(&records[i])] = true
	}
	var without []string
	for i := range pvs {
		if !recorded[volumeOf(&pvs[i])] && !deletes(&pvs[i]) {
			without = append(without, pvs[i].Name)
		}
	}
	if len(without) == 0 {
		return nil
	}
	slices.Sort(without)
	if len(without) == 1 {
		return []string{fmt.Sprintf("the PersistentVolume %s has no record (see `kubectl storageos-volumes orphans`)", without[0])}
	}
	return []string{fmt.Sprintf("%d PersistentVolumes have no record, %s among them (see `kubectl storageos-volumes orphans`)", len(without), without[0])}
}

// strangeDriver says that there is no PersistentVolume of the driver although records of volumes that are there
// name some, "" if there is nothing strange: the driver may be mistyped.
func strangeDriver(records []v1.Volume, pvs []corev1.PersistentVolume, driver string) string {
	if len(pvs) > 0 || !slices.ContainsFunc(records, func(r v1.Volume) bool {
		return r.Status.PersistentVolume != nil && !isAbsent(&r) && r.DeletionTimestamp == nil
	}) {
		return ""
	}
	return fmt.Sprintf("records name PersistentVolumes, and none is of the CSI driver %s (--csi-driver)", driver)
}

func entries(copies []record.Copy, called nodeNames) []copyEntry {
	all := []copyEntry{}
	for _, c := range copies {
		e := copyEntry{"replica", called.name(c.NodeID, c.Host), c.NodeID, c.Health}
		if c.Master {
			e.Role = "master"
		}
		all = append(all, e)
	}
	return all
}

// spelled are copies in a cell of a table.
func spelled(copies []copyEntry) string {
	var all []string
	for _, c := range copies {
		all = append(all, fmt.Sprintf("%s %s (%s)", c.Role, cmp.Or(c.Node, "somewhere"), c.Health))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// few is how many names a sentence has.
const few = 5

// enumerated are names in a sentence: all of a few.
func enumerated(names []string) string {
	if len(names) > few {
		return fmt.Sprintf("these %d nodes", len(names))
	}
	return joinedBy("and", names)
}

// alternatives are nodes of StorageOS of which one is meant, with their host names where they are known.
func alternatives(ids []string, known []record.Node) string {
	if len(ids) > few {
		return fmt.Sprintf("one of %d of StorageOS's nodes (see `kubectl storageos-volumes nodes -o wide`)", len(ids))
	}
	called := slices.Clone(ids)
	for _, n := range known {
		if i := slices.Index(ids, n.ID); i >= 0 && n.Host != "" {
			called[i] = n.Host + " (" + n.ID + ")"
		}
	}
	return "StorageOS's node " + plain(joinedBy("or", called))
}

func joinedBy(word string, names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " " + word + " " + names[n-1]
	}
	return strings.Join(names, "")
}
