package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// plane is a control plane. To start one takes longer than what most tests do with it: one
// that a test leaves as it was is another test's next.
type plane struct {
	kubeconfig string
	process    *process
}

// spare are the control planes that no test has. TestMain ends them.
var spare struct {
	sync.Mutex
	planes []*plane
}

// startPlane starts one in a folder.
func startPlane(t *testing.T, dir string, flags ...string) *plane {
	t.Helper()
	process, err := launch(exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"up", "-dir", dir}, flags...)...), nil, (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{filepath.Join(dir, "kubeconfig"), process}
	eventually(t, "the cluster is ready", time.Minute, func() error {
		select {
		case <-process.ended:
			t.Fatalf("the cluster has ended: %s", tail(process.log.String()))
		default:
		}
		_, err := os.Stat(p.kubeconfig)
		return err
	})
	return p
}

// borrowPlane has a control plane until the test ends, in which there is nothing but, maybe,
// the CRD. What the test makes in it may only be of the kinds that are in wiped.
func borrowPlane(t *testing.T) *plane {
	t.Helper()
	p := takeSpare()
	if p == nil {
		// Not the test's folder: the control plane outlives it.
		dir, err := os.MkdirTemp(planes, "plane")
		if err != nil {
			t.Fatal(err)
		}
		p = startPlane(t, dir)
	}
	t.Cleanup(func() {
		err := errors.New("the test has failed")
		if !t.Failed() {
			err = p.wipe()
		}
		if err == nil {
			giveSpare(p)
			return
		}
		t.Logf("nobody has this control plane again: %v", err)
		p.process.end(t)
	})
	return p
}

func takeSpare() *plane {
	spare.Lock()
	defer spare.Unlock()
	n := len(spare.planes)
	if n == 0 {
		return nil
	}
	p := spare.planes[n-1]
	spare.planes = spare.planes[:n-1]
	return p
}

func giveSpare(p *plane) {
	spare.Lock()
	defer spare.Unlock()
	spare.planes = append(spare.planes, p)
}

// wiped are the kinds that tests make objects of, in the default namespace or in none.
var wiped = []struct {
	schema.GroupVersionResource
	namespace string
}{
	{v1.SchemeGroupVersion.WithResource("volumes"), ""},
	{schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}, "default"},
	{schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}, ""},
	{schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, "default"},
	{schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "default"},
	{schema.GroupVersionResource{Version: "v1", Resource: "events"}, "default"},
}

// wipe deletes what a test has left, whatever would hold that up.
func (p *plane) wipe() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience*20*time.Second)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, kind := range wiped {
		if err := wipeKind(ctx, client.Resource(kind.GroupVersionResource).Namespace(kind.namespace)); err != nil {
			return fmt.Errorf("deleting %s: %w", kind.Resource, err)
		}
	}
	return nil
}

func wipeKind(ctx context.Context, objects dynamic.ResourceInterface) error {
	for {
		if err := objects.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			return err
		}
		left, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil || len(left.Items) == 0 {
			return err
		}
		for _, o := range left.Items {
			// It may have gone meanwhile.
			_, _ = objects.Patch(ctx, o.GetName(), types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d are left: %w", len(left.Items), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
