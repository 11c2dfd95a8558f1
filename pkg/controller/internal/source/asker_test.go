package source

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// A volume that was asked for and that no list has is not absent, and what was listed of one
// is not asked for.
func TestAskerVolume(t *testing.T) {
	t.Parallel()
	raw := storageostest.Entry("one", "a 1").Raw
	for name, tc := range map[string]struct {
		raw   []byte // that was listed
		fail  error
		is    policy.Presence
		calls int
	}{
		"it is there":          {is: policy.Unknown, calls: 1},
		"it cannot be asked":   {fail: errBroken, is: policy.Absent, calls: 1},
		"it was listed":        {raw: raw, is: policy.Absent},
		"it is listed no more": {fail: storageostest.NotFound, is: policy.Absent, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(map[string][]string{"one": {"a 1"}})
			api.Fail = func(string, int) error { return tc.fail }
			view := newView()
			view.End(at(1), true)
			got, v, err := NewAsker(api, view, 1).Volume(t.Context(), "one", "a", Payload{JSON: tc.raw})
			if !errors.Is(err, tc.fail) || err == nil && (string(got.JSON) != string(raw) || v.Id != "a") {
				t.Errorf("%q, %+v, %v", got, v, err)
			}
			if is := view.Look("a").Presence; is != tc.is {
				t.Errorf("it is %v, want %v", is, tc.is)
			}
			if n := api.Calls["volume a"]; n != tc.calls {
				t.Errorf("it was asked for %d times, want %d", n, tc.calls)
			}
		})
	}
}

// Only the 404 of the API to each question, between two answers of the cluster that was
// listed, proves that a volume is gone, and what is in the way of a proof is said.
func TestGone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed string // cluster
		none   bool   // nothing is asked
		lists  map[string][]string
		fail   func(call string, n int) error
		gone   bool
		says   string // in the error, "" if there is none
		is     policy.Presence
	}{
		"gone":        {listed: "cluster", gone: true, is: policy.Absent},
		"nowhere":     {listed: "cluster", none: true, says: "no StorageOS namespace", is: policy.Absent},
		"there":       {listed: "cluster", lists: map[string][]string{"two": {"a 1"}}, is: policy.Unknown},
		"of another":  {listed: "other", says: `cluster "cluster" answers, and it was "other"`, is: policy.Absent},
		"no cluster":  {listed: "cluster", fail: failFirst("cluster", 1), says: "asking for the cluster", is: policy.Absent},
		"no answer":   {listed: "cluster", fail: failFirst("volume a", 1), says: "asking for the volume in namespace one: broken", is: policy.Absent},
		"a proxy's":   {listed: "cluster", fail: answers("volume a", &storageos.APIError{Code: http.StatusNotFound}), says: "asking for the volume", is: policy.Absent},
		"not at last": {listed: "cluster", fail: second("cluster", errBroken), says: "asking for the cluster: broken", is: policy.Absent},
		"refused at last": {
			listed: "cluster", fail: second("cluster", storageostest.Forbidden),
			says: `"cluster" before, "" after`, is: policy.Absent,
		},
		"refused": {listed: "", fail: answers("cluster", storageostest.Forbidden), gone: true, is: policy.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(tc.lists)
			api.Fail = tc.fail
			view := newView()
			view.End(at(1), true)
			questions := []Check{{"one", "a"}, {"two", "a"}}
			if tc.none {
				questions = nil
			}
			gone, err := NewAsker(api, view, 1).Gone(t.Context(), tc.listed, questions)
			if gone != tc.gone || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("gone: %v, %v; want %v, %q", gone, err, tc.gone, tc.says)
			}
			if is := view.Look("a").Presence; is != tc.is {
				t.Errorf("it is %v, want %v", is, tc.is)
			}
		})
	}
}

// answers has a call answered with an error, each time.
func answers(call string, err error) func(string, int) error {
	return func(c string, _ int) error {
		if c == call {
			return err
		}
		return nil
	}
}

// second has a call answered with an error, the second time.
func second(call string, err error) func(string, int) error {
	return func(c string, n int) error {
		if c == call && n == 2 {
			return err
		}
		return nil
	}
}

// Once one answer is enough, the other questions are called off: they do not keep others from
// asking.
func TestQuestionsCalledOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := storageostest.New(map[string][]string{"one": {"a 1"}})
		api.Slow = map[string]time.Duration{"volume b": time.Hour}
		a := NewAsker(api, newView(), 2)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if gone, err := a.notFound(ctx, []Check{{"one", "b"}, {"one", "a"}, {"one", "b"}}); gone || err != nil {
			t.Errorf("gone: %v, %v", gone, err)
		}
		synctest.Wait()
		if n := len(a.slots); n > 0 {
			t.Errorf("%d questions are on their way still", n)
		}
	})
}

// An answer without a name and without an error names no cluster, and neither does an error.
func TestAskCluster(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id    string
		fail  error
		want  answer
		err   error
		heard string // "-" if nothing was
	}{
		"named":            {id: "a", want: answer{"a"}, heard: "a"},
		"empty":            {heard: "-"},
		"refused":          {fail: storageostest.Forbidden, heard: "-"},
		"failed":           {fail: errBroken, err: errBroken, heard: "-"},
		"failed, and says": {id: "a", fail: errBroken, err: errBroken, heard: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := storageostest.New(nil)
			api.ClusterID, api.Fail = tc.id, answers("cluster", tc.fail)
			v := newView()
			got, err := askCluster(t.Context(), api, v)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%+v, %v", got, err)
			}
			if is := heard(v); is != tc.heard {
				t.Errorf("heard of %q, want %q", is, tc.heard)
			}
		})
	}
}

// heard is the cluster that was heard last, "-" if none was.
func heard(v *View) string {
	if v.clock.Span == 0 {
		return "-"
	}
	return v.clock.Cluster
}

// That StorageOS refuses to tell its cluster or its nodes is said once, and once more after it has
// told them.
func TestSaidOnce(t *testing.T) {
	t.Parallel()
	for call, says := range map[string]string{"cluster": "refuses to tell which cluster", "nodes": "does not list its nodes"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			var logged []string
			ctx := klog.NewContext(t.Context(), funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}))
			api := storageostest.New(nil)
			p := newPolled(api)
			for n, tc := range []struct {
				answer error
				said   bool
			}{
				{nil, false},
				{storageostest.Forbidden, true},
				{storageostest.Forbidden, false},
				{nil, false},
				{storageostest.Forbidden, true},
			} {
				api.Fail, logged = answers(call, tc.answer), nil
				if err := p.Poll(ctx); err != nil {
					t.Fatal(err)
				}
				if said := len(logged) == 1 && strings.Contains(logged[0], says); said != tc.said || !said && len(logged) > 0 {
					t.Errorf("listing %d: said %v, want %v: %q", n, said, tc.said, logged)
				}
			}
		})
	}
}
