package main

import (
	"cmp"
	"fmt"
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
	Nodes   []drainedNode  `json:"nodes"`
	Volumes []drainedEntry `json:"volumes"`
}

type drainedNode struct {
	Name string   `json:"name"`
	IDs  []string `json:"ids"` // of StorageOS
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
	f := foretold{Nodes: []drainedNode{}, Volumes: []drainedEntry{}, Doubts: append([]string{}, doubts...)}
	known, gone := record.Nodes(records), map[string]bool{}
	for _, name := range names {
		ids := record.NodeIDs(name, csi[name], known)
		if len(ids) == 0 {
			f.Doubts = append(f.Doubts, fmt.Sprintf("neither a CSINode nor a record says which of StorageOS's nodes %s is", name))
		} else if n := couldBe(cmp.Or(csi[name], name), ids, known, csi); n > 0 {
			f.Doubts = append(f.Doubts, mayBe(name, n))
		}
		for _, id := range ids {
			gone[id] = true
		}
		f.Nodes = append(f.Nodes, drainedNode{name, append([]string{}, ids...)})
	}
	counts, called := map[record.Outcome]int{}, namesOfNodes(csi)
	for _, v := range record.Drain(records, gone) {
		counts[v.Outcome]++
		claim := record.ClaimOf(v.Record)
		f.Volumes = append(f.Volumes, drainedEntry{
			v.Outcome, v.Record.Name, identity(v.Record), claim.Namespace, claim.Name, v.Attached, entries(v.Gone, called), entries(v.Left, called),
		})
	}
	f.conclude(names, counts, len(records))
	return f
}

// couldBe is how many nodes of StorageOS a node may be besides those with these IDs, if no copy that is
// well is on the one that its CSINode names, which may be of before it was made anew: those with volumes
// that no CSINode names. One that has a host name is not the node whose host name is another's.
func couldBe(id string, ids []string, known []record.Node, csi map[string]string) int {
	named := namesOfNodes(csi)
	hosted := slices.ContainsFunc(known, func(n record.Node) bool { return n.Host != "" && slices.Contains(ids, n.ID) })
	could := 0
	for _, n := range known {
		switch {
		case n.ID == id && (n.Health == v1.HealthHealthy || n.Health == v1.HealthDegraded):
			return 0
		case named[n.ID] == "" && !slices.Contains(ids, n.ID) && (n.Host == "" || !hosted):
			could++
		}
	}
	return could
}

// mayBe says of a node that it could be so many of StorageOS's.
func mayBe(name string, could int) string {
	return fmt.Sprintf("%s may be a node of StorageOS that no CSINode names: %d with volumes could be it", name, could)
}

// conclude says it in one sentence.
func (f *foretold) conclude(names []string, counts map[record.Outcome]int, all int) {
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
		f.Verdict, f.Summary = verdictSafe, fmt.Sprintf("Safe: %s none of %d volumes goes Offline; %s.", without, all, rest)
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
		return []string{fmt.Sprintf("the PersistentVolume %s has no record", without[0])}
	}
	return []string{fmt.Sprintf("%d PersistentVolumes have no record, %s among them", len(without), without[0])}
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
func spelled(copies []copyEntry, health bool) string {
	var all []string
	for _, c := range copies {
		text := c.Role + " " + c.Node
		if health {
			text += " (" + c.Health + ")"
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// enumerated are names in a sentence: all of a few.
func enumerated(names []string) string {
	const few = 5
	if len(names) > few {
		return fmt.Sprintf("these %d nodes", len(names))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
