package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// unpolled says that StorageOS is listed once: what is recorded after that, was read early.
var unpolled = []string{"-api-poll-interval", "1h"}

// listed waits until the only listing has been worked off, and returns a check that is nil if
// no other has begun.
func (e *env) listed(c *controller) (once func() error) {
	e.t.Helper()
	e.eventually("the first listing", 30*time.Second, func() error {
		if n := c.metric("storageos_sync_volume_duration_seconds"); n != 1 {
			return fmt.Errorf("%v listings", n)
		}
		return nil
	})
	begun := func() int {
		of := e.sim.Stats().Requests // the driver asks for namespaces
		return of[simulator.CallNodes] + of[simulator.CallVolumes]
	}
	before := begun()
	return func() error {
		if now := begun(); now != before {
			return fmt.Errorf("%d more lists were asked for", now-before)
		}
		return nil
	}
}

// Between two listings a claim is recorded, and that its volume is attached, has grown and is
// detached.
func TestEarlyReads(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	controller := c.controller(unpolled...)
	once := c.listed(controller)
	ctx := context.Background()

	c.claim("made", deletes, nil)
	pv := c.bound("made")
	c.recorded("it is recorded", pv.Name, func(r *v1.Volume) bool {
		p := r.Status.PersistentVolume
		return p != nil && p.Claim != nil && p.Claim.Name == "made" && r.Status.Capacity.String() == "2Gi" && boundReason(r) == "Bound"
	})

	node, attachments := c.sim.Nodes()[0], c.kube.StorageV1().VolumeAttachments()
	attached := func(nodeID, host string) func(*v1.Volume) bool {
		return func(r *v1.Volume) bool { return r.Status.AttachedOn == nodeID && r.Status.AttachedOnHost == host }
	}
	_, err := attachments.Create(ctx, attachmentOf(pv.Name, node.Name), metav1.CreateOptions{})
	c.must(err)
	c.attach(pv, node.ID)
	_, err = attachments.Patch(ctx, pv.Name, types.MergePatchType, []byte(`{"status":{"attached":true}}`), metav1.PatchOptions{}, "status")
	c.must(err)
	c.recorded("it is attached", pv.Name, attached(node.ID, node.Name))

	c.grow("made", "3Gi")
	c.recorded("it has grown", pv.Name, func(r *v1.Volume) bool { return r.Status.Capacity.String() == "3Gi" })

	c.attach(pv, "")
	c.must(attachments.Delete(ctx, pv.Name, metav1.DeleteOptions{}))
	c.recorded("it is detached", pv.Name, attached("", ""))

	c.must(once())
	for _, reason := range []string{"persistentvolume", "attachment"} {
		if n := controller.metric("storageos_sync_volume_early_reads_total", reason); n < 2 {
			t.Errorf("%v early reads of reason %s", n, reason)
		}
	}
}

// attachmentOf says that a volume is to be attached.
func attachmentOf(pv, node string) *storagev1.VolumeAttachment {
	return &storagev1.VolumeAttachment{
		ObjectMeta: metav1.ObjectMeta{Name: pv},
		Spec: storagev1.VolumeAttachmentSpec{
			Attacher: "csi.storageos.com", NodeName: node, Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &pv},
		},
	}
}

// attach attaches a volume on a node, or on none.
func (c *claims) attach(pv *corev1.PersistentVolume, nodeID string) {
	c.t.Helper()
	namespaceID, id := handle(pv)
	c.must(c.sim.UpdateVolume(namespaceID, id, func(v *simulator.Volume) {
		v.AttachedOn, v.AttachmentType = nodeID, simulator.AttachmentHost
		if nodeID == "" {
			v.AttachmentType = simulator.AttachmentDetached
		}
	}))
}

