package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// nodes is the command that shows what is on each node.
type nodes struct {
	*cli
	output
}

func newNodes(c *cli) *cobra.Command {
	n := &nodes{cli: c}
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "Show what is on each node of StorageOS",
		Long: `Show what is on each node of StorageOS, as the records tell:

  MASTERS, REPLICAS  copies of volumes
  ATTACHED           volumes that are used there
  DEGRADED           volumes with a copy there that are not Healthy, of those
                     that StorageOS lists
  LAST-COPIES        copies there without which their volume could not go on
  HEALTH             of the copies there: Healthy, Degraded (some are not well),
                     Offline (none is), Unknown (there are none, or only
                     those of volumes that StorageOS does not list)

If the records are old or not all of them true, or nobody says whether they are, standard error says
so. With -o jsonpath and other templates the nodes are the .items of a List.`,
		Example: `  kubectl storageos-volumes nodes
  kubectl storageos-volumes list --node worker-3 -o wide`,
		Args:              noNames,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return n.run(cmd.Context()) },
	}
	n.addFlag(cmd)
	n.addAllNamespaces(cmd)
	return cmd
}

// nodeEntry is a node, as a document.
type nodeEntry struct {
	Name       string    `json:"name"` // in Kubernetes, or its host name
	NodeID     string    `json:"nodeID"`
	Masters    int       `json:"masters"`
	Replicas   int       `json:"replicas"`
	Attached   int       `json:"attached"`
	Degraded   int       `json:"degraded"`
	LastCopies int       `json:"lastCopies"`
	Health     v1.Health `json:"health"`
}

func (n *nodes) run(ctx context.Context) error {
	if err := n.validate(); err != nil {
		return err
	}
	n.needsNoNamespace("Nodes have no namespace")
	kube, client, err := n.clients()
	if err != nil {
		return err
	}
	records, beat, warn, err := n.recordsNow(ctx, kube, client)
	if err != nil {
		return err
	}
	defer warn()
	csi, err := n.csiNodes(ctx, kube)
	if err != nil && !apierrors.IsForbidden(err) { // names are told by records too
		return err
	}
	if err != nil {
		defer fmt.Fprintln(n.ErrOut, "Without the right to list CSINodes, nodes without volumes are not shown, nor what Kubernetes calls the others.")
	}
	records = notGone(theirs(records), beat)
	defer n.warn(unplaced(records))
	known := record.Nodes(records)
	if err == nil {
		defer n.warn(unnamed(known, csi))
	}
	found := nodeEntries(known, csi)
	if len(found) == 0 && !n.isDocument() {
		fmt.Fprintln(n.ErrOut, "No resources found")
		return nil
	}
	var rows [][]any
	for _, e := range found {
		rows = append(rows, []any{e.Name, e.Masters, e.Replicas, e.Attached, e.Degraded, e.LastCopies, string(e.Health), e.NodeID})
	}
	return n.print(n.Out, columns([]string{"NODE", "MASTERS", "REPLICAS", "ATTACHED", "DEGRADED", "LAST-COPIES", "HEALTH"}, []string{"NODE-ID"}), rows,
		asFindings(found, func(e nodeEntry) string {
			e.Name = plain(e.Name)
			return "node/" + strings.Join(e.names(), "\nnode/")
		}))
}

// unnamed says which nodes with volumes no CSINode names, and whose CSINodes may be of before, "" if each
// is named. Where no CSINode names any, as where the driver does not run, nothing of a node is missed by that.
func unnamed(known []record.Node, csi map[string]string) string {
	names := namesOfNodes(csi)
	var ids, before []string
	for _, n := range known {
		if names[n.ID] == "" {
			ids = append(ids, n.ID)
		}
	}
	if len(ids) == 0 || len(csi) == 0 {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(csi)) {
		if _, could := record.FindNode(name, csi, known); len(could) > 0 {
			before = append(before, name)
		}
	}
	said := "No CSINode names " + alternatives(ids, known)
	if n := len(before); n > 0 {
		said += fmt.Sprintf("; %s of %s may be of before %s made anew", verb(n, "the CSINode", "the CSINodes"), enumerated(before), verb(n, "it was", "they were"))
	}
	return said + "."
}

// names are those of a node, each by itself.
func (e nodeEntry) names() []string { return strings.Split(e.Name, severalNames) }

// nodeEntries are the nodes under the names that Kubernetes has for them, with those that
// have no volume.
func nodeEntries(known []record.Node, csi map[string]string) []nodeEntry {
	names := namesOfNodes(csi)
	for id := range names {
		if !slices.ContainsFunc(known, func(n record.Node) bool { return n.ID == id }) {
			known = append(known, record.Node{ID: id, Health: v1.HealthUnknown})
		}
	}
	found := []nodeEntry{}
	for _, n := range known {
		found = append(found, nodeEntry{
			names.name(n.ID, n.Host), n.ID, n.Masters, n.Replicas, n.Attached, n.Degraded, n.LastCopies, n.Health,
		})
	}
	slices.SortFunc(found, func(a, b nodeEntry) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.NodeID, b.NodeID)) })
	return found
}

// nodeNames are the names of nodes in Kubernetes, by their IDs in StorageOS. A node that was made
// anew under another name may still have the CSINode of before: both are its names, in order.
type nodeNames map[string]string

// severalNames is between them: no name has it.
const severalNames = ","

func namesOfNodes(csi map[string]string) nodeNames {
	names := nodeNames{}
	for _, name := range slices.Sorted(maps.Keys(csi)) {
		id := csi[name]
		if names[id] != "" {
			name = names[id] + severalNames + name
		}
		names[id] = name
	}
	return names
}

// nodesCalled are the names of nodes, each once, also if they are given as they are printed.
func nodesCalled(given []string) []string {
	var names []string
	for _, name := range given {
		for _, name := range strings.Split(name, severalNames) {
			names = append(names, cmp.Or(strings.TrimPrefix(name, "node/"), name))
		}
	}
	return once(names)
}

// name is what a node is called: its host name, or its ID, if no CSINode names it.
func (n nodeNames) name(id, host string) string { return cmp.Or(n[id], host, id) }
