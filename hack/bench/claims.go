package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// claimed are the claims that were made, and the attachments.
type claimed struct {
	b *bench

	mu       sync.Mutex
	volumes  []simulator.Filled
	attached []string // VolumeAttachments
}

// begun is told, right before the last step of a change, which volume's record will say what.
type begun func(id string, is func(*v1.Volume) bool)

// unawaited is begun where nobody waits for the record.
func unawaited(string, func(*v1.Volume) bool) {}

// claim makes a volume as a provisioner does, and then its PersistentVolume.
func (c *claimed) claim(ctx context.Context, begun begun) (err error) {
	f := c.b.filled[rand.IntN(len(c.b.filled))]
	f.Name = "pvc-" + string(uuid.NewUUID())
	f.PVCName = "made-" + f.Name
	if f.ID, err = c.b.sim.AddVolume(f.NamespaceID, simulator.VolumeSpec{
		Name: f.Name, FSType: f.FSType, SizeBytes: f.SizeBytes, Replicas: f.Replicas,
		Labels: map[string]string{
			simulator.LabelPVName: f.Name, simulator.LabelPVCName: f.PVCName, simulator.LabelPVCNamespace: f.PVCNamespace,
			simulator.LabelReplicas: fmt.Sprint(f.Replicas),
		},
	}); err != nil {
		return err
	}
	c.mu.Lock()
	c.volumes = append(c.volumes, f)
	c.mu.Unlock()
	begun(f.ID, func(r *v1.Volume) bool {
		return r.Status.PersistentVolume != nil && r.Status.PersistentVolume.Claim != nil && r.Status.PersistentVolume.Claim.Name == f.PVCName
	})
	return c.b.persistentVolume(ctx, f)
}

// attach lets a volume be attached, in the order in which the attacher does it.
func (c *claimed) attach(ctx context.Context, f simulator.Filled, begun begun) error {
	attachments := c.b.kube.StorageV1().VolumeAttachments()
	v, err := c.b.sim.Volume(f.NamespaceID, f.ID)
	if err != nil {
		return err
	}
	nodes := c.b.sim.Nodes()
	node := nodes[0]
	if v.AttachedOn == node.ID {
		node = nodes[1]
	}
	a, err := attachments.Create(ctx, &storagev1.VolumeAttachment{
		ObjectMeta: metav1.ObjectMeta{Name: "csi-" + f.ID},
		Spec: storagev1.VolumeAttachmentSpec{
			Attacher: "csi.storageos.com", NodeName: node.Name, Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &f.Name},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.attached = append(c.attached, a.Name)
	c.mu.Unlock()
	begun(f.ID, func(r *v1.Volume) bool { return r.Status.AttachedOn == node.ID })
	if err := c.b.sim.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) {
		v.AttachedOn, v.AttachmentType = node.ID, simulator.AttachmentHost
	}); err != nil {
		return err
	}
	_, err = attachments.Patch(ctx, a.Name, types.MergePatchType, []byte(`{"status":{"attached":true}}`), metav1.PatchOptions{}, "status")
	return err
}