// Without the right to see attachments that is said once, listings show what they would have
// told, and a PersistentVolume has its volume read as ever.
func TestEarlyReadsWithoutAttachments(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 1, Nodes: 2, Volumes: 2, CSI: -1})
	e.persistentVolume(filled[0])
	c := e.controller("-kubeconfig", e.account("sync"))
	e.eventually("2 records", 20*time.Second, func() error { return e.right(filled, 0) })
	node := e.sim.AddNode("worker")
	_, err := e.kube.StorageV1().VolumeAttachments().Create(context.Background(), attachmentOf(filled[0].Name, "worker"), metav1.CreateOptions{})
	e.must(err)
	e.must(e.sim.UpdateVolume(filled[0].NamespaceID, filled[0].ID, func(v *simulator.Volume) {
		v.AttachedOn, v.AttachmentType = node, simulator.AttachmentHost
	}))
	e.persistentVolume(filled[1])
	e.eventually("it is attached, the other is joined", 10*time.Second, func() error {
		if err := e.want(filled[1].ID, func(r *v1.Volume) bool { return r.Status.PersistentVolume != nil }); err != nil {
			return err
		}
		return e.want(filled[0].ID, func(r *v1.Volume) bool { return r.Status.AttachedOnHost == "worker" })
	})
	e.eventually("a volume is read", 10*time.Second, func() error {
		if n := c.metric("storageos_sync_volume_early_reads_total", "persistentvolume"); n != 1 {
			return fmt.Errorf("%v are read", n)
		}
		return nil
	})
	if n := c.metric("storageos_sync_volume_early_reads_total", "attachment"); n != 0 {
		t.Errorf("%v are read because of an attachment", n)
	}
	if n := c.metric("storageos_sync_volume_errors_total"); n != 0 {
		t.Errorf("%v errors are counted", n)
	}
	lines := 0
	for line := range strings.Lines(c.log.String()) {
		if strings.Contains(strings.ToLower(line), "volumeattachments") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines of the log speak of VolumeAttachments, want 1", lines)
	}
}

// While the list of one namespace is under way, volumes of it and of another are read that are
// born and change meanwhile. What it shows in the end, old or new, takes nothing back; and one
// that the list of the other has shown need not wait for that end.
func TestEarlyReadsBesideAListing(t *testing.T) {
	t.Parallel()
	for name, answeredAtOnce := range map[string]bool{"it shows what was when it began": true, "it shows what is when it ends": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 12, CSI: -1})
			for _, f := range filled {
				e.persistentVolume(f)
			}
			c := e.controller("-orphan-grace-period", "0", "-api-timeout", "5m")
			e.eventually("12 records", 20*time.Second, func() error { return e.well(filled, filled) })
			e.eventually("the queue comes to rest", 20*time.Second, func() error { return c.atRest(2) })
			history := e.watchHistory()
			uids := e.uids()

			h, elsewhere := hold(answeredAtOnce), hold(answeredAtOnce)
			for i, h := range []*held{h, elsewhere} {
				e.sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallVolumes, NamespaceID: filled[i].NamespaceID}, Effect: h.effect})
				t.Cleanup(h.release) // may be called twice
			}
			meets(t, h.met)
			meets(t, elsewhere.met)
			is := []simulator.Filled{e.born(filled[0]), e.added(filled[1])}
			elsewhere.release() // it may show the volume before anybody has read it
			meets(t, elsewhere.answered)
			e.persistentVolume(is[1])
			is = append(is, e.larger(filled[2]), e.larger(filled[3]))
			e.eventually("all are recorded", 20*time.Second, func() error { return e.sized(is...) })
			is[2] = e.larger(is[2])
			is[0] = e.larger(is[0])
			e.eventually("two have grown again", 20*time.Second, func() error { return e.sized(is...) })
			h.release()
			c.polls(2)
			e.must(e.sized(is...))

			uids[is[0].ID], uids[is[1].ID] = e.uids()[is[0].ID], e.uids()[is[1].ID]
			e.must(e.same(uids))
			history(t)
		})
	}
}

