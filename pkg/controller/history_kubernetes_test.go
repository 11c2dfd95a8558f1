package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	typedv1 "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
)

// listings are polls at whose pace StorageOS lists, and between which the queue is worked
// off all the time.
func (h *history) listings(n int) {
	for range n {
		_ = h.leader.poller.Poll(h.ctx)
		for range 50 {
			h.tell(h.leader, -1)
			h.work(h.leader, 1000)
			h.sleep(h.settings.PollInterval / 50)
		}
	}
}

// While Kubernetes takes no writes, StorageOS is hardly asked for single volumes: what was
// listed of them is kept for the next try, and of those for which there is no room ten are
// tried in a second, when enough have failed. What Kubernetes refuses is about one volume.
func TestHistoryWritesFail(t *testing.T) {
	t.Parallel()
	const (
		volumes = 150
		tries   = 60 * triesPerSecond
	)
	changed := func(h *history) {
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
	}
	made := func(h *history) {
		for i := range volumes {
			h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("w%d 7", i))
		}
		changed(h)
	}
	listedWithoutRoom := func(h *history) {
		changed(h)
		_ = h.leader.poller.Poll(h.ctx)
		h.leader.contents.Limit(source.MaxPayloads)
	}
	none := func(string) error { return errDown }
	for name, tc := range map[string]struct {
		tell func(*history)
		fail func(verb string) error
		kept int // bytes for which there is room
		most int // how often StorageOS is asked in a minute, about
	}{
		"they have changed":                        {changed, none, source.MaxPayloads, 0},
		"they have changed, a few are kept":        {changed, none, 400, volumes + tries},
		"they have changed, none is kept":          {changed, none, 0, volumes + tries},
		"they are new, and none is kept":           {made, none, 0, 2*volumes + tries},
		"the right is missing, and none is kept":   {changed, func(string) error { return apierrors.NewForbidden(volumesResource, "x", nil) }, 0, volumes + tries},
		"all writes conflict, and none is kept":    {changed, func(string) error { return apierrors.NewConflict(volumesResource, "x", errDown) }, 0, volumes + tries},
		"others are always faster to make them":    {made, func(string) error { return apierrors.NewAlreadyExists(volumesResource, "x") }, 0, 2*volumes + tries},
		"there is room when they are asked for":    {listedWithoutRoom, none, 0, volumes},
		"there is room, and all writes conflict":   {listedWithoutRoom, func(string) error { return apierrors.NewConflict(volumesResource, "x", errDown) }, 0, volumes},
		"what is written is refused, and not kept": {changed, func(string) error { return refuse }, 0, 2 * volumes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.records.fail = tc.fail
				h.leader.contents.Limit(tc.kept)
				tc.tell(h)
				asked := h.askedByID()
				h.listings(12)
				if n := h.askedByID() - asked; n > tc.most+tc.most/10 {
					t.Errorf("StorageOS was asked for single volumes %d times", n)
				}
				h.records.fail = nil
				h.listings(15)
				for name, r := range h.records.records {
					if r.Spec.SizeBytes != 7 {
						t.Errorf("record %s says %d bytes", name, r.Spec.SizeBytes)
					}
				}
				if n := len(h.records.records); n != len(h.api.Lists["one"]) {
					t.Errorf("%d records", n)
				}
				if n := h.leader.contents.Bytes(); n > 0 {
					t.Errorf("%d bytes of what is recorded are kept", n)
				}
			})
		})
	}
}

// picky takes the writes of some records only.
type picky struct {
	*memory
	takes func(name string) bool
}

func (p *picky) StorageOSV1() typedv1.StorageOSV1Interface { return p }
func (p *picky) Volumes() typedv1.VolumeInterface          { return p }

func (p *picky) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	if !p.takes(name) {
		return nil, errDown
	}
	return p.memory.Patch(ctx, name, pt, data, o, sub...)
}

