package main

import (
	"cmp"
	"context"
	"fmt"
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
  DEGRADED           volumes with a copy there that are not Healthy
  LAST-COPIES        copies there without which their volume could not go on
  HEALTH             of the copies there: Healthy, Degraded (some are not well),
                     Offline (none is), Unknown (there are none)

If the records are old, or nobody says how old they are, standard error says so. With -o json
and the like the nodes are the .items of a List.`,
		Example: `  kubectl storageos-volumes nodes
  kubectl storageos-volumes list --node worker-3 -o wide`,
		Args:              noNames,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return n.run(cmd.Context()) },
	}
	n.addFlag(cmd)
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
	kube, client, err := n.clients()
	if err != nil {
		return err
	}
	records, err := n.completeRecords(ctx, kube, client, "")
	if err != nil {
		return err
	}
	defer n.warn(ctx, kube)
	csi, err := n.csiNodes(ctx, kube)
	if err != nil && !apierrors.IsForbidden(err) { // names are told by records too
		return err
	}
	found := nodeEntries(record.Nodes(theirs(records)), csi)
	if len(found) == 0 && !n.isDocument() {
		fmt.Fprintln(n.ErrOut, "No resources found")
		return nil
	}
	var rows [][]any
	for _, e := range found {
		rows = append(rows, []any{e.Name, e.Masters, e.Replicas, e.Attached, e.Degraded, e.LastCopies, string(e.Health), e.NodeID})
	}
	return n.print(n.Out, columns([]string{"NODE", "MASTERS", "REPLICAS", "ATTACHED", "DEGRADED", "LAST-COPIES", "HEALTH"}, []string{"NODE-ID"}), rows,
		asFindings(found, func(e nodeEntry) string { return "node/" + e.Name }))
}

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

// nodeNames are the names of nodes in Kubernetes, by their IDs in StorageOS.
type nodeNames map[string]string

func namesOfNodes(csi map[string]string) nodeNames {
	names := nodeNames{}
	for name, id := range csi {
		names[id] = name
	}
	return names
}

// name is what a node is called: its host name, or its ID, if no CSINode names it.
func (n nodeNames) name(id, host string) string { return cmp.Or(n[id], host, id) }

// completeNodes completes the names of nodes: those that CSINodes name, and those by which
// records alone know a node.
func (c *cli) completeNodes(cmd *cobra.Command, given []string, begin string) ([]string, cobra.ShellCompDirective) {
	kube, client, err := c.clients()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	records, err := listRecords(cmd.Context(), client, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	csi, err := c.csiNodes(cmd.Context(), kube)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, n := range nodeEntries(record.Nodes(records), csi) {
		if n.Name != n.NodeID {
			names = append(names, n.Name)
		}
	}
	return completions(names, given, begin), cobra.ShellCompDirectiveNoFileComp
}

// completions are the names, each once, that begin like this and were not given yet.
func completions(names, given []string, begin string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return !strings.HasPrefix(name, begin) || slices.Contains(given, name)
	})
}