// born makes a volume with its PersistentVolume, in the namespace of another.
func (e *env) born(beside simulator.Filled) simulator.Filled {
	e.t.Helper()
	f := e.added(beside)
	e.persistentVolume(f)
	return f
}

// added makes a volume in the namespace of another.
func (e *env) added(beside simulator.Filled) simulator.Filled {
	e.t.Helper()
	f := simulator.Filled{NamespaceID: beside.NamespaceID, Name: "pvc-born-beside-" + beside.ID, SizeBytes: 3 << 30}
	var err error
	f.ID, err = e.sim.AddVolume(f.NamespaceID, simulator.VolumeSpec{Name: f.Name, SizeBytes: f.SizeBytes})
	e.must(err)
	return f
}

// larger lets a volume and its PersistentVolume grow.
func (e *env) larger(f simulator.Filled) simulator.Filled {
	e.t.Helper()
	f.SizeBytes += 1 << 30
	e.must(e.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.SizeBytes = f.SizeBytes }))
	patch := fmt.Appendf(nil, `{"spec":{"capacity":{"storage":%q}}}`, resource.NewQuantity(int64(f.SizeBytes), resource.BinarySI))
	_, err := e.kube.CoreV1().PersistentVolumes().Patch(context.Background(), f.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	e.must(err)
	return f
}

// sized is nil if the record of each volume is there, is joined, and tells its size.
func (e *env) sized(all ...simulator.Filled) error {
	for _, f := range all {
		if err := e.want(f.ID, func(r *v1.Volume) bool {
			return r.Status.PersistentVolume != nil && r.Status.Capacity != nil && r.Status.Capacity.Value() == int64(f.SizeBytes)
		}); err != nil {
			return err
		}
	}
	return nil
}

// watchHistory watches the records. What it returns fails if any was deleted, was taken for
// absent or has told an older size after a newer one.
func (e *env) watchHistory() (check func(*testing.T)) {
	e.t.Helper()
	ctx := context.Background()
	list, err := e.records.StorageOSV1().Volumes().List(ctx, metav1.ListOptions{})
	e.must(err)
	w, err := e.records.StorageOSV1().Volumes().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	e.must(err)
	e.t.Cleanup(w.Stop)
	return func(t *testing.T) {
		t.Helper()
		// The last of all that happened until now.
		until, err := e.records.StorageOSV1().Volumes().Create(ctx, &v1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "the-end"}}, metav1.CreateOptions{})
		e.must(err)
		sizes := map[string]int64{}
		for event := range w.ResultChan() {
			r, ok := event.Object.(*v1.Volume)
			switch {
			case !ok:
				t.Fatalf("the watch has ended: %+v", event.Object)
			case r.UID == until.UID:
				if len(sizes) == 0 {
					t.Error("nothing has happened")
				}
				return
			case event.Type == apiwatch.Deleted:
				t.Errorf("record %s was deleted", r.Name)
			case r.Annotations[v1.AnnotationAbsentSince] != "":
				t.Errorf("record %s was marked", r.Name)
			case r.Spec.SizeBytes < sizes[r.Name]:
				t.Errorf("record %s told %d bytes after %d", r.Name, r.Spec.SizeBytes, sizes[r.Name])
			}
			sizes[r.Name] = r.Spec.SizeBytes
		}
		t.Error("the watch has ended")
	}
}

// held is an answer that is held back.
type held struct {
	effect   simulator.Effect
	met      chan struct{}
	answered chan struct{}
	release  func()
}

// hold holds one answer back until it is released; it tells what was so at its beginning, or
// what is at its end.
func hold(answeredAtOnce bool) *held {
	ctx, release := context.WithCancel(context.Background())
	h := &held{met: make(chan struct{}), answered: make(chan struct{}), release: release}
	h.effect = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		if answeredAtOnce {
			next.ServeHTTP(answer, r)
		}
		close(h.met)
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		if !answeredAtOnce {
			next.ServeHTTP(answer, r)
		}
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
		close(h.answered)
	}
	return h
}
