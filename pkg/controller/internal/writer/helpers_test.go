package writer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/recordtest"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var (
	errBroken = errors.New("broken")
	volumes   = v1.SchemeGroupVersion.WithResource("volumes").GroupResource()
)

// stored is a Kubernetes that has records, and what it was asked for.
type stored struct {
	t       *testing.T
	all     map[string]*v1.Volume
	pages   []string // what each list but the last says that the next is asked for with
	version int
	calls   []string
	fail    func(call string) error // nil: nothing does
}

// client answers with what is stored.
func (s *stored) client() *fake.Clientset {
	c := fake.NewSimpleClientset()
	c.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		obj, err := s.answer(a)
		return true, obj, err
	})
	return c
}

func (s *stored) answer(a clienttesting.Action) (runtime.Object, error) {
	var call, name string
	switch a := a.(type) {
	case clienttesting.GetActionImpl:
		name = a.Name
		call = "get " + name + " at " + strconv.Quote(a.GetOptions.ResourceVersion)
	case clienttesting.ListActionImpl:
		call = "list " + strconv.Quote(a.ListOptions.Continue)
	case clienttesting.CreateActionImpl:
		name = a.Object.(*v1.Volume).Name
		call = "create " + name
	case clienttesting.PatchActionImpl:
		name = a.Name
		call = strings.TrimSuffix("patch "+name+"/"+a.Subresource, "/")
	default:
		s.t.Errorf("asked for %v", a)
	}
	s.calls = append(s.calls, call)
	if s.fail != nil {
		if err := s.fail(call); err != nil {
			return nil, err
		}
	}
	is := s.all[name]
	switch a := a.(type) {
	case clienttesting.ListActionImpl:
		list := &v1.VolumeList{}
		for _, r := range s.all {
			list.Items = append(list.Items, *r)
		}
		if len(s.pages) > 0 {
			list.Continue, s.pages = s.pages[0], s.pages[1:]
		}
		return list, nil
	case clienttesting.CreateActionImpl:
		if is != nil {
			return nil, apierrors.NewAlreadyExists(volumes, name)
		}
		is = a.Object.(*v1.Volume).DeepCopy()
		is.UID = types.UID("of " + name)
		return s.store(is), nil
	case clienttesting.PatchActionImpl:
		if is == nil {
			return nil, apierrors.NewNotFound(volumes, name)
		}
		patch := map[string]any{}
		if err := json.Unmarshal(a.Patch, &patch); err != nil {
			return nil, err
		}
		if patch["metadata"].(map[string]any)["resourceVersion"] != is.ResourceVersion {
			return nil, apierrors.NewConflict(volumes, name, errBroken)
		}
		patched, err := recordtest.Patched(is, patch)
		if err != nil {
			return nil, err
		}
		return s.store(patched), nil
	}
	if is == nil {
		return nil, apierrors.NewNotFound(volumes, name)
	}
	return is, nil
}

// store keeps a record at a version of its own.
func (s *stored) store(r *v1.Volume) *v1.Volume {
	s.version++
	r.ResourceVersion = strconv.Itoa(s.version)
	s.all[r.Name] = r
	return r
}

// caches are what is known without asking.
type caches struct {
	records map[string]*state.Record // by name
	lists   map[string]bool
}

func (c *caches) Record(name string) *state.Record { return c.records[name] }

func (c *caches) RecordsOf(id string) (all []*state.Record) {
	for _, r := range c.records {
		if r.LabelID == id {
			all = append(all, r)
		}
	}
	return all
}

func (c *caches) OthersPV(string, string) bool { return false }
func (c *caches) Lists(id string) bool         { return c.lists[id] }

// newWriter is a writer on a Kubernetes that has no record.
func newWriter(t *testing.T) (*Writer, *stored, *caches) {
	s, c := &stored{t: t, all: map[string]*v1.Volume{}}, &caches{map[string]*state.Record{}, map[string]bool{}}
	return New(s.client(), c, func(string, string) {}), s, c
}

// aChange is what the record of a volume should say, and that record.
func aChange(t *testing.T) (*Change, *v1.Volume) {
	t.Helper()
	r, content := anOutlined(t)
	pv := state.PVSummary{Name: r.Name}
	c := &Change{
		VolumeID: content.VolumeID, Content: &content, Cluster: "cluster", Now: metav1.Unix(1_800_000_000, 0), PVName: r.Name,
		Summary: state.Summary{Health: state.Intern(content.HealthStatus()), PV: pv, Bound: state.BoundTrue, Present: state.PresentTrue},
		Waits:   func(*state.Record) bool { return false },
	}
	_, c.SpecHash = state.DigestContent(content)
	return c, r
}

// others is a record of another volume, of that name.
func others(t *testing.T, name string) *v1.Volume {
	t.Helper()
	r, _ := anOutlined(t)
	r.Name = name
	return r
}

// names are those that the record of a volume could have.
func names(c *Change) []string {
	return record.Names(c.VolumeID, c.Content.Name, c.Content.Spec.ConfigLabels, c.PVName, func(string) bool { return false })
}

// write brings the record of a volume to what it should say, in words.
func write(ctx context.Context, w *Writer, c *Change, known *state.Record) (is string, res Result, err error) {
	res, err = w.Write(ctx, c, known)
	switch {
	case err != nil:
		is = "error"
	case res.After != nil:
		is = "written"
	}
	if res.Again {
		is += ", again"
	}
	if res.Awaits != "" {
		is += fmt.Sprint(", awaits ", res.Awaits)
	}
	return is, res, err
}
