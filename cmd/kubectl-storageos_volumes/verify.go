package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// verify is the command that asks StorageOS itself.
type verify struct {
	*cli
	output
	endpoint, caFile    string
	secret, secretPath  string
	timeout, settlement time.Duration
}

func newVerify(c *cli) *cobra.Command {
	v := &verify{cli: c}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare every record and PersistentVolume with what StorageOS itself says",
		Long: `Compare every record and PersistentVolume with what StorageOS itself says.

What differs is looked at again after --settle, so that a change on its way is no
difference, and once more if something is new then; with 0s it is one. With -o jsonpath
and other templates the differences are the .items of a List. Exit code 0: they agree;
1: they differ, and how is printed; 2: it cannot be told.

User name and password are read from a secret of the cluster, or from a folder
with the files username and password.`,
		Example: `  kubectl -n storageos port-forward service/storageos 5705
  kubectl storageos-volumes verify # in a second terminal

  kubectl storageos-volumes verify --api-endpoint https://storageos.example.com:5705 --api-secret-path ./secret`,
		Args:              noNames,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	v.addFlag(cmd)
	v.addAllNamespaces(cmd)
	f := cmd.Flags()
	f.StringVar(&v.endpoint, "api-endpoint", "localhost", "StorageOS API: host, host:port or URL; http and port 5705 unless said")
	f.StringVar(&v.caFile, "api-ca-file", "", "PEM file of the CAs that sign an https endpoint")
	f.StringVar(&v.secret, "api-secret", "storageos/storageos-api", "Secret with the keys username and password, NAMESPACE/NAME")
	f.StringVar(&v.secretPath, "api-secret-path", "", "Folder with the files username and password, instead of a secret")
	f.DurationVar(&v.timeout, "api-timeout", 30*time.Second, "How long StorageOS may take to log in, or stay silent")
	f.DurationVar(&v.settlement, "settle", 12*time.Second, "How long a difference must last: twice the controller's poll interval and a little")
	completesFile(cmd, "api-ca-file")
	must(cmd.MarkFlagDirname("api-secret-path"))
	return cmd
}

func (v *verify) run(ctx context.Context) error {
	if err := v.validate(); err != nil {
		return err
	}
	if v.settlement < 0 {
		return fmt.Errorf("--settle %v is less than 0: say how long a difference must last", v.settlement)
	}
	v.needsNoNamespace("All that there is is compared")
	kube, records, err := v.clients()
	if err != nil {
		return err
	}
	path, cleanUp, err := v.credentials(ctx, kube)
	if err != nil {
		return err
	}
	defer cleanUp()
	client, end, err := v.login(ctx, path)
	if err != nil {
		return err
	}
	defer end()
	found, counted, err := v.lasts(ctx, func() ([]difference, string, error) { return v.compare(ctx, kube, records, client) })
	if err != nil {
		return err
	}
	var rows [][]any
	for _, d := range found {
		rows = append(rows, []any{d.Object, d.VolumeID, d.Field, d.StorageOS, d.Kubernetes})
	}
	if len(rows) > 0 || v.isDocument() {
		if err := v.print(v.Out, columns([]string{"OBJECT", "VOLUME-ID", "FIELD", "STORAGEOS", "KUBERNETES"}, nil), rows, asFindings(found, difference.name)); err != nil {
			return err
		}
	}
	fmt.Fprintf(v.ErrOut, "Compared %s: %d %s.\n", counted, len(found), verb(len(found), "difference", "differences"))
	if len(found) > 0 {
		return said(exitNot)
	}
	return nil
}

// lasts compares, and again after --settle: what differs still does. What only the second look has shown
// is looked at once more.
func (v *verify) lasts(ctx context.Context, compare func() ([]difference, string, error)) ([]difference, string, error) {
	found, counted, err := compare()
	for look := 2; err == nil && len(found) > 0 && v.settlement > 0; look++ {
		fmt.Fprintf(v.ErrOut, "%d %s; looking again in %v\n", len(found), verb(len(found), "difference", "differences"), v.settlement)
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-time.After(v.settlement):
		}
		var again []difference
		if again, counted, err = compare(); err != nil {
			break
		}
		stay := lasting(found, slices.Clone(again))
		if look == 3 || len(stay) == len(again) {
			return stay, counted, nil
		}
		found = again
	}
	return found, counted, err
}