// expand lets a volume grow, in the order in which the resizer does it.
func (c *claimed) expand(ctx context.Context, f simulator.Filled, begun begun) error {
	v, err := c.b.sim.Volume(f.NamespaceID, f.ID)
	if err != nil {
		return err
	}
	size := resource.NewQuantity(int64(v.SizeBytes)+1<<30, resource.BinarySI)
	begun(f.ID, func(r *v1.Volume) bool { return r.Status.Capacity != nil && r.Status.Capacity.Cmp(*size) == 0 })
	if err := c.b.resize(f); err != nil {
		return err
	}
	_, err = c.b.kube.CoreV1().PersistentVolumes().Patch(ctx, f.Name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"capacity":{"storage":%q}}}`, size), metav1.PatchOptions{})
	return err
}

// oneByOne makes changes, each at any moment of a part of some time, and is from each to the
// record that says it.
func (c *claimed) oneByOne(ctx context.Context, within time.Duration, change func(ctx context.Context, i int, begun begun) error) ([]span, error) {
	return c.recorded(ctx, changesOneByOne, func(ctx context.Context, begun begun) error {
		return spread(ctx, changesOneByOne, within, func(i int) error { return change(ctx, i, begun) })
	})
}

// claims makes claims one by one.
func (c *claimed) claims(ctx context.Context, within time.Duration) ([]span, error) {
	c.b.say("making %d claims", changesOneByOne)
	return c.oneByOne(ctx, within, func(ctx context.Context, _ int, begun begun) error { return c.claim(ctx, begun) })
}

// recorded has a number of changes made and waits for their records.
func (c *claimed) recorded(ctx context.Context, n int, do func(context.Context, begun) error) ([]span, error) {
	w, err := c.b.watchRecords(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	type change struct {
		at time.Time
		is func(*v1.Volume) bool
	}
	var mu sync.Mutex
	open := map[string]change{}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		err := do(ctx, func(id string, is func(*v1.Volume) bool) {
			mu.Lock()
			defer mu.Unlock()
			open[id] = change{time.Now(), is}
		})
		if err != nil {
			stop()
		}
		ended <- err
	}()
	var spans []span
	for len(spans) < n {
		if err := awaited(ctx, w, "the record of a change", func(r *v1.Volume) bool {
			mu.Lock()
			defer mu.Unlock()
			c, ok := open[r.Status.VolumeID]
			if !ok || !c.is(r) {
				return false
			}
			delete(open, r.Status.VolumeID)
			spans = append(spans, span{c.at, time.Now()})
			return true
		}); err != nil {
			stop()
			return nil, errors.Join(<-ended, err)
		}
	}
	return spans, <-ended
}

// churn makes and attaches so many volumes in a minute, half of them each.
func (c *claimed) churn(ctx context.Context, of *controller, m *meter, n int) (is churn, err error) {
	c.b.say("%s volumes are made or attached in a minute", thousands(n))
	which := rand.Perm(len(c.b.filled))
	if err := of.polls(ctx, 1); err != nil {
		return is, err
	}
	before := m.usage()
	reads, err := of.earlyReads()
	if err != nil {
		return is, err
	}
	if err := spread(ctx, n, earlyChurn, func(i int) error {
		if i%2 == 0 {
			is.attached++
			return c.attach(ctx, c.b.filled[which[i]], unawaited)
		}
		is.made++
		return c.claim(ctx, unawaited)
	}); err != nil {
		return is, err
	}
	if err := of.polls(ctx, 2); err != nil { // what is read again is read by then
		return is, err
	}
	used := m.usage().since(before)
	is.reads, err = of.earlyReads()
	is.reads -= reads
	listings, early := used.split(is.reads)
	is.early = early
	is.listings = listings.of(listings.requests / used.listings() * pollsOfMinute)
	return is, err
}

// atOnce makes claims at once, right after a poll.
func (c *claimed) atOnce(ctx context.Context, of *controller, m *meter) (is burst, err error) {
	c.b.say("%d claims at once", burstClaims)
	if err := of.polls(ctx, 1); err != nil {
		return is, err
	}
	before, from := m.usage(), time.Now()
	reads, err := of.earlyReads()
	if err != nil {
		return is, err
	}
	processor, err := of.processor()
	if err != nil {
		return is, err
	}
	polled := make(chan error, 1)
	go func() { polled <- of.polls(ctx, burstPolls) }()
	_, err = c.recorded(ctx, burstClaims, func(ctx context.Context, begun begun) error {
		return c.b.each(ctx, "claims", burstClaims, func(ctx context.Context, _ int) error { return c.claim(ctx, begun) })
	})
	if err := errors.Join(err, <-polled); err != nil {
		return is, err
	}
	after, err := of.processor()
	if err != nil {
		return is, err
	}
	all := m.readsSince(from)
	is.processor, is.most = after-processor, mostWithin(all, time.Second)
	is.reads, err = of.earlyReads()
	is.reads -= reads
	is.others = len(all) - is.reads
	is.listings, is.early = m.usage().since(before).split(is.reads)
	return is, err
}

// unmake takes away all that was made, and its records, while no controller looks.
func (c *claimed) unmake(ctx context.Context) error {
	err := c.b.each(ctx, "claims taken away", len(c.volumes), func(ctx context.Context, i int) error {
		f := c.volumes[i]
		record := c.b.records.StorageOSV1().Volumes().Delete(ctx, f.Name, metav1.DeleteOptions{})
		return errors.Join(c.b.sim.RemoveVolume(f.NamespaceID, f.ID),
			c.b.kube.CoreV1().PersistentVolumes().Delete(ctx, f.Name, metav1.DeleteOptions{}), record)
	})
	return errors.Join(err, c.b.each(ctx, "attachments taken away", len(c.attached), func(ctx context.Context, i int) error {
		return c.b.kube.StorageV1().VolumeAttachments().Delete(ctx, c.attached[i], metav1.DeleteOptions{})
	}))
}

// spread does something n times within some time, each time at any moment of a part of it.
func spread(ctx context.Context, n int, within time.Duration, do func(i int) error) error {
	begun := time.Now()
	for i := range n {
		part := within / time.Duration(n)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(begun.Add(time.Duration(i)*part + rand.N(part)))):
		}
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}
