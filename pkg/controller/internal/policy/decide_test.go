package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var (
	noon     = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	compared = cmp.Comparer(func(a, b state.Summary) bool { return a == b })
)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// The state of a record that is right for pvBound and the content 7.
func rightState() state.Summary {
	return state.Summary{Content: 7, Health: healthy, PV: pvBound().PVSummary, Present: state.PresentTrue, Bound: state.BoundOf(pvBound())}
}

// healthy is how the volume of rightState is.
var healthy = state.Intern(record.NewHealthStatus(v1.HealthHealthy, "1/1"))

func pvBound() *state.PV {
	return &state.PV{
		PVSummary: state.PVSummary{
			Name: "pv", Phase: state.Intern(corev1.VolumeBound), ReclaimPolicy: state.Intern(corev1.PersistentVolumeReclaimDelete),
			ClaimNamespace: state.Intern("team"), ClaimName: "data",
		},
		UID: state.UIDOf("pv-uid"), NamespaceID: state.Intern("ns"), VolumeID: "vol", Created: uint32(ago(time.Hour).Unix()),
	}
}

func recordOf(s state.Summary) *state.Record {
	return &state.Record{
		Name: "rec", UID: state.UIDOf("rec-uid"), LabelID: "vol", StatusID: "vol",
		NamespaceID: state.Intern("ns"), ClusterID: state.Intern("cluster"), Summary: s, CopiesHealth: healthy, ResourceVersion: "7",
	}
}

func seen(at time.Time) Source {
	return Source{
		Presence: Present, NamespaceID: "ns", Digest: state.Digest{Content: 7, Health: healthy}, Seen: at,
		Cluster: "cluster", ClusterVerified: true, CompleteBegun: at, LastComplete: true,
	}
}

func gone(completeBegun time.Time) Source {
	return Source{Presence: Absent, Cluster: "cluster", CompleteBegun: completeBegun, LastComplete: true, Watch: WatchPoint{1, 24 * time.Hour}}
}

// lacking is what is remembered of a volume that was watched to be absent for so long.
func lacking(d time.Duration) Memory {
	return Memory{absent: absenceStart{since: ago(d), watch: WatchPoint{1, 24*time.Hour - d}, judge: "cluster"}}
}

// offlineBefore is what is remembered of a write that has just failed, of a record that was at
// that version.
func offlineBefore(version string) Memory {
	was := recordOf(rightState())
	was.ResourceVersion, was.CopiesHealth = version, state.Intern(record.HealthStatus{Health: v1.HealthOffline})
	return Memory{Unanswered: Unanswered{Was: was, Health: was.CopiesHealth.Value().Health}}
}

func reasons(events []Event) []string {
	var r []string
	for _, e := range events {
		r = append(r, e.Reason)
	}
	return r
}

