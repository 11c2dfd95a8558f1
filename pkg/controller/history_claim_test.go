package controller

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// onClaims counts what is said on claims, by namespace, name, UID and reason.
type onClaims map[string]int

func (c onClaims) Event(object runtime.Object, _, reason, _ string) {
	if on := object.(*corev1.ObjectReference); on.Kind == "PersistentVolumeClaim" {
		c[on.Namespace+"/"+on.Name+" "+string(on.UID)+" "+reason]++
	}
}

// Who owns a claim is told how its volume is, if that is wanted: of health, and that it is
// missing or found, and of nothing else.
func TestHistoryClaimEvents(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		off  bool   // claims are not to be told
		uid  string // of the claim of v0
		tell func(*history)
		want onClaims
	}{
		"degraded, offline, healthy": {uid: "c0", tell: func(h *history) {
			for _, is := range []string{"v0 1 online n1 5", "v0 1 offline", "v0 1"} {
				h.becomes(is)
			}
		}, want: onClaims{"team/v0 c0 VolumeDegraded": 1, "team/v0 c0 VolumeOffline": 1, "team/v0 c0 VolumeHealthy": 1}},
		"missing and found": {uid: "c0", tell: func(h *history) {
			v0 := h.api.Lists["one"][0]
			h.api.Lists["one"] = h.api.Lists["one"][1:]
			h.polls(12)
			h.api.Lists["one"] = append(h.api.Lists["one"], v0)
			h.polls(4)
		}, want: onClaims{"team/v0 c0 VolumeMissing": 1, "team/v0 c0 VolumeFound": 1}},
		"cannot be recorded": {uid: "c0", tell: func(h *history) { h.becomes("v0 18446744073709551615") }},
		"no claim was bound": {tell: func(h *history) { h.becomes("v0 1 offline") }},
		"not wanted":         {off: true, uid: "c0", tell: func(h *history) { h.becomes("v0 1 offline") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := onClaims{}
			events := told(t, 3, func(s *Settings) { s.ClaimEvents = !tc.off }, func(h *history) {
				pv := *h.pvs["v0"]
				pv.ClaimUID = state.UIDOf("c0")
				if tc.uid == "" {
					pv.ClaimUID = state.UID{}
				}
				h.setPV(h.pvs["v0"], &pv)
				h.polls(1)
				both := &bothHear{got, h.events}
				h.leader.events = both
				tc.tell(h)
			})
			if !maps.Equal(got, tc.want) {
				t.Errorf("claims were told %v, want %v (all: %v)", got, tc.want, events)
			}
			if len(events) == 0 {
				t.Error("nothing has happened")
			}
		})
	}
}

type bothHear [2]EventRecorder

func (b *bothHear) Event(object runtime.Object, kind, reason, message string) {
	for _, one := range b {
		one.Event(object, kind, reason, message)
	}
}
