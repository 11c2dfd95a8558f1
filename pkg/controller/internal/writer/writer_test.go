package writer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// A record is read only where its outline is not enough, and no newer than need be: after a
// conflict, or where the cache may be behind, not out of a cache of the API server either.
func TestWriteReads(t *testing.T) {
	t.Parallel()
	strategy := func(r *v1.Volume) { r.Spec.Strategy = 1 } // which no outline tells
	for name, tc := range map[string]struct {
		record func(*v1.Volume)
		unsure bool
		fail   func(call string, calls int) error
		calls  []string
	}{
		"the outline is enough":       {calls: []string{"patch pv", "patch pv/status"}},
		"it is, and the cache behind": {unsure: true, calls: []string{"patch pv", "patch pv/status"}},
		"it is not":                   {record: strategy, calls: []string{`get pv at "1"`, "patch pv", "patch pv/status"}},
		"it is not, and the cache behind": {
			record: strategy, unsure: true, calls: []string{`get pv at ""`, "patch pv", "patch pv/status"},
		},
		"a conflict": {
			fail: func(_ string, calls int) error {
				if calls == 1 {
					return apierrors.NewConflict(volumes, "pv", errBroken)
				}
				return nil
			},
			calls: []string{"patch pv", `get pv at ""`, "patch pv", "patch pv/status"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := newWriter(t)
			c, r := aChange(t)
			c.Cluster, c.Unsure = "other", tc.unsure
			if tc.record != nil {
				tc.record(r)
			}
			known := state.NewRecord(s.store(r))
			s.fail = func(call string) error {
				if tc.fail == nil {
					return nil
				}
				return tc.fail(call, len(s.calls))
			}
			is, _, err := write(t.Context(), w, c, known)
			if err != nil || is != "written" {
				t.Errorf("%s: %v", is, err)
			}
			if diff := cmp.Diff(tc.calls, s.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// What becomes of a record that is not there, and whether it is remembered until the cache
// has it.
func TestCreate(t *testing.T) {
	t.Parallel()
	failing := func(call string, err error) func(*stored, *Change) {
		return func(s *stored, _ *Change) {
			s.fail = func(c string) error {
				if c == call {
					return err
				}
				return nil
			}
		}
	}
	for name, tc := range map[string]struct {
		before   func(*stored, *Change)
		is       string
		record   string // the name under which it is now, "" if it is not there
		uncached int
	}{
		"it is made": {is: "written", record: "pv", uncached: 1},
		"its name is taken": {before: func(s *stored, _ *Change) {
			s.store(others(s.t, "pv"))
		}, is: "written", record: "second", uncached: 1},
		"all its names are taken": {before: func(s *stored, c *Change) {
			for _, name := range names(c) {
				s.store(others(s.t, name))
			}
		}, is: "error"},
		"it waits for its name": {before: func(s *stored, c *Change) {
			s.store(others(s.t, "pv"))
			c.Waits = func(*state.Record) bool { return true }
		}, is: ", awaits pv"},
		"it may not be made":         {before: failing("create pv", apierrors.NewForbidden(volumes, "pv", errBroken)), is: "error"},
		"nobody knows":               {before: failing("create pv", errBroken), is: "error", uncached: 1},
		"its status is not written":  {before: failing("patch pv/status", errBroken), is: "error", record: "pv", uncached: 1},
		"whose its name is, neither": {before: func(s *stored, c *Change) { s.store(others(s.t, "pv")); failing(`get pv at ""`, errBroken)(s, c) }, is: "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := newWriter(t)
			c, _ := aChange(t)
			if tc.before != nil {
				tc.before(s, c)
			}
			is, res, err := write(t.Context(), w, c, nil)
			if is != tc.is {
				t.Errorf("%s (%v), want %s", is, err, tc.is)
			}
			record := ""
			for name, r := range s.all {
				if r.Labels[v1.LabelVolumeID] == c.VolumeID {
					record = name
				}
			}
			if tc.record == "second" {
				tc.record = names(c)[1]
			}
			if record != tc.record {
				t.Errorf("it is there as %q, want %q", record, tc.record)
			}
			if (res.After != nil) != (record != "") {
				t.Errorf("after it is %v", res.After)
			}
			if n := w.Uncached(); n != tc.uncached || n != w.Uncached() {
				t.Errorf("%d are remembered, want %d", n, tc.uncached)
			}
			if made, _ := w.creations.of(c.VolumeID); record != "" && made != (creation{record, state.UIDOf(s.all[record].UID)}) {
				t.Errorf("%+v is remembered", made)
			}
		})
	}
}