// While the writes of some records fail, those of the others are written, whatever is kept of
// them, whoever comes first and whatever failed before.
func TestHistoryWritesFailForSome(t *testing.T) {
	t.Parallel()
	const volumes = 300
	for _, tc := range []struct {
		of     int  // the writes of one of so many fail, or are taken
		taken  bool // which
		kept   int  // bytes for which there is room
		outage bool // no writes were taken before
		once   bool // the first write of one that changes later fails, though it is taken
	}{
		{of: 100}, {of: 2}, {of: 10, taken: true}, {of: 10, taken: true, kept: 16000},
		{of: 100, outage: true}, {of: 2, outage: true}, {of: 10, taken: true, outage: true}, {of: 100, taken: true, outage: true},
		{of: 2, once: true}, {of: 100, taken: true, once: true}, {of: 100, taken: true, kept: 16000, outage: true, once: true},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.leader.contents.Limit(tc.kept)
				taken := func(n int) bool { return (n%tc.of == 0) == tc.taken }
				h.leader.writesTo(&picky{memory: h.records, takes: func(name string) bool {
					n := 0
					_, _ = fmt.Sscanf(name, "v%d", &n)
					return taken(n)
				}})
				for i := range h.api.Lists["one"] {
					h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
				}
				if tc.outage {
					h.records.fail = func(string) error { return errDown }
					h.listings(12)
					h.records.fail = nil
				}
				h.listings(8)
				left, last := 0, 0
				for i := range volumes {
					if !taken(i) {
						continue
					}
					last = i
					if h.records.records[fmt.Sprint("v", i)].Spec.SizeBytes != 7 {
						left++
					}
				}
				if left > 0 {
					t.Errorf("%d records whose writes are taken are not written", left)
				}
				h.listings(12) // none is left that could be written
				h.records.fail = func(string) error {
					h.records.fail = nil
					if tc.once {
						return apierrors.NewTooManyRequestsError("x")
					}
					return nil
				}
				h.api.Lists["one"][last] = fmt.Sprintf("v%d 8", last)
				h.listings(1)
				if n := h.records.records[fmt.Sprint("v", last)].Spec.SizeBytes; n != 8 {
					t.Errorf("the record of one that changed later says %d bytes", n)
				}
			})
		})
	}
}

// hanging lets the calls for some records take long and fail, as an admission webhook does
// that does not answer.
type hanging struct {
	*guarded
	hangs func(verb, name string) bool
}

func (p *hanging) StorageOSV1() typedv1.StorageOSV1Interface { return p }
func (p *hanging) Volumes() typedv1.VolumeInterface          { return p }

func (p *hanging) call(verb, name string) error {
	if !p.hangs(verb, name) {
		return nil
	}
	time.Sleep(30 * time.Second)
	return apierrors.NewInternalError(errors.New("failed calling webhook: context deadline exceeded"))
}

func (p *hanging) Create(ctx context.Context, r *v1.Volume, o metav1.CreateOptions) (*v1.Volume, error) {
	if err := p.call("create", r.Name); err != nil {
		return nil, err
	}
	return p.guarded.Create(ctx, r, o)
}

func (p *hanging) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*v1.Volume, error) {
	if err := p.call("patch", name); err != nil {
		return nil, err
	}
	return p.guarded.Patch(ctx, name, pt, data, o, sub...)
}

func (p *hanging) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	if err := p.call("delete", name); err != nil {
		return err
	}
	return p.guarded.Delete(ctx, name, o)
}

