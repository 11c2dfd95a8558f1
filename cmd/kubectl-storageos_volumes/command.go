package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/recordclient"
	"github.com/storageos/volume-sync-controller/pkg/version"
)

// pageSize is how many objects are read at a time: some MB, and few requests.
const pageSize = 5000

// cli is what the commands have in common: kubectl's own flags, and where they
// write.
type cli struct {
	genericiooptions.IOStreams
	config              *genericclioptions.ConfigFlags
	csiDriver           string
	controllerNamespace string
	allNamespaces       bool
	clock               clock
}

func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	c := &cli{IOStreams: streams, config: genericclioptions.NewConfigFlags(true)}
	cmd := &cobra.Command{
		Use:   "kubectl-storageos_volumes",
		Short: "Show StorageOS volumes as Kubernetes records them",
		Long: `Show the records of StorageOS volumes, what is orphaned, and whether records,
PersistentVolumes and StorageOS agree.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl storageos-volumes"},
		Version:       version.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetOut(streams.Out)
	cmd.SetErr(streams.ErrOut)
	// Few values are files, and these say so.
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	c.addConnection(cmd)
	cmd.PersistentFlags().StringVar(&c.csiDriver, "csi-driver", "csi.storageos.com", "CSI driver whose PersistentVolumes are StorageOS volumes")
	cmd.PersistentFlags().StringVar(&c.controllerNamespace, "controller-namespace", "storageos", "Namespace in which the controller runs")
	cmd.AddCommand(newList(c), newNodes(c), newOrphans(c), newDrainCheck(c), newVerify(c), newVersion(c))
	cmd.SetVersionTemplate(versionLine())
	return cmd
}

// addConnection adds kubectl's own flags, and what they are completed by.
func (c *cli) addConnection(cmd *cobra.Command) {
	c.config.AddFlags(cmd.PersistentFlags())
	completesFile(cmd, "kubeconfig", "certificate-authority", "client-certificate", "client-key")
	must(cmd.MarkPersistentFlagDirname("cache-dir"))
	must(cmd.RegisterFlagCompletionFunc("namespace", c.completeNamespaces))
	must(cmd.RegisterFlagCompletionFunc("context", c.completeContexts))
}

// addAllNamespaces adds what kubectl has where a namespace may be named.
func (c *cli) addAllNamespaces(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.allNamespaces, "all-namespaces", "A", false, "Whatever the namespace, as without --namespace")
}

// namespace is the one to which an answer is to keep, "" if to none.
func (c *cli) namespace() string {
	if c.allNamespaces {
		return ""
	}
	return *c.config.Namespace
}

// needsNoNamespace tells somebody who names a namespace that it does nothing, and why.
func (c *cli) needsNoNamespace(why string) {
	if c.namespace() != "" {
		fmt.Fprintf(c.ErrOut, "%s: --namespace does nothing here.\n", why)
	}
}

// newVersion says which version this is.
func newVersion(c *cli) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this plugin",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if !o.isDocument() {
				_, err := fmt.Fprint(c.Out, versionLine())
				return err
			}
			about := map[string]any{"version": version.Version(), "commit": version.Commit(), "goVersion": runtime.Version()}
			return o.print(c.Out, nil, nil, findings{about, about, listOf[any]{"v1", "List", []any{about}}, []string{"kubectl-storageos_volumes"}})
		},
	}
	o.addFlag(cmd)
	return cmd
}

func versionLine() string {
	return fmt.Sprintf("kubectl-storageos_volumes %s (commit %s, %s)\n", version.Version(), version.Commit(), runtime.Version())
}

// clients connects to the cluster that kubectl's flags name.
func (c *cli) clients() (kubernetes.Interface, versioned.Interface, error) {
	config, err := c.config.ToRESTConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("finding the cluster: %w: see --kubeconfig and --context", err)
	}
	config.Wrap(c.clock.transport)
	config.QPS = -1                   // a few requests for pages
	binary := rest.CopyConfig(config) // many PersistentVolumes are read in half the time
	binary.ContentType, binary.AcceptContentTypes = apiruntime.ContentTypeProtobuf, apiruntime.ContentTypeProtobuf+","+apiruntime.ContentTypeJSON
	kube, err := kubernetes.NewForConfig(binary)
	if err != nil {
		return nil, nil, err
	}
	records, err := recordclient.New(config) // which reads also what somebody spoiled
	return kube, records, err
}

var errNoCRD = errors.New("this cluster knows no volumes.api.storageos.com: install the controller with its CRD (deploy/crd, or crds.yaml of the release), or choose another cluster by --context")

// listRecords reads the records.
func listRecords(ctx context.Context, client versioned.Interface) ([]v1.Volume, error) {
	var all []v1.Volume
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := client.StorageOSV1().Volumes().List(ctx, options)
		switch {
		case apierrors.IsNotFound(err):
			return nil, errNoCRD
		case apierrors.IsForbidden(err):
			return nil, fmt.Errorf("%w: ask for the right to list volumes.api.storageos.com, by a ClusterRoleBinding: volumes have no namespace", err)
		case err != nil:
			return nil, fmt.Errorf("listing records: %w", err)
		}
		all = append(all, list.Items...)
		if options.Continue = list.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

// completeRecords reads the records, and works out what an older CRD has dropped.
func (c *cli) completeRecords(ctx context.Context, kube kubernetes.Interface, client versioned.Interface) ([]v1.Volume, error) {
	records, err := listRecords(ctx, client)
	if err != nil || !slices.ContainsFunc(records, func(r v1.Volume) bool { return isPruned(&r) }) {
		return records, err
	}
	pvs, err := c.listPersistentVolumes(ctx, kube)
	older := !slices.ContainsFunc(records, saysAll) && slices.ContainsFunc(records, func(r v1.Volume) bool { return isPruned(&r) && !isBare(&r) })
	if apierrors.IsForbidden(err) && !older {
		for i := range records {
			concludeHealth(&records[i]) // the others are yet to say it
		}
		return records, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the CRD of the records is an older one, which keeps neither health nor claims (the current one: deploy/crd, or crds.yaml of the release), and without PersistentVolumes they cannot be told: %w", err)
	}
	complete(records, pvs)
	return records, nil
}

// listPersistentVolumes reads those of the driver.
func (c *cli) listPersistentVolumes(ctx context.Context, client kubernetes.Interface) ([]corev1.PersistentVolume, error) {
	var ours []corev1.PersistentVolume
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := client.CoreV1().PersistentVolumes().List(ctx, options)
		if apierrors.IsForbidden(err) {
			return nil, fmt.Errorf("listing PersistentVolumes: %w", withRole(err))
		}
		if err != nil {
			return nil, fmt.Errorf("listing PersistentVolumes: %w", err)
		}
		for _, pv := range list.Items {
			if pv.Spec.CSI != nil && pv.Spec.CSI.Driver == c.csiDriver && volumeOf(&pv) != "" {
				ours = append(ours, pv)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return ours, nil
		}
	}
}

// volumeOf is the ID of the volume that a PersistentVolume refers to, "" if it names none.
func volumeOf(pv *corev1.PersistentVolume) string {
	_, id, _ := record.ParseHandle(pv.Spec.CSI.VolumeHandle)
	return id
}

// deletes tells whether the volume behind a PersistentVolume is meant to go.
func deletes(pv *corev1.PersistentVolume) bool {
	return record.MeantToGo(pv.DeletionTimestamp != nil, pv.Status.Phase, pv.Spec.PersistentVolumeReclaimPolicy)
}

// identity is the ID of the volume that a record describes.
func identity(r *v1.Volume) string {
	if id := r.Labels[v1.LabelVolumeID]; id != "" {
		return id
	}
	return r.Status.VolumeID
}
