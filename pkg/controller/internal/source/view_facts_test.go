package source

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// How much the view remembers is told in full.
func TestViewSize(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		history func(*View)
		want    Size
	}{
		"nothing": {func(*View) {}, Size{}},
		"a whole list": {func(v *View) {
			tell(v, at(1), "one", []shown{{"a", 1}, {"b", 1}}, -1)
		}, Size{Volumes: 2, Entries: 2, Namespaces: 1}},
		"a list that is cut": {func(v *View) {
			tell(v, at(1), "one", []shown{{"a", 1}, {"b", 1}}, 1)
		}, Size{Volumes: 1, Entries: 2, Namespaces: 1}}, // it is in the order, and not in a whole list yet
		"one that has yet to be gone": {func(v *View) {
			tell(v, at(1), "one", []shown{{"a", 1}, {"b", 1}}, -1)
			tell(v, at(2), "one", []shown{{"b", 1}}, -1)
		}, Size{Volumes: 2, Entries: 2, Namespaces: 1}},
		"one in two lists": {func(v *View) {
			l := at(1)
			tell(v, l, "one", []shown{{"a", 1}}, -1)
			tell(v, l, "two", []shown{{"a", 2}}, -1)
		}, Size{Volumes: 1, Entries: 2, Namespaces: 2, Ambiguous: 1}},
		"one twice in a list": {func(v *View) {
			tell(v, at(1), "one", []shown{{"a", 1}, {"a", 2}}, -1)
		}, Size{Volumes: 1, Entries: 1, Namespaces: 1, Ambiguous: 1}},
		"one that was asked for": {func(v *View) {
			v.shown("a", noon)
		}, Size{Unknown: 1}},
		"one that was asked for, then listed": {func(v *View) {
			v.shown("a", noon)
			l := &Listing{Begun: noon.Add(-time.Second)}
			tell(v, l, "one", []shown{{"a", 1}}, -1)
			v.End(l, true)
		}, Size{Volumes: 1, Entries: 1, Namespaces: 1}},
		"a namespace that is known": {func(v *View) { v.setNamespaces(at(1), []string{"one"}) }, Size{Seen: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView()
			tc.history(v)
			if diff := cmp.Diff(tc.want, v.Size()); diff != "" {
				t.Errorf("size (-want +got):\n%s", diff)
			}
			if !v.mu.TryLock() {
				t.Fatal("it is locked for ever")
			}
		})
	}
}

// Of which cluster a volume is, the listing tells that showed it, and not the last complete
// one.
func TestViewClusterOfAVolume(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		second   *Listing // shows b, and is not complete
		cluster  string
		verified bool
		vouched  bool
	}{
		"of another":    {&Listing{Begun: noon, Cluster: "2", Verified: true}, "2", true, true},
		"nobody knows":  {&Listing{Begun: noon}, "", false, false},
		"of the same":   {&Listing{Begun: noon, Cluster: "1", Verified: true}, "1", true, false},
		"of one hidden": {&Listing{Begun: noon, Verified: true}, "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, first := newView(), at(1)
			v.Vouch("2", policy.Voucher{Is: true})
			tell(v, first, "ns", []shown{{"a", 1}}, -1)
			v.End(first, true)
			tell(v, tc.second, "other", []shown{{"b", 1}}, -1)
			v.End(tc.second, false)
			if s := v.Look("b"); s.Cluster != tc.cluster || s.ClusterVerified != tc.verified || s.Voucher.Is != tc.vouched {
				t.Errorf("it is of %q, verified %v, vouched for %v", s.Cluster, s.ClusterVerified, s.Voucher.Is)
			}
			if s := v.Look("a"); s.Cluster != "1" || !s.ClusterVerified {
				t.Errorf("the one before is of %q, verified %v", s.Cluster, s.ClusterVerified)
			}
		})
	}
}

// The clusters that are remembered are bounded, and one that is remembered costs none of them.
func TestVouch(t *testing.T) {
	t.Parallel()
	v := newView()
	want, by := map[string]policy.Voucher{}, policy.Voucher{Is: true, From: 5}
	for n := range maxVouched {
		v.Vouch(fmt.Sprint(n), by)
		want[fmt.Sprint(n)] = by
	}
	v.Vouch("7", policy.Voucher{Is: true, From: 6}) // a younger one
	v.Vouch("8", policy.Voucher{Is: true, From: 4})
	want["8"] = policy.Voucher{Is: true, From: 4}
	if diff := cmp.Diff(want, v.vouched); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	v.Vouch("another", by)
	if diff := cmp.Diff(map[string]policy.Voucher{"another": by}, v.vouched); diff != "" {
		t.Errorf("one too many (-want +got):\n%s", diff)
	}
}