// While the writes of many records hang, those of the others are written; each of them is
// tried again in its turn, and right when it is taken.
func TestHistoryWritesHang(t *testing.T) {
	t.Parallel()
	const volumes, many = 300, 100
	changed := func(_ *history, all []string) []string {
		for i := range many {
			all[i] = fmt.Sprintf("v%d 7", i)
		}
		return all
	}
	made := func(_ *history, all []string) []string {
		for i := range many {
			all = append(all, fmt.Sprintf("w%d 7", i))
		}
		return all
	}
	gone := func(h *history, all []string) []string {
		for i := range many {
			h.setPV(h.pvs[fmt.Sprint("v", i)], nil)
		}
		return all[many:]
	}
	for name, tc := range map[string]struct {
		tell  func(h *history, all []string) []string
		verbs []string // that hang
		kept  int      // bytes for which there is room
	}{
		"they have changed":                    {changed, []string{"patch"}, source.MaxPayloads},
		"they have changed, and none are kept": {changed, []string{"patch"}, 0},
		"they are new":                         {made, []string{"create"}, source.MaxPayloads},
		"they are new, and none are kept":      {made, []string{"create"}, 0},
		"they are gone, and cannot be marked":  {gone, []string{"patch"}, source.MaxPayloads},
		"they are gone, and cannot be deleted": {gone, []string{"delete"}, source.MaxPayloads},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.manyWorkers(func(pass func(polls int), is *guarded) {
					var ended atomic.Bool
					h.leader.writesTo(&hanging{guarded: is, hangs: func(verb, name string) bool {
						n := volumes
						_, _ = fmt.Sscanf(name[1:], "%d", &n)
						return n < many && slices.Contains(tc.verbs, verb) && !ended.Load()
					}})
					h.leader.contents.Limit(tc.kept)
					listed := tc.tell(h, slices.Clone(h.api.Lists["one"]))
					h.lists(listed)
					pass(82) // each was tried once
					pv := *h.pvs["v299"]
					pv.Phase, pv.ReclaimPolicy = state.Intern(corev1.VolumeReleased), state.Intern(corev1.PersistentVolumeReclaimRetain)
					h.setPV(h.pvs["v299"], &pv)
					pass(2)
					is.mu.Lock()
					if said := stateIn(h, "v299").Bound.Value().Reason; said != "Released" {
						t.Errorf("two polls later the record of another volume says %s", said)
					}
					is.mu.Unlock()
					ended.Store(true)
					pass(15)
					is.mu.Lock()
					defer is.mu.Unlock()
					if n := len(h.records.records); n != len(listed) {
						t.Errorf("%d records, want %d", n, len(listed))
					}
					for _, v := range listed {
						id, size, _ := strings.Cut(v, " ")
						if r := h.records.records[id]; r == nil || fmt.Sprint(r.Spec.SizeBytes) != size {
							t.Errorf("of volume %s, of %s bytes, the record is %v", id, size, r)
						}
					}
				})
			})
		})
	}
}

// While Kubernetes does not delete a record, whatever it says, the volume is asked for once
// a grace, and the record counts as held.
func TestHistoryNotDeleted(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string]error{
		"the right is missing":          apierrors.NewForbidden(volumesResource, "x", nil),
		"a policy denies it":            refuse,
		"a webhook does":                apierrors.NewBadRequest("admission webhook denied the request"),
		"the webhook is not there":      apierrors.NewInternalError(errors.New("failed calling webhook")),
		"the API server is too busy":    apierrors.NewTooManyRequestsError("x"),
		"the API server does not reply": errDown,
	} {
		for _, grace := range []time.Duration{15 * time.Second, time.Minute} {
			t.Run(fmt.Sprintf("%s, the grace is %v", name, grace), func(t *testing.T) {
				t.Parallel()
				told(t, 40, func(s *Settings) { s.OrphanGracePeriod = grace }, func(h *history) {
					h.records.fail = func(verb string) error {
						if verb == "delete" {
							return denied
						}
						return nil
					}
					h.keepVolumes(39)
					h.listings(3 + int(grace/h.settings.PollInterval))
					asked := h.askedByID()
					h.listings(60) // five minutes
					if n, most := h.askedByID()-asked, int(5*time.Minute/grace); n == 0 || n > most {
						t.Errorf("it was asked for %d times in five minutes", n)
					}
					if n := h.leader.tracker.held[policy.HeldNotDeleted]; n != 1 {
						t.Errorf("held: %v", h.leader.tracker.held)
					}
					h.records.fail = nil
					h.listings(1 + int(grace/h.settings.PollInterval))
					if n := len(h.records.records); n != 39 {
						t.Errorf("%d records when it may be deleted", n)
					}
				})
			})
		}
	}
}
