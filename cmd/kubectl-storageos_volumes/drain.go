package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// drainCheck is the command that foretells what becomes of volumes when nodes go.
type drainCheck struct {
	*cli
	output
	selector string
}

func newDrainCheck(c *cli) *cobra.Command {
	d := &drainCheck{cli: c}
	cmd := &cobra.Command{
		Use:   "drain-check NODE...",
		Short: "Tell what would become of volumes if these nodes went, all at once",
		Long: `Tell what would become of volumes if these nodes went, all at once:

  Offline   no copy would be left that the volume could go on with
  Unknown   it depends on a copy of which nobody knows where it is
  Degraded  the volume would go on, with fewer copies than it wants
  Moved     it would be used from, or led by, another node

Nothing is asked but Kubernetes: what the records say, which of StorageOS's nodes
each node is (CSINodes), and when StorageOS was last listed completely. That may be up
to a minute ago, and what has happened since is not in the answer; if it is longer ago,
it cannot be told.

With -o json, yaml, jsonpath and go-template it is one document, with verdict (safe, unsafe
or unknown), summary, doubts, nodes and volumes; custom-columns have a row a volume.

Exit code 0: safe, no volume goes Offline; 1: not safe; 2: it cannot be told, and
why is said.`,
		Example: `  kubectl storageos-volumes drain-check worker-3

  # A whole zone
  kubectl storageos-volumes drain-check --selector topology.kubernetes.io/zone=a -o wide`,
		ValidArgsFunction: c.completeNodes,
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args) },
	}
	d.addFlag(cmd)
	d.addAllNamespaces(cmd)
	cmd.Flags().StringVarP(&d.selector, "selector", "l", "", "The nodes with these labels")
	return cmd
}

func (d *drainCheck) run(ctx context.Context, names []string) error {
	if err := d.validate(); err != nil {
		return err
	}
	names = nodesCalled(names)
	if slices.Contains(names, "") {
		return errors.New("one of the nodes has an empty name: is a variable unset? `kubectl storageos-volumes drain-check NODE...`")
	}
	switch {
	case len(names) == 0 && d.selector == "":
		return errors.New("name the nodes, or say --selector: `kubectl storageos-volumes drain-check NODE...`")
	case len(names) > 0 && d.selector != "":
		return errors.New("name the nodes or say --selector, not both: `kubectl storageos-volumes drain-check NODE...`")
	}
	d.needsNoNamespace("A drain concerns volumes of all namespaces")
	kube, client, err := d.clients()
	if err != nil {
		return err
	}
	if d.selector != "" {
		if names, err = selectNodes(ctx, kube, d.selector); err != nil {
			return err
		}
	}
	is, doubts, err := d.settled(ctx, func() (evidence, error) {
		older, err := d.olderCRD(ctx)
		if err != nil {
			return evidence{}, err
		}
		is, err := d.read(ctx, kube, client)
		is.older = older
		return is, err
	})
	if err != nil {
		return err
	}
	if d.selector != "" {
		doubts = append(doubts, calledLikeIDs(names, is)...)
	}
	f := foretell(names, is.csi, is.notGone(), doubts)
	if err := d.show(f); err != nil {
		return err
	}
	switch f.Verdict {
	case verdictSafe:
		return nil
	case verdictUnsafe:
		return said(exitNot)
	default:
		return said(exitError)
	}
}

// read reads what is known now. How old the records are is asked first.
func (d *drainCheck) read(ctx context.Context, kube kubernetes.Interface, client versioned.Interface) (evidence, error) {
	beat, err := d.heartbeat(ctx, kube)
	if err != nil {
		return evidence{}, err
	}
	csi, err := d.csiNodes(ctx, kube)
	if err != nil {
		return evidence{}, err
	}
	records, pvs, err := d.both(ctx, kube, client)
	return evidence{beat: beat, csi: csi, records: theirs(records), pvs: pvs, driver: d.csiDriver, lease: d.controllerNamespace}, err
}

// calledLikeIDs are doubts about nodes of Kubernetes without a CSINode, each of which is called as StorageOS
// calls a node: who has asked for labels has not asked for that one.
func calledLikeIDs(names []string, is evidence) []string {
	ids := map[string]bool{}
	for _, id := range is.csi {
		ids[id] = true // it may have no volumes
	}
	for _, n := range record.Nodes(is.records) {
		ids[n.ID] = true
	}
	var doubts []string
	for _, name := range names {
		if ids[name] && is.csi[name] == "" {
			doubts = append(doubts, fmt.Sprintf("no CSINode says which node of StorageOS %s is, and one of those has that as its ID", name))
		}
	}
	return doubts
}

func (d *drainCheck) show(f foretold) error {
	if d.isDocument() { // which a template may leave without the end of a line
		fmt.Fprintln(d.ErrOut, f.Summary)
	}
	if len(f.Volumes) > 0 || d.isDocument() {
		var rows [][]any
		for _, v := range f.Volumes {
			attached := ""
			if v.Attached {
				attached = "yes"
			}
			rows = append(rows, []any{string(v.Outcome), v.Namespace, v.Claim, v.Name, spelled(v.Goes), spelled(v.Stays), attached, v.VolumeID})
		}
		found := asFindings(f.Volumes, func(v drainedEntry) string { return volumeName(v.Name) })
		found.whole, found.document = f, f
		if err := d.print(d.Out, columns([]string{"OUTCOME", "NAMESPACE", "CLAIM", "VOLUME", "GOES", "STAYS"}, []string{"ATTACHED-THERE", "VOLUME-ID"}), rows, found); err != nil {
			return err
		}
	}
	if !d.isDocument() {
		fmt.Fprintln(d.Out, f.Summary)
	}
	return nil
}
