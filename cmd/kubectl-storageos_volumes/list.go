package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var healths = []string{string(v1.HealthHealthy), string(v1.HealthDegraded), string(v1.HealthOffline), string(v1.HealthUnknown)}

// list is the command that shows records.
type list struct {
	*cli
	output
	names    []string
	health   []string
	nodes    []string
	nodeIDs  []string // of StorageOS, of these nodes
	selector string
	labels   labels.Selector // which the selector is
}

func newList(c *cli) *cobra.Command {
	l := &list{cli: c}
	cmd := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "List records of volumes",
		Long: `List records of volumes. NAME is that of a record, of a PersistentVolume or of a
claim (also NAMESPACE/NAME), or a volume's ID, or what -o name prints. With --namespace, only volumes
that claims in that namespace use, whatever name they are asked for by.

If the records are old or not all of them true, or nobody says whether they are, standard error says so.
That is known by a Lease which the controller writes (--controller-namespace).

With -o json, yaml, jsonpath and the like the records are the .items of a List, also if there is
but one: a name may be that of several.`,
		Example: `  # All volumes
  kubectl storageos-volumes list

  # What somebody on call wants to see
  kubectl storageos-volumes list --health Degraded,Offline -o wide

  # The volumes of one team, those on one node
  kubectl storageos-volumes list -n team-01
  kubectl storageos-volumes list --node worker-3

  # kubectl's own flags stand behind the plugin's name
  kubectl storageos-volumes list --context production --as someone`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l.names = once(args)
			return l.run(cmd.Context())
		},
	}
	l.addFlag(cmd)
	l.addAllNamespaces(cmd)
	cmd.Flags().StringSliceVar(&l.health, "health", nil, "Only volumes of this health: "+strings.Join(healths, ", ")+"; can be several")
	cmd.Flags().StringArrayVar(&l.nodes, "node", nil, "Only volumes that are attached on, or have a copy on, this node; can be several")
	cmd.Flags().StringVarP(&l.selector, "selector", "l", "", "Only records with these labels")
	cmd.ValidArgsFunction = l.complete
	must(cmd.RegisterFlagCompletionFunc("node", l.completeNodes))
	must(cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions(healths, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// complete completes the names of records, and claims where there is a beginning of one.
func (l *list) complete(cmd *cobra.Command, given []string, begin string) ([]string, cobra.ShellCompDirective) {
	kube, client, err := l.clients()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	records, err := l.completeRecords(cmd.Context(), kube, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, r := range records {
		if !l.inNamespace(&r) {
			continue
		}
		names = append(names, r.Name)
		if claim := record.ClaimOf(&r); claim.Name != "" && begin != "" {
			names = append(names, claim.Namespace+"/"+claim.Name)
		}
	}
	return completions(names, given, begin), cobra.ShellCompDirectiveNoFileComp
}

func (l *list) run(ctx context.Context) error {
	if err := l.validate(); err != nil {
		return err
	}
	if l.health != nil && len(l.health) == 0 {
		return errors.New("--health is empty: is a variable unset? Name one, or leave it out")
	}
	for i, h := range l.health {
		known := slices.IndexFunc(healths, func(k string) bool { return strings.EqualFold(k, h) })
		if known < 0 {
			return unknownHealth(h)
		}
		l.health[i] = healths[known]
	}
	var err error
	if l.labels, err = labels.Parse(l.selector); err != nil {
		return fmt.Errorf("--selector %q: %w", l.selector, err)
	}
	kube, client, err := l.clients()
	if err != nil {
		return err
	}
	records, beat, warn, err := l.recordsNow(ctx, kube, client)
	if err != nil {
		return err
	}
	defer warn()
	if strange := unjoined(notElsewhere(records, beat), l.csiDriver); strange != "" {
		defer l.warn(capital(strange) + ".")
	}
	if len(l.nodes) > 0 {
		there := notGone(theirs(records), beat)
		defer l.warn(unplaced(there))
		err = l.findNodes(ctx, kube, records, record.Nodes(there))
	}
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(r v1.Volume) bool { return !l.inNamespace(&r) })
	missing := l.missing(records)
	selected := slices.DeleteFunc(records, func(r v1.Volume) bool { return !l.selects(&r) })
	if len(selected) == 0 && !l.isDocument() {
		if len(missing) > 0 {
			return notFound(missing, l.namespace())
		}
		if ns := l.namespace(); ns != "" {
			fmt.Fprintf(l.ErrOut, "No resources found of claims in namespace %s\n", ns)
			return nil
		}
		fmt.Fprintln(l.ErrOut, "No resources found")
		return nil
	}
	slices.SortFunc(selected, func(a, b v1.Volume) int { return cmp.Compare(a.Name, b.Name) })
	now := l.clock.now()
	var rows [][]any
	for i := range selected {
		selected[i].SetGroupVersionKind(v1.SchemeGroupVersion.WithKind("Volume"))
		selected[i].ManagedFields = nil
		rows = append(rows, row(&selected[i], now))
	}
	found := asFindings(selected, func(r v1.Volume) string { return volumeName(r.Name) })
	found.whole = found.document // as kubectl prints records
	err = l.print(l.Out, columns(
		[]string{"NAME", "CLAIM-NAMESPACE", "CLAIM", "CAPACITY", "HEALTH", "READY", "ATTACHED-ON", "AGE"},
		[]string{"VOLUME-ID", "PRESENT", "BOUND"}), rows, found)
	if err == nil && len(missing) > 0 {
		err = notFound(missing, l.namespace())
	}
	return err
}

// findNodes finds out which of StorageOS's nodes are meant. Who may not read CSINodes is left with
// what records call a node, and a name that they do not know may be one all the same. Known are the nodes
// of records whose volumes are not proven gone: what those call a node may be another's name by now.
func (l *list) findNodes(ctx context.Context, kube kubernetes.Interface, records []v1.Volume, known []record.Node) error {
	l.nodes = nodesCalled(l.nodes)
	if slices.Contains(l.nodes, "") {
		return errors.New("--node is empty: is a variable unset? Name a node, or leave it out")
	}
	csi, forbidden := l.csiNodes(ctx, kube)
	if forbidden != nil && !apierrors.IsForbidden(forbidden) {
		return forbidden
	}
	nodes, meant := meantNodes(l.nodes, csi, known)
	l.nodeIDs = slices.Collect(maps.Keys(meant))
	for _, n := range nodes {
		why := errors.New(mayBe(n, csi, known))
		if forbidden != nil {
			why = fmt.Errorf("which node of StorageOS %s is cannot be told: %w", n.Name, forbidden)
		}
		certain := forbidden == nil || slices.Contains(n.IDs, n.Name) // by its ID
		switch there := slices.ContainsFunc(records, func(r v1.Volume) bool { return isOn(&r, []string{n.Name}, n.IDs) }); {
		case certain && len(n.Could) == 0 && (there || len(n.IDs) > 0):
		case there:
			fmt.Fprintf(l.ErrOut, "There may be more: %v.\n", why)
		case len(n.Could) > 0 || forbidden != nil:
			return why
		default:
			return notFoundError(fmt.Sprintf("no node with volumes is called %s: see `kubectl storageos-volumes nodes`", n.Name))
		}
	}
	return nil
}

// missing are the names that no record answers to.
func (l *list) missing(records []v1.Volume) []string {
	missing := slices.Clone(l.names)
	for i := 0; i < len(records) && len(missing) > 0; i++ {
		names := namesOf(&records[i])
		missing = slices.DeleteFunc(missing, func(name string) bool { return slices.Contains(names, name) })
	}
	return missing
}

// namesOf are the names that a record answers to.
func namesOf(r *v1.Volume) []string {
	names := []string{r.Name, volumeName(r.Name), "volume/" + r.Name, "Volume/" + r.Name} // as events and verify say it, too
	if id := identity(r); id != "" {
		names = append(names, id)
	}
	if claim := record.ClaimOf(r); claim.Name != "" {
		names = append(names, claim.Name, claim.Namespace+"/"+claim.Name)
	}
	if pv := r.Status.PersistentVolume; pv != nil {
		names = append(names, pv.Name, persistentVolumeName(pv.Name), "pv/"+pv.Name, "PersistentVolume/"+pv.Name)
	}
	return names
}

// inNamespace tells whether a volume is one of those that --namespace asks for.
func (l *list) inNamespace(r *v1.Volume) bool {
	ns := l.namespace()
	return ns == "" || record.ClaimOf(r).Namespace == ns
}

func (l *list) selects(r *v1.Volume) bool {
	if !l.labels.Matches(labels.Set(r.Labels)) {
		return false
	}
	if len(l.health) > 0 && !slices.Contains(l.health, cmp.Or(string(r.Status.Health), string(v1.HealthUnknown))) {
		return false
	}
	if len(l.nodes) > 0 && !isOn(r, l.nodes, l.nodeIDs) {
		return false
	}
	if len(l.names) == 0 {
		return true
	}
	return slices.ContainsFunc(namesOf(r), func(name string) bool { return slices.Contains(l.names, name) })
}

// isOn tells whether a volume is on a node of these names or IDs.
func isOn(r *v1.Volume, names, ids []string) bool {
	return slices.ContainsFunc(slices.Concat(names, ids), func(node string) bool { return on(r, node) })
}

// on tells whether a volume is attached on a node or has a copy there.
func on(r *v1.Volume, node string) bool {
	hosts := []string{r.Status.AttachedOnHost, r.Status.AttachedOn}
	if m := r.Status.Master; m != nil {
		hosts = append(hosts, m.Hostname, m.NodeID)
	}
	for _, replica := range r.Status.Replicas {
		hosts = append(hosts, replica.Hostname, replica.NodeID)
	}
	return slices.Contains(hosts, node)
}

func row(r *v1.Volume, now time.Time) []any {
	claim, capacity := record.ClaimOf(r), ""
	if r.Status.Capacity != nil {
		capacity = r.Status.Capacity.String()
	}
	return []any{
		r.Name, claim.Namespace, claim.Name, capacity, string(r.Status.Health), r.Status.Ready, cmp.Or(r.Status.AttachedOnHost, r.Status.AttachedOn),
		age(r.CreationTimestamp.Time, now), identity(r), status(r, v1.ConditionPresent), status(r, v1.ConditionBound),
	}
}

func status(r *v1.Volume, condition string) string {
	if c := meta.FindStatusCondition(r.Status.Conditions, condition); c != nil {
		return string(c.Status)
	}
	return string(metav1.ConditionUnknown)
}