// A question may be answered by another cluster at any time. What was listed is of the cluster that was, and what
// the other has is not said to be new, nor read by its ID, before that was listed.
func TestViewSpan(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		complete      bool
		before, after string // who answers a question before and after the end of the listing
		span          int
	}{
		"of itself":                      {true, "1", "1", 1},
		"another answers after it":       {true, "1", "2", 1},
		"also before its end":            {true, "2", "2", 3}, // complete, it has the last word
		"incomplete":                     {false, "1", "1", 1},
		"incomplete, another answers":    {false, "1", "2", 1},
		"incomplete, another has before": {false, "2", "2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, l := newView(), at(1)
			l.Cluster, l.Verified = "1", true
			v.heard("1")
			v.setNamespaces(l, []string{"ns"})
			tell(v, l, "ns", []shown{{"a", 1}}, -1)
			v.heard(tc.before)
			v.End(l, tc.complete)
			v.heard(tc.after)
			v.Compared(l, tc.complete)
			if l.Span != tc.span {
				t.Errorf("its span is %d, want %d", l.Span, tc.span)
			}
			synced := tc.complete && tc.after == l.Cluster
			if v.readable() != nil != synced {
				t.Errorf("volumes may be read one by one: %t, want %t", !synced, synced)
			}
			if v.setNamespaces(at(2), []string{"ns", "other"}); v.seen["other"] != synced {
				t.Errorf("a namespace that was not there is new: %t, want %t", !synced, synced)
			}
		})
	}
}

// What is to be decoded again and is not listed is told.
func TestDecodeAgain(t *testing.T) {
	t.Parallel()
	v, first := newView(), at(1)
	list := []shown{{"a", 1}, {"b", 2}}
	tell(v, first, "ns", list, -1)
	v.End(first, true)
	if diff := cmp.Diff([]string{"x", "y"}, v.DecodeAgain([]string{"x", "a", "y"})); diff != "" {
		t.Errorf("not listed (-want +got):\n%s", diff)
	}
	if n := tell(v, at(2), "ns", list, -1); n != 1 {
		t.Errorf("%d were decoded, want the one", n)
	}
}

// A volume that is listed twice, and the same each time, is not taken for two when it is to be
// decoded again between the two.
func TestDecodeAgainListedTwice(t *testing.T) {
	t.Parallel()
	v, first := newView(), at(1)
	tell(v, first, "ns", []shown{{"a", 1}, {"a", 1}}, -1)
	v.End(first, true)
	r := v.Read(at(2), "ns")
	r.Show("a", 1)
	v.DecodeAgain([]string{"a"})
	if is := r.Show("a", 1); is != unchanged {
		t.Errorf("it is %v", is)
	}
}

// One that cannot be recorded counts as unknown, whatever its health was.
func TestByHealth(t *testing.T) {
	t.Parallel()
	v := newView()
	r := v.Read(at(1), "ns")
	for n, invalid := range []string{"", "", "it cannot be recorded"} {
		id, raw := fmt.Sprint("v", n), uint64(n+1)
		if r.Show(id, raw) != changed {
			t.Fatal("it is not new")
		}
		r.Store(id, raw, state.Digest{Health: state.Intern(record.HealthStatus{Health: v1.HealthHealthy})}, invalid)
	}
	got := v.ByHealth()
	maps.DeleteFunc(got, func(_ v1.Health, n int) bool { return n == 0 })
	if diff := cmp.Diff(map[v1.Health]int{v1.HealthHealthy: 2, v1.HealthUnknown: 1}, got); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
}

// Of a volume that nobody cares for it is remembered of all together that it may be there:
// the latest time at which that was so counts.
func TestViewForgotten(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Minute)
	for name, tc := range map[string]struct {
		cares    bool
		history  func(v *View)
		presence policy.Presence
		is       bool
		forgot   time.Time
	}{
		"nothing happened": {presence: policy.Absent},
		"its namespace was taken from an incomplete listing": {history: func(v *View) {
			l := &Listing{Begun: later}
			v.setNamespaces(l, []string{"two"})
			v.End(l, false)
		}, presence: policy.Absent, is: true, forgot: later},
		"that, and somebody cares": {cares: true, history: func(v *View) {
			l := &Listing{Begun: later}
			v.setNamespaces(l, []string{"two"})
			v.End(l, false)
		}, presence: policy.Unknown},
		"it was shown, and nobody cares any more": {history: func(v *View) {
			v.shown("x", later)
			v.End(&Listing{Begun: later}, false)
		}, presence: policy.Absent, is: true, forgot: later},
		"that, and another was forgotten later": {history: func(v *View) {
			v.forgot = later.Add(time.Hour)
			v.shown("x", later)
			v.End(&Listing{Begun: later}, false)
		}, presence: policy.Absent, is: true, forgot: later.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, first := NewView(5*time.Second, Known{NamesVolume: func(string) bool { return tc.cares }}), at(1)
			v.setNamespaces(first, []string{"one", "two"})
			tell(v, first, "one", []shown{{"a", 1}}, -1)
			tell(v, first, "two", nil, -1)
			v.End(first, true)
			if s := v.Look("x"); s.Forgotten {
				t.Fatal("forgotten from the beginning")
			}
			id := "x"
			if tc.history != nil {
				tc.history(v)
				if !v.Lists("a") {
					id = "a"
				}
			}
			if s := v.Look(id); s.Presence != tc.presence || s.Forgotten != tc.is || !v.forgot.Equal(tc.forgot) {
				t.Errorf("%s is %v, forgotten %v, at %v", id, s.Presence, s.Forgotten, v.forgot)
			}
			if n := v.Size().Unknown; (n > 0) != (tc.presence == policy.Unknown) {
				t.Errorf("%d are remembered one by one", n)
			}
		})
	}
}
