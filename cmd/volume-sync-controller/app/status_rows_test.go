package app

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Each kind of concern is a row that says why, since when, and what tells more.
func TestRows(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 14, 20, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		is   controller.Concern
		want row
	}{
		"offline": {
			controller.Concern{Kind: "Offline", VolumeID: "id", Record: "rec", PersistentVolume: "pv", ClaimNamespace: "ns", Claim: "c", Why: "the master is offline", Since: now.Add(-time.Hour)},
			row{Kind: "Offline", Class: "bad", Name: "rec", VolumeID: "id", Claim: "ns/c", Why: "The master is offline.", Since: "Not Healthy since 13:20:00.", Command: "kubectl describe volume rec", unwell: true},
		},
		"degraded since yesterday": {
			controller.Concern{Kind: "Degraded", Record: "rec", Why: "only 1/2 copies are usable", Since: now.Add(-24 * time.Hour)},
			row{Kind: "Degraded", Class: "warn", Name: "rec", Why: "Only 1/2 copies are usable.", Since: "Not Healthy since 5 May, 14:20.", Command: "kubectl describe volume rec", unwell: true},
		},
		"missing": {
			controller.Concern{Kind: metrics.OrphanMissing, PersistentVolume: "pv", Why: "it is gone", Since: now},
			row{Kind: "Missing", Class: "bad", Name: "pv", Why: "It is gone.", Since: "Absent since 14:20:00.", Command: "kubectl describe persistentvolume pv"},
		},
		"unclaimed": {
			controller.Concern{Kind: metrics.OrphanUnclaimed, Record: "rec", Why: record.Unclaimed.Message, Since: now},
			row{Kind: "Unclaimed", Class: "warn", Name: "rec", Why: "No PersistentVolume has referred to the volume for longer than the grace period.", Since: "Since 14:20:00.", Command: "kubectl describe volume rec"},
		},
		"invalid, and Kubernetes knows nothing of it": {
			controller.Concern{Kind: controller.ConcernInvalid, VolumeID: "id", Why: "is it?"},
			row{Kind: "Invalid", Class: "warn", VolumeID: "id", Why: "Is it?"},
		},
		"held":     {controller.Concern{Kind: controller.ConcernHeld, Record: "r"}, row{Kind: "Held back", Class: "warn", Name: "r", Command: "kubectl describe volume r"}},
		"orphaned": {controller.Concern{Kind: metrics.OrphanRecord, Record: "r"}, row{Kind: "Orphaned record", Class: "warn", Name: "r", Command: "kubectl describe volume r"}},
		"unknown":  {controller.Concern{Kind: "Unknown", Record: "r"}, row{Kind: "Unknown", Class: "warn", Name: "r", Command: "kubectl describe volume r", unwell: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := rowsOf([]controller.Concern{tc.is}, nil, now)
			got[0].Key = ""
			if diff := cmp.Diff([]row{tc.want}, got, cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of the nodes that have copies of volumes that are not healthy, the worst is named first.
func TestPlaces(t *testing.T) {
	t.Parallel()
	known := map[string]detail{
		"a": {copies: []copyOn{{Node: "n1", Role: "master"}, {Node: "n2", Role: "replica", Health: "failed"}}},
		"b": {copies: []copyOn{{Node: "n3", Role: "master"}, {Node: "n2", Role: "replica", Health: "failed"}}},
		"c": {copies: []copyOn{{Node: "n4", Role: "master"}}},
		"d": {copies: []copyOn{{Node: "n5; reboot", Role: "master"}, {Node: "-n6", Role: "replica"}}},
	}
	rows := rowsOf([]controller.Concern{{Kind: "Degraded", Record: "a"}, {Kind: "Degraded", Record: "b"}, {Kind: metrics.OrphanUnclaimed, Record: "c"}, {Kind: "Unknown", Record: "d"}}, known, time.Now())
	want := []place{ // in a command there is no name that would do something else
		{"n2", "kubectl storageos-volumes --controller-namespace ours --csi-driver csi.theirs drain-check n2", 2, 0},
		{"-n6", "", 0, 1},
		{"n1", "kubectl storageos-volumes --controller-namespace ours --csi-driver csi.theirs drain-check n1", 0, 1},
		{"n3", "kubectl storageos-volumes --controller-namespace ours --csi-driver csi.theirs drain-check n3", 0, 1},
		{"n5; reboot", "", 0, 1},
	}
	if diff := cmp.Diff(want, placesOf(rows, pluginOf("ours", "csi.theirs"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A record is asked for when it is first shown and when it has changed, a few at a time; one
// that cannot be had, again.
func TestDetails(t *testing.T) {
	t.Parallel()
	var asked []string
	failing := true
	d := details{get: func(_ context.Context, name string) (*v1.Volume, error) {
		asked = append(asked, name)
		if name == "bad" && failing {
			return nil, errors.New("not now")
		}
		v := &v1.Volume{}
		v.Status.Master = &v1.Master{Hostname: "n1", Health: "offline"}
		v.Status.Replicas = []v1.Replica{{NodeID: "id-2", Health: "ready"}, {Health: "ready"}, {Hostname: "gone", Health: "deleted"}}
		return v, nil
	}}
	shown := []controller.Concern{{Record: "a", Version: "1"}, {VolumeID: "no record"}, {Record: "bad", Version: "1"}, {Record: "a", Version: "1", Kind: "another"}}
	ask := func(want ...string) map[string]detail {
		t.Helper()
		asked = nil
		got := d.of(t.Context(), shown)
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		return got
	}
	got := ask("a", "bad")
	if diff := cmp.Diff([]copyOn{{"n1", "master", "offline"}, {"id-2", "replica", ""}}, got["a"].copies); diff != "" || len(got) != 1 {
		t.Errorf("%d known; copies (-want +got):\n%s", len(got), diff)
	}
	failing = false
	ask("bad")
	ask()
	shown[0].Version, shown[3].Version = "2", "2"
	ask("a")
	shown = shown[2:3]
	if got := ask(); len(got) != 1 || len(d.known) != 1 {
		t.Errorf("%d are remembered that nobody looks at", len(d.known)-1)
	}
	shown = nil
	for i := range maxDetails + 5 {
		shown = append(shown, controller.Concern{Record: fmt.Sprint(i)})
	}
	if d.of(t.Context(), shown); len(d.known) != maxDetails {
		t.Errorf("%d are asked for at once", len(d.known))
	}
	if d.of(t.Context(), shown); len(d.known) != maxDetails+5 {
		t.Errorf("the rest is not asked for: %d", len(d.known))
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a": "A.", "it is so": "It is so.", "It is so.": "It is so.", "is it?": "Is it?", "ä": "Ä.", "2/2 copies are usable": "2/2 copies are usable.",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	c := &changes{}
	c.said(&corev1.ObjectReference{Kind: "Volume", Name: "a"}, corev1.EventTypeWarning, "VolumeOffline", "the master is offline")
	if got := c.newest()[0].What; got != "The master is offline. (VolumeOffline)" {
		t.Errorf("an event reads %q", got)
	}
}

// The news change when the state does, and with nothing else.
func TestNews(t *testing.T) {
	t.Parallel()
	unwell := []level{{"Healthy", 7, "good"}, {"Degraded", 2, "warn"}, {"Offline", 0, "bad"}}
	for name, tc := range map[string]struct {
		is   status
		want string
	}{
		"a standby":      {status{Role: "standby", Health: unwell}, "This process is standby: only the leader knows how the volumes are."},
		"not yet listed": {status{Role: "leading"}, "This process leads. StorageOS was not listed completely yet."},
		"well":           {status{Role: "leading", LastPoll: "3s ago", Health: unwell[:1]}, "This process leads. All volumes are well."},
		"not well":       {status{Role: "leading", LastPoll: "3s ago", Health: unwell, Orphans: []level{{"invalid", 1, "warn"}}}, "This process leads. Not well: 2 Degraded, 1 invalid."},
		"late":           {status{Role: "leading", LastPoll: "3h ago", Late: true}, "This process leads. The last complete poll is too long ago. All volumes were well before."},
		"failing":        {status{Role: "leading", LastPoll: "3h ago", Late: true, Failing: "no answer"}, "This process leads. The last listing of StorageOS was not complete. All volumes were well before."},
	} {
		if got := tc.is.News(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
