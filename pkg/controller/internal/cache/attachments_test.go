package cache

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	versionedfake "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
)

const driver = "csi.storageos.com"

func attachment(name, attacher, pv string, attached bool) *storagev1.VolumeAttachment {
	a := &storagev1.VolumeAttachment{
		ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1"},
		Spec:       storagev1.VolumeAttachmentSpec{Attacher: attacher, NodeName: "n1"},
		Status:     storagev1.VolumeAttachmentStatus{Attached: attached},
	}
	if pv != "" {
		a.Spec.Source.PersistentVolumeName = &pv
	}
	return a
}

// watched watches the attachments of a client while tell lasts, and returns of which
// PersistentVolumes it was told, with a sign for what they are, and what was logged.
func watched(t *testing.T, client *fake.Clientset, tell func()) (told []string, log string) {
	t.Helper()
	var mu sync.Mutex
	var lines bytes.Buffer
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&lines)))
	ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
	caches, err := New(client, versionedfake.NewSimpleClientset(), driver, false, Changed{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		caches.WatchAttachments(ctx, client, func(pv string, attached bool) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, pv+map[bool]string{true: "+", false: "-"}[attached])
		})
	})
	synctest.Wait()
	tell()
	synctest.Wait()
	cancel()
	wg.Wait()
	return told, lines.String()
}

// Of each attachment that comes, changes and goes its PersistentVolume is told, and of no
// other.
func TestWatchAttachments(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tell func(*testing.T, *fake.Clientset)
		want []string
	}{
		"nothing":                     {func(*testing.T, *fake.Clientset) {}, nil},
		"one comes":                   {func(t *testing.T, c *fake.Clientset) { create(t, c, attachment("b", driver, "pv-b", false)) }, []string{"pv-b+"}},
		"one of another driver":       {func(t *testing.T, c *fake.Clientset) { create(t, c, attachment("b", "other", "pv-b", false)) }, nil},
		"one of no PersistentVolume":  {func(t *testing.T, c *fake.Clientset) { create(t, c, attachment("b", driver, "", false)) }, nil},
		"one becomes attached":        {func(t *testing.T, c *fake.Clientset) { update(t, c, attachment("a", driver, "pv-a", true)) }, []string{"pv-a+"}},
		"one is as it was, and newer": {func(t *testing.T, c *fake.Clientset) { update(t, c, attachment("a", driver, "pv-a", false)) }, nil},
		"one goes": {func(t *testing.T, c *fake.Clientset) {
			if err := c.StorageV1().VolumeAttachments().Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}, []string{"pv-a-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset(attachment("a", driver, "pv-a", false))
				told, log := watched(t, client, func() { tc.tell(t, client) })
				if !slices.Equal(told, tc.want) || log != "" {
					t.Errorf("told of %v, want %v; log %q", told, tc.want, log)
				}
			})
		})
	}
}

func create(t *testing.T, c *fake.Clientset, a *storagev1.VolumeAttachment) {
	t.Helper()
	if _, err := c.StorageV1().VolumeAttachments().Create(t.Context(), a, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

func update(t *testing.T, c *fake.Clientset, a *storagev1.VolumeAttachment) {
	t.Helper()
	a.ResourceVersion = "2"
	if _, err := c.StorageV1().VolumeAttachments().Update(t.Context(), a, metav1.UpdateOptions{}); err != nil {
		t.Error(err)
	}
}

// Without the right one line says so, and it is tried once a minute: when it comes, what comes
// after it is told.
func TestWatchAttachmentsForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(attachment("a", driver, "pv-a", true))
		var mu sync.Mutex
		may, lists := false, 0
		client.PrependReactor("list", "volumeattachments", func(clienttesting.Action) (bool, runtime.Object, error) {
			mu.Lock()
			defer mu.Unlock()
			lists++
			if may {
				return false, nil, nil
			}
			return true, nil, apierrors.NewForbidden(storagev1.Resource("volumeattachments"), "", nil)
		})
		told, log := watched(t, client, func() {
			time.Sleep(5*time.Minute + time.Second)
			mu.Lock()
			if may = true; lists != 6 {
				t.Errorf("%d lists in five minutes, want 6", lists)
			}
			mu.Unlock()
			time.Sleep(time.Minute)
			create(t, client, attachment("b", driver, "pv-b", false))
		})
		if !slices.Equal(told, []string{"pv-b+"}) {
			t.Errorf("told of %v", told)
		}
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, "no right to look at VolumeAttachments") {
			t.Errorf("log: %s", log)
		}
	})
}

// What is kept of an attachment is little, and the name of a PersistentVolume that is known is
// not kept again.
func TestTrimAttachment(t *testing.T) {
	t.Parallel()
	caches, err := New(fake.NewClientset(), versionedfake.NewSimpleClientset(), driver, false, Changed{})
	if err != nil {
		t.Fatal(err)
	}
	pv := &state.PV{PVSummary: state.PVSummary{Name: "pv-a"}}
	if err := caches.PVs.GetStore().Add(pv); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		obj  any
		want any
	}{
		"of ours":              {attachment("a", driver, strings.Clone("pv-a"), true), &state.Attachment{Name: "a", ResourceVersion: "1", PVName: "pv-a", Attached: true}},
		"of an unknown one":    {attachment("a", driver, "pv-x", true), &state.Attachment{Name: "a", ResourceVersion: "1", PVName: "pv-x", Attached: true}},
		"of another driver":    {attachment("a", "other", "pv-a", true), &state.Attachment{Name: "a", ResourceVersion: "1"}},
		"that was trimmed":     {&state.Attachment{Name: "a"}, &state.Attachment{Name: "a"}},
		"that has gone unseen": {cache.DeletedFinalStateUnknown{Key: "a"}, cache.DeletedFinalStateUnknown{Key: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := caches.trimAttachment(tc.obj)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if a, ok := got.(*state.Attachment); ok && a.PVName == pv.Name && unsafe.StringData(a.PVName) != unsafe.StringData(pv.Name) {
				t.Error("the name is kept twice")
			}
		})
	}
}