func TestDecide(t *testing.T) {
	t.Parallel()
	unclaimed := rightState()
	unclaimed.PV, unclaimed.Bound = state.PVSummary{}, state.BoundNone
	marked := func(d time.Duration) state.Summary {
		s := rightState()
		s.Present, s.Health, s.Mark = state.PresentFalse, state.NotListed, state.MarkAt(ago(d))
		return s
	}
	with := func(s state.Summary, change func(*state.Summary)) state.Summary {
		change(&s)
		return s
	}
	lost := func(d time.Duration) state.Summary {
		return with(marked(d), func(s *state.Summary) { s.Bound = state.BoundNone })
	}
	for name, tc := range map[string]struct {
		o       Observation
		verdict Verdict
		want    *state.Summary // with save
		content bool
		levels  Gauges
		reports []string
		after   time.Duration
		next    bool
		forgets bool // all that was remembered
	}{
		"a record that says the right thing is not written": {
			o: Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState())},
		},
		"a new volume gets a record": {
			o:       Observation{Source: seen(noon), PV: pvBound()},
			verdict: Save, content: true, want: ptr(rightState()),
		},
		"a new volume gets none before it is known which cluster lists it": {
			o: func() Observation {
				s := seen(noon)
				s.Cluster, s.ClusterVerified = "", false
				return Observation{Source: s, PV: pvBound()}
			}(),
			next: true,
		},
		"a new volume of a cluster that does not tell gets one": {
			o: func() Observation {
				s := seen(noon)
				s.Cluster = ""
				return Observation{Source: s, PV: pvBound()}
			}(),
			verdict: Save, content: true, want: ptr(rightState()),
		},
		"a changed volume is written": {
			o:       Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(with(rightState(), func(s *state.Summary) { s.Content = 6 }))},
			verdict: Save, content: true, want: ptr(rightState()),
		},
		"a bound PersistentVolume is written without the volume's content": {
			o:       Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(unclaimed)},
			verdict: Save, want: ptr(rightState()),
		},
		"before anything was heard, only the PersistentVolume is written": {
			o:       Observation{PV: pvBound(), Record: recordOf(unclaimed)},
			verdict: Save, want: ptr(rightState()),
		},
		"before anything was heard, a PersistentVolume that has gone is what is written": {
			o:       Observation{Record: recordOf(rightState())},
			verdict: Save, want: ptr(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
		},
		"before anything was heard, that a volume is unclaimed stays": {
			o: Observation{Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed }))},
		},
		"what a listing that was not complete has shown is not absent by one before": {
			o: func() Observation {
				s := gone(noon)
				s.Forgotten = true
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState())}
			}(),
			next: true,
		},
		"what was absent before that is absent still": {
			o: func() Observation {
				s := gone(noon)
				s.Forgotten = true
				return Observation{Source: s, Record: recordOf(lost(10 * time.Second)), Memory: lacking(10 * time.Second)}
			}(),
			next: true,
		},
		"the record of another cluster is taken over when its volume is listed": {
			o: func() Observation {
				r := recordOf(rightState())
				r.ClusterID = state.Intern("other")
				return Observation{Source: seen(noon), PV: pvBound(), Record: r}
			}(),
			verdict: Save, want: ptr(rightState()),
		},
		"a terminating record is left alone": {
			o: func() Observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return Observation{Source: seen(noon), PV: pvBound(), Record: r}
			}(),
		},
		"whose volume goes is missed, if a PersistentVolume refers to it": {
			o: func() Observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return Observation{Source: gone(ago(time.Second)), PV: pvBound(), Record: r, Memory: Memory{missing: Onset{at: ago(time.Minute)}}}
			}(),
			levels: Gauges{Missing: true}, reports: []string{EventMissing},
		},
		"whose volume is back, no longer counts as absent": {
			o: func() Observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return Observation{Source: seen(noon), PV: pvBound(), Record: r, Memory: Memory{Gauges: Gauges{BreakerInput: BreakerInput{Absence: Unexplained, Namespace: "ns"}, Held: HeldMass}}}
			}(),
		},
		"what the API server pruned is not written again": {
			o: Observation{
				Source: seen(noon), PV: pvBound(), Record: recordOf(unclaimed),
				Memory: Memory{Applied: Applied{Desired: rightState(), Observed: unclaimed}},
			},
		},
		"what the CRD is known to drop is not written": {
			o: Observation{
				Older: true, Source: seen(noon), PV: pvBound(),
				Record: recordOf(rightState().Dropped(seen(noon).Digest)),
			},
		},
		"what it keeps is": {
			o: Observation{
				Older: true, Source: seen(noon), PV: pvBound(),
				Record: recordOf(with(rightState().Dropped(seen(noon).Digest), func(s *state.Summary) { s.Content = 6 })),
			},
			verdict: Save, content: true, want: ptr(rightState()),
		},
		"what was pruned is written again when a hand has edited it": {
			o: Observation{
				Source: seen(noon), PV: pvBound(), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Content = 6 })),
				Memory: Memory{Applied: Applied{Desired: rightState(), Observed: unclaimed}},
			},
			verdict: Save, content: true, want: ptr(rightState()),
		},
		"what a write has changed that was not answered is said": {
			o:       Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: offlineBefore("6")},
			reports: []string{EventHealthy}, forgets: true,
		},
		"but not by the poller: a worker is to look": {
			o:     Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: offlineBefore("6"), Polled: true},
			after: time.Nanosecond,
		},
		"nor before the record is known to be another: till then it is remembered": {
			o: Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: offlineBefore("7")},
		},
		"what was settled is forgotten when the record is right": {
			o: Observation{
				Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()),
				Memory: Memory{Applied: Applied{Desired: unclaimed, Observed: rightState()}},
			},
			forgets: true,
		},
		"a first record needs no memory": {
			o: func() Observation {
				s := seen(noon)
				s.InitialSync = true
				return Observation{Source: s, PV: pvBound()}
			}(),
			verdict: Save, content: true, want: ptr(rightState()), forgets: true,
		},
		"a record that Kubernetes refused is tried again after a while": {
			o:       Observation{Source: seen(noon), PV: pvBound(), Memory: Memory{Refused: Refusal{Content: 7, At: ago(time.Minute)}}},
			verdict: Save, content: true, want: ptr(rightState()), levels: Gauges{Invalid: true},
		},
		"what is not refused is written meanwhile": {
			o: Observation{
				Source: seen(noon), PV: pvBound(), Memory: Memory{Refused: Refusal{Content: 7, At: ago(time.Second)}},
				Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Content = 6 })),
			},
			verdict: Save, want: ptr(with(rightState(), func(s *state.Summary) { s.Content = 6 })), after: 59 * time.Second, levels: Gauges{Invalid: true},
		},
		"a record that Kubernetes refused is not tried again at once": {
			after: 59 * time.Second, levels: Gauges{Invalid: true},
			o: Observation{Source: seen(noon), PV: pvBound(), Memory: Memory{Refused: Refusal{Content: 7, At: ago(time.Second)}}},
		},
		"a PersistentVolume that has just gone stays in the record": {
			o:       Observation{Source: seen(ago(time.Second)), Record: recordOf(rightState())},
			verdict: Save, want: ptr(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
			after: 15 * time.Second, next: true,
		},
		"it leaves the record when a later listing shows the volume": {
			o: Observation{
				Source: seen(ago(time.Second)), Record: recordOf(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
				Memory: Memory{unreferenced: Onset{at: ago(2 * time.Second)}},
			},
			verdict: Save, want: ptr(unclaimed), after: 13 * time.Second,
		},
		"after the grace, a listing begun since must still show the volume": {
			o: Observation{
				Source: seen(ago(time.Second)), Record: recordOf(unclaimed),
				Memory: Memory{unreferenced: Onset{at: ago(15 * time.Second)}},
			},
			next: true,
		},
		"then it is unclaimed, and that is said": {
			o: Observation{
				Source: seen(noon), Record: recordOf(unclaimed),
				Memory: Memory{unreferenced: Onset{at: ago(15 * time.Second)}},
			},
			verdict: Save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: Gauges{Unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"nothing is said of what was so when the process began": {
			o: Observation{
				Source: seen(noon), Record: recordOf(unclaimed),
				Memory: Memory{unreferenced: Onset{at: ago(15 * time.Second), quiet: true}},
			},
			verdict: Save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: Gauges{Unclaimed: true},
		},
		"a new volume is unclaimed too, but while PersistentVolumes come its own may": {
			o: Observation{
				Source: seen(noon), Record: recordOf(unclaimed), Provisioned: ago(time.Second),
				Memory: Memory{unreferenced: Onset{at: ago(15 * time.Second), pending: true}},
			},
			verdict: Save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: Gauges{Unclaimed: true}, after: 14 * time.Second,
		},
		"then that is said": {
			o: Observation{
				Source: seen(noon), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				Provisioned: ago(15 * time.Second),
				Memory:      Memory{unreferenced: Onset{at: ago(time.Hour), pending: true}, Gauges: Gauges{Unclaimed: true}},
			},
			levels: Gauges{Unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"or after an hour, whatever comes": {
			o: Observation{
				Source: seen(noon), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				Provisioned: ago(time.Second),
				Memory:      Memory{unreferenced: Onset{at: ago(time.Hour), pending: true}, Gauges: Gauges{Unclaimed: true}},
			},
			levels: Gauges{Unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"what was said is not said again": {
			o: Observation{
				Source: seen(noon), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				Memory: Memory{unreferenced: Onset{at: ago(time.Hour), pending: true, said: true}, Gauges: Gauges{Unclaimed: true}},
			},
			levels: Gauges{Unclaimed: true},
		},
		"nor what the process before has said": {
			o: Observation{
				Source: seen(noon), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			},
			levels: Gauges{Unclaimed: true},
		},
		"that a record says so before the grace is over is put back": {
			o: Observation{
				Source: seen(noon), Record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				Memory: Memory{unreferenced: Onset{at: ago(time.Second)}},
			},
			verdict: Save, want: ptr(unclaimed), after: 14 * time.Second,
		},
		"an absent volume is marked first": {
			o:       Observation{Source: gone(noon), Record: recordOf(rightState())},
			verdict: Save, want: ptr(with(marked(0), func(s *state.Summary) { s.Bound = state.BoundNone })), next: true,
		},
		"but not on the word of a cluster that does not judge it": {
			o: func() Observation {
				s := gone(noon)
				s.Cluster = "other"
				return Observation{Source: s, PV: pvBound(), AnyCluster: true, Record: recordOf(rightState())}
			}(),
			next: true, after: 15 * time.Second,
		},
		"nor of one that does not tell which it is": {
			o: func() Observation {
				s, r := gone(noon), recordOf(rightState())
				s.Cluster, r.ClusterID = "", state.Intern("")
				return Observation{Source: s, PV: pvBound(), AnyCluster: true, Record: r}
			}(),
			next: true, after: 15 * time.Second,
		},
		"a mark that cannot be read is set anew": {
			o:       Observation{Source: gone(noon), PV: pvBound(), Record: recordOf(with(marked(0), func(s *state.Summary) { s.Mark = "long ago" }))},
			verdict: Save, want: ptr(marked(0)), after: 15 * time.Second, next: true,
		},
		"a mark in the future is set anew": {
			o:       Observation{Source: gone(noon), PV: pvBound(), Record: recordOf(marked(-time.Hour))},
			verdict: Save, want: ptr(marked(0)), after: 15 * time.Second, next: true,
		},
		"within the grace it stays": {
			o:    Observation{Source: gone(noon), Record: recordOf(lost(10 * time.Second)), Memory: lacking(10 * time.Second)},
			next: true,
		},
		"however old the mark is": {
			o:       Observation{Source: gone(noon), Record: recordOf(lost(time.Hour)), Memory: lacking(10 * time.Second)},
			verdict: Hold, levels: Gauges{Held: HeldNotWatched}, next: true,
		},
		"and begins to be watched where it was not": {
			o:       Observation{Source: gone(noon), Record: recordOf(lost(time.Hour))},
			verdict: Hold, levels: Gauges{Held: HeldNotWatched}, next: true,
		},
		"after the grace StorageOS is asked": {
			o:       Observation{Source: gone(noon), Record: recordOf(lost(16 * time.Second)), Memory: lacking(16 * time.Second)},
			verdict: Verify, next: true,
		},
		"but not when another cluster has answered since": {
			o: func() Observation {
				s := gone(noon)
				s.Watch = WatchPoint{}
				return Observation{Source: s, Record: recordOf(lost(time.Minute)), Memory: lacking(time.Minute)}
			}(),
			verdict: Hold, levels: Gauges{Held: HeldNotWatched}, next: true,
		},
		"but not while the last listing was incomplete": {
			o: func() Observation {
				s := gone(ago(time.Minute))
				s.LastComplete = false
				return Observation{Source: s, Record: recordOf(lost(time.Minute)), Memory: lacking(time.Minute)}
			}(),
			verdict: Hold, levels: Gauges{Held: heldIncomplete}, next: true,
		},
		"nor on the word of another cluster": {
			o: func() Observation {
				s := gone(noon)
				s.Cluster = "other"
				return Observation{Source: s, AnyCluster: true, Record: recordOf(lost(time.Minute)), Memory: lacking(time.Minute)}
			}(),
			verdict: Hold, levels: Gauges{Held: HeldOtherCluster}, next: true,
		},
		"nor again right after an answer that proved nothing": {
			o: Observation{
				Source: gone(noon), Record: recordOf(lost(time.Minute)),
				Memory: Memory{absent: lacking(time.Minute).absent, Asked: ago(5 * time.Second)},
			},
			verdict: Hold, levels: Gauges{Held: heldNotProven}, after: 10 * time.Second, next: true,
		},
		"it is held until another answer comes": {
			o: Observation{
				Source: gone(noon), Record: recordOf(lost(time.Minute)),
				Memory: Memory{absent: lacking(time.Minute).absent, Asked: ago(15 * time.Second)},
			},
			verdict: Verify, levels: Gauges{Held: heldNotProven}, next: true,
		},
		"or until its turn to be asked for comes": {
			o:       Observation{Source: gone(noon), Record: recordOf(lost(time.Minute)), Memory: lacking(time.Minute), Aside: true},
			verdict: Verify, levels: Gauges{Held: HeldNotAsked}, next: true,
		},
		"or until it is marked": {
			o: Observation{
				Source: gone(noon), Record: recordOf(with(lost(0), func(s *state.Summary) { s.Mark = "" })),
				Memory: lacking(time.Minute),
			},
			verdict: Save, want: ptr(lost(0)), levels: Gauges{Held: HeldNotWritten}, next: true,
		},
		"a marked record that says it is well is corrected": {
			o:       Observation{Source: gone(noon), PV: pvBound(), Record: recordOf(with(marked(time.Minute), func(s *state.Summary) { s.Health = healthy }))},
			verdict: Save, levels: Gauges{Held: HeldNotWatched}, want: ptr(marked(time.Minute)), after: 15 * time.Second, next: true,
		},
		"before anything was heard too": {
			o:       Observation{PV: pvBound(), Record: recordOf(with(marked(time.Minute), func(s *state.Summary) { s.Health = healthy }))},
			verdict: Save, want: ptr(marked(time.Minute)),
		},
		"a volume that comes back loses the mark": {
			o:       Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(marked(time.Hour))},
			verdict: Save, want: ptr(rightState()),
		},
		"a volume that cannot be recorded is there: its record stays as it is": {
			o: func() Observation {
				s := seen(noon)
				s.Invalid, s.Digest.Content = "too big", 0
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState())}
			}(),
			reports: []string{EventInvalid}, levels: Gauges{Invalid: true},
		},
		"a volume that may be listed in two namespaces waits for the end of the listing": {
			o: func() Observation {
				s := seen(noon)
				s.Moved, s.Digest.Content = true, 9
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState())}
			}(),
			next: true,
		},
		"but for the mark": {
			o: func() Observation {
				s := seen(noon)
				s.Invalid, s.Digest.Content = "too big", 0
				return Observation{Source: s, PV: pvBound(), Record: recordOf(marked(time.Hour)), Memory: Memory{Reported: "too big"}}
			}(),
			verdict: Save, want: ptr(rightState()), levels: Gauges{Invalid: true},
		},
		"a PersistentVolume without its volume is patient": {
			o:     Observation{Source: gone(noon), PV: pvBound()},
			after: 15 * time.Second,
		},
		"it waits for a complete listing begun after it was seen": {
			o:    Observation{Source: gone(ago(time.Minute)), PV: pvBound(), Memory: Memory{missing: Onset{at: ago(15 * time.Second)}}},
			next: true,
		},
		"then its volume is missing, and that is said": {
			o:      Observation{Source: gone(ago(time.Second)), PV: pvBound(), Memory: Memory{missing: Onset{at: ago(15 * time.Second)}}},
			levels: Gauges{Missing: true}, reports: []string{EventMissing},
		},
		"once": {
			o: Observation{Source: gone(ago(time.Second)), PV: pvBound(), Memory: Memory{
				missing: Onset{at: ago(time.Minute), said: true}, Gauges: Gauges{Missing: true},
			}},
			levels: Gauges{Missing: true},
		},
		"its return is said": {
			o: Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: Memory{
				missing: Onset{at: ago(time.Minute), said: true}, Gauges: Gauges{Missing: true},
			}},
			reports: []string{EventFound},
		},
		"but not that of one of so many that nothing was said of them": {
			o: Observation{Source: seen(noon), PV: pvBound(), Record: recordOf(rightState()), Memory: Memory{
				missing: Onset{at: ago(time.Minute)}, Gauges: Gauges{Missing: true},
			}},
		},
		"of so many, none is said to be missing before the breaker lets go": {
			o:      Observation{Source: gone(ago(time.Second)), PV: pvBound(), Tripped: true, Memory: Memory{missing: Onset{at: ago(15 * time.Second)}}},
			levels: Gauges{Missing: true}, next: true,
		},
		"a terminating PersistentVolume misses nothing": {
			o: func() Observation {
				pv := pvBound()
				pv.Terminating = true
				return Observation{Source: gone(ago(time.Second)), PV: pv, Memory: Memory{missing: Onset{at: ago(time.Hour)}}}
			}(),
		},
		"a released one with policy Delete misses nothing": {
			o: func() Observation {
				pv := pvBound()
				pv.Phase = state.Intern(corev1.VolumeReleased)
				return Observation{Source: gone(ago(time.Second)), PV: pv, Memory: Memory{missing: Onset{at: ago(time.Hour)}}}
			}(),
		},
		"sync progress alone waits for its turn": {
			o: func() Observation {
				s := seen(noon)
				s.Digest.Progress = 3
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState()), Memory: Memory{Progressed: ago(10 * time.Second)}}
			}(),
			after: 20 * time.Second,
		},
		"and is written then": {
			o: func() Observation {
				s := seen(noon)
				s.Digest.Progress = 3
				return Observation{Source: s, PV: pvBound(), Record: recordOf(rightState()), Memory: Memory{Progressed: ago(30 * time.Second)}}
			}(),
			verdict: Save, content: true, want: ptr(rightState()),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := defaultRules()
			tc.o.Now = noon
			d := settings.Decide(tc.o)
			if d.Verdict != tc.verdict || d.Content != tc.content {
				t.Errorf("verdict %v, content %v; want %v, %v", d.Verdict, d.Content, tc.verdict, tc.content)
			}
			if tc.want != nil {
				if diff := cmp.Diff(*tc.want, d.Want, compared); diff != "" {
					t.Errorf("the record should say (-want +got):\n%s", diff)
				}
			}
			if tc.forgets && d.Memory != (Memory{}) {
				t.Errorf("remembered: %+v", d.Memory)
			}
			levels := d.Memory.Gauges
			levels.Absence, levels.Namespace = NotAbsent, "" // TestExplained
			if levels != tc.levels {
				t.Errorf("levels %+v, want %+v", levels, tc.levels)
			}
			if diff := cmp.Diff(tc.reports, reasons(d.Reports)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if d.After != tc.after || d.NextListing != tc.next {
				t.Errorf("look again after %v, after the next listing %v; want %v, %v", d.After, d.NextListing, tc.after, tc.next)
			}
		})
	}
}

