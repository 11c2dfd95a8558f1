package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
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
each node is (CSINodes), and when StorageOS was last listed completely.

Exit code 0: safe, no volume goes Offline; 1: not safe; 2: it cannot be told, and
why is said.`,
		Example: `  kubectl storageos-volumes drain-check worker-3

  # A whole zone
  kubectl storageos-volumes drain-check --selector topology.kubernetes.io/zone=a -o wide`,
		ValidArgsFunction: c.completeNodes,
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args) },
	}
	d.addFlag(cmd)
	cmd.Flags().StringVarP(&d.selector, "selector", "l", "", "The nodes with these labels")
	return cmd
}

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
	Node   string `json:"node"` // its host name, or the ID of StorageOS if nobody knows one
	Health string `json:"health"`
}

// What the answer may be.
const (
	verdictSafe    = "safe"
	verdictUnsafe  = "unsafe"
	verdictUnknown = "unknown"
)

func (d *drainCheck) run(ctx context.Context, names []string) error {
	if err := d.validate(); err != nil {
		return err
	}
	if (len(names) == 0) == (d.selector == "") {
		return errors.New("name the nodes, or say --selector: `kubectl storageos-volumes drain-check NODE...`")
	}
	kube, client, err := d.clients()
	if err != nil {
		return err
	}
	if d.selector != "" {
		if names, err = selectNodes(ctx, kube, d.selector); err != nil {
			return err
		}
	}
	ids, err := d.csiNodes(ctx, kube)
	if err != nil {
		return err
	}
	// How old the records are is asked before they are read: they may only be newer than that.
	beat, err := d.heartbeat(ctx, kube)
	if err != nil {
		return err
	}
	records, err := d.completeRecords(ctx, kube, client, "")
	if err != nil {
		return err
	}
	records = theirs(records)
	pvs, err := d.listPersistentVolumes(ctx, kube)
	if err != nil {
		return err
	}
	doubts := append(record.Doubts(records, beat, time.Now()), unrecorded(records, pvs)...)
	older, err := d.olderCRD(ctx)
	if err != nil {
		return err
	}
	if older != "" {
		doubts = append(doubts, older)
	}
	f := foretell(names, ids, records, doubts)
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

// foretell finds out which nodes are meant, and what becomes of volumes without them.
func foretell(names []string, csi map[string]string, records []v1.Volume, doubts []string) foretold {
	f := foretold{Nodes: []drainedNode{}, Volumes: []drainedEntry{}, Doubts: append([]string{}, doubts...)}
	known, gone := record.Nodes(records), map[string]bool{}
	for _, name := range names {
		ids := record.NodeIDs(name, csi[name], known)
		if len(ids) == 0 {
			f.Doubts = append(f.Doubts, fmt.Sprintf("neither a CSINode nor a record says which of StorageOS's nodes %s is", name))
		}
		for _, id := range ids {
			gone[id] = true
		}
		f.Nodes = append(f.Nodes, drainedNode{name, append([]string{}, ids...)})
	}
	counts := map[record.Outcome]int{}
	for _, v := range record.Drain(records, gone) {
		counts[v.Outcome]++
		claim := record.ClaimOf(v.Record)
		f.Volumes = append(f.Volumes, drainedEntry{
			v.Outcome, v.Record.Name, identity(v.Record), claim.Namespace, claim.Name, v.Attached, entries(v.Gone), entries(v.Left),
		})
	}
	f.conclude(names, counts, len(records))
	return f
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

func (d *drainCheck) show(f foretold) error {
	if len(f.Volumes) > 0 || d.isDocument() {
		var rows [][]any
		for _, v := range f.Volumes {
			attached := ""
			if v.Attached {
				attached = "yes"
			}
			rows = append(rows, []any{string(v.Outcome), v.Namespace, v.Claim, v.Name, spelled(v.Goes, false), spelled(v.Stays, true), attached, v.VolumeID})
		}
		if err := d.print(d.Out, columns([]string{"OUTCOME", "NAMESPACE", "CLAIM", "VOLUME", "GOES", "STAYS"}, []string{"ATTACHED-THERE", "VOLUME-ID"}), rows, f,
			asObjects("Volume", f.Volumes, func(v drainedEntry) string { return v.Name })); err != nil {
			return err
		}
	}
	if d.isDocument() {
		fmt.Fprintln(d.ErrOut, f.Summary)
	} else {
		fmt.Fprintln(d.Out, f.Summary)
	}
	return nil
}

func entries(copies []record.Copy) []copyEntry {
	all := []copyEntry{}
	for _, c := range copies {
		e := copyEntry{"replica", c.Host, c.Health}
		if c.Master {
			e.Role = "master"
		}
		if e.Node == "" {
			e.Node = c.NodeID
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

// theirs are the records that describe volumes, of several of one volume the one that counts.
func theirs(records []v1.Volume) []v1.Volume {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b v1.Volume) int { return recordRank(&a).Compare(recordRank(&b)) })
	seen := map[string]bool{}
	return slices.DeleteFunc(records, func(r v1.Volume) bool {
		id := identity(&r)
		known := seen[id]
		seen[id] = true
		return id == "" || known
	})
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

// selectNodes are the names of nodes with labels.
func selectNodes(ctx context.Context, kube kubernetes.Interface, selector string) ([]string, error) {
	nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing nodes with the labels %q: %w", selector, err)
	}
	var names []string
	for _, n := range nodes.Items {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no node has the labels %q: see `kubectl get nodes --show-labels`", selector)
	}
	slices.Sort(names)
	return names, nil
}

// csiNodes are the IDs that the driver has given to the nodes of Kubernetes, by their names.
func (c *cli) csiNodes(ctx context.Context, kube kubernetes.Interface) (map[string]string, error) {
	ids := map[string]string{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := kube.StorageV1().CSINodes().List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing CSINodes, which say which of StorageOS's nodes a node is: %w", err)
		}
		for _, n := range list.Items {
			for _, driver := range n.Spec.Drivers {
				if driver.Name == c.csiDriver {
					ids[n.Name] = driver.NodeID
				}
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return ids, nil
		}
	}
}

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// olderCRD says what the CRD of the records drops, "" if it drops nothing.
func (c *cli) olderCRD(ctx context.Context) (string, error) {
	config, err := c.config.ToRESTConfig()
	if err != nil {
		return "", err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return "", err
	}
	crd, err := client.Resource(crdResource).Get(ctx, record.CRDName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("looking whether the CRD of the records keeps all that is written: %w", err)
	}
	if lacks := record.LackingFields(crd.Object); len(lacks) > 0 {
		return fmt.Sprintf("the CRD of the records is older than this plugin and drops %s (the current one: deploy/crd)", strings.Join(lacks, ", ")), nil
	}
	return "", nil
}