// credentials returns the folder that the client reads.
func (v *verify) credentials(ctx context.Context, kube kubernetes.Interface) (path string, cleanUp func(), err error) {
	if v.secretPath != "" {
		return v.secretPath, func() {}, nil
	}
	namespace, name, ok := strings.Cut(v.secret, "/")
	if !ok {
		return "", nil, fmt.Errorf("--api-secret %q is not NAMESPACE/NAME", v.secret)
	}
	secret, err := kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", nil, fmt.Errorf("reading the password of StorageOS: %w: ask for the right to get that Secret, or say another by --api-secret, or by --api-secret-path a folder with the files username and password", err)
	}
	dir, err := os.MkdirTemp("", "storageos-volumes") // for nobody else to read
	if err != nil {
		return "", nil, err
	}
	cleanUp = func() { _ = os.RemoveAll(dir) }
	for _, key := range []string{"username", "password"} {
		if len(secret.Data[key]) == 0 {
			cleanUp()
			return "", nil, fmt.Errorf("secret %s has no %s: say by --api-secret which one has", v.secret, key)
		}
		if err := os.WriteFile(filepath.Join(dir, key), secret.Data[key], 0o600); err != nil {
			cleanUp()
			return "", nil, err
		}
	}
	return dir, cleanUp, nil
}

// login returns a client that is logged in until end is called.
func (v *verify) login(ctx context.Context, secretPath string) (storageos.Lister, func(), error) {
	endpoint, err := storageos.ParseEndpoint(v.endpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("--api-endpoint: %w", err)
	}
	last := make(chan error, 1)
	client, err := storageos.New(storageos.Config{
		Endpoint: endpoint, SecretPath: secretPath, CAFile: v.caFile, Timeout: v.timeout,
		RefreshInterval: time.Minute, RetryInterval: time.Second, UserAgent: rest.DefaultKubernetesUserAgent(),
		OnLoginError: func(err error) {
			select {
			case last <- err:
			default:
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client.Run(running)
	}()
	end := func() {
		stop()
		<-ended
	}
	ready := make(chan error, 1)
	go func() { ready <- client.WaitForLogin(running) }()
	select {
	case err = <-ready:
	case err = <-last: // once is enough: somebody is waiting
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("StorageOS at %s: %w: %s", endpoint.Host, err, hint(err))
	}
	return client, end, nil
}

// hint says what may help against a login that failed.
func hint(err error) string {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "see --api-secret-path"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return "see --api-endpoint; from outside the cluster, `kubectl -n storageos port-forward service/storageos 5705` leads there"
	}
	return "see --api-endpoint and --api-secret"
}

// compare reads everything and finds what differs.
func (v *verify) compare(ctx context.Context, kube kubernetes.Interface, client versioned.Interface, api storageos.Lister) ([]difference, string, error) {
	world, err := readStorageOS(ctx, api)
	if err != nil {
		return nil, "", fmt.Errorf("asking StorageOS: %w", err)
	}
	older, err := v.olderCRD(ctx)
	if err != nil && !apierrors.IsForbidden(err) { // who may not look allows for the older one
		return nil, "", err
	}
	world.currentCRD = older == "" && err == nil
	records, err := listRecords(ctx, client)
	if err != nil {
		return nil, "", err
	}
	pvs, err := v.listPersistentVolumes(ctx, kube)
	if err != nil {
		return nil, "", err
	}
	world.read = v.clock.now()
	absent := 0
	for i := range records {
		if isAbsent(&records[i]) {
			absent++
		}
	}
	counted := fmt.Sprintf("%d volumes, %d records and %d %s", len(world.volumes), len(records), len(pvs), verb(len(pvs), "PersistentVolume", "PersistentVolumes"))
	if absent > 0 {
		counted += fmt.Sprintf(" (%s that StorageOS does not list the volume)", how(absent, "record says", "records say"))
	}
	return differences(world, records, byVolume(pvs)), counted, nil
}