// With deletion switched off, a proof is counted and not asked for again.
func TestDecideProvenButKept(t *testing.T) {
	t.Parallel()
	s := rightState()
	s.Present, s.Health, s.Mark, s.Bound = state.PresentFalse, state.NotListed, state.MarkAt(ago(time.Minute)), state.BoundNone
	settings := defaultRules()
	settings.DeleteOrphans = false
	d := settings.Decide(Observation{Now: noon, Source: gone(noon), Record: recordOf(s), Memory: Memory{Proven: recordOf(s).ResourceVersion, absent: lacking(time.Minute).absent}})
	if d.Verdict != Keep || !d.Memory.Gauges.Orphan {
		t.Errorf("verdict %v, levels %+v; want keep and an orphan", d.Verdict, d.Memory.Gauges)
	}
}

// What explains that a record's volume is gone, and what that is good for.
func TestExplained(t *testing.T) {
	t.Parallel()
	pv := func(change func(*state.PV)) *state.PV {
		p := pvBound()
		change(p)
		return p
	}
	never := func(s *state.Summary) { s.PV = state.PVSummary{} }
	for name, tc := range map[string]struct {
		pv      *state.PV
		record  func(*state.Summary)
		want    AbsenceKind
		verdict Verdict // while the breaker has tripped
	}{
		"its PersistentVolume is gone":       {nil, nil, Explained, Verify},
		"it is terminating":                  {pv(func(p *state.PV) { p.Terminating = true }), nil, Explained, Verify},
		"it was released with policy Delete": {pv(func(p *state.PV) { p.Phase = state.Intern(corev1.VolumeReleased) }), nil, Explained, Verify},
		"it was released with policy Retain": {pv(func(p *state.PV) {
			p.Phase = state.Intern(corev1.VolumeReleased)
			p.ReclaimPolicy = state.Intern(corev1.PersistentVolumeReclaimRetain)
		}), nil, Unexplained, Hold},
		"it is bound":         {pvBound(), nil, Unexplained, Hold},
		"there never was one": {nil, never, Unexplained, Hold},
		"there never was one, and the mark is old": {nil, func(s *state.Summary) { never(s); s.Mark = state.MarkAt(ago(10 * time.Minute)) }, Unexplained, Hold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := rightState()
			s.Present, s.Health, s.Bound, s.Mark = state.PresentFalse, state.NotListed, state.BoundNone, state.MarkAt(ago(time.Minute))
			if tc.record != nil {
				tc.record(&s)
			}
			if tc.pv != nil {
				s.PV, s.Bound = tc.pv.PVSummary, state.BoundOf(tc.pv)
			}
			settings := defaultRules()
			o := Observation{Now: noon, Source: gone(noon), PV: tc.pv, Record: recordOf(s), Memory: lacking(time.Minute)}
			if d := settings.Decide(o); d.Memory.Gauges.Absence != tc.want || d.Memory.Gauges.Namespace != "ns" || d.Verdict != Verify {
				t.Errorf("%+v, verdict %v; want %v, ask", d.Memory.Gauges, d.Verdict, tc.want)
			}
			o.Tripped = true
			if d := settings.Decide(o); d.Verdict != tc.verdict {
				t.Errorf("tripped: verdict %v, want %v", d.Verdict, tc.verdict)
			}
			o.Memory = lacking(10 * time.Minute)
			if d := settings.Decide(o); d.Verdict != Verify {
				t.Errorf("tripped, watched for the hold: verdict %v, want ask", d.Verdict)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// The PersistentVolume of a new volume is waited for.
func TestPending(t *testing.T) {
	t.Parallel()
	s := defaultRules()
	for name, tc := range map[string]struct {
		record *state.Record
		want   bool
	}{
		"a new volume":          {nil, true},
		"one that has a record": {recordOf(rightState()), false},
	} {
		if got := s.Decide(Observation{Now: noon, Source: seen(noon), Record: tc.record}).Memory.unreferenced.pending; got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// DefaultRules are those of the flags' defaults.
func defaultRules() Rules {
	return Rules{
		PollInterval:      5 * time.Second,
		DeleteOrphans:     true,
		OrphanGracePeriod: 15 * time.Second,
		MaxOrphanPercent:  20,
		MaxOrphanCount:    10,
		MassOrphanHold:    10 * time.Minute,
		ProgressInterval:  30 * time.Second,
	}
}
