package controller

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
		UID: "pv-uid", NamespaceID: state.Intern("ns"), VolumeID: "vol", Created: ago(time.Hour).Unix(),
	}
}

func recordOf(s state.Summary) *state.Record {
	return &state.Record{
		Name: "rec", UID: "rec-uid", LabelID: "vol", StatusID: "vol",
		NamespaceID: state.Intern("ns"), ClusterID: state.Intern("cluster"), Summary: s, Copies: healthy, ResourceVersion: "7",
	}
}

func seen(at time.Time) sight {
	return sight{
		presence: present, namespaceID: "ns", digest: state.Digest{Content: 7, Health: healthy}, seen: at,
		cluster: "cluster", agreed: true, completeBegun: at, whole: true,
	}
}

func gone(completeBegun time.Time) sight {
	return sight{presence: absent, cluster: "cluster", completeBegun: completeBegun, whole: true, watch: watchPoint{1, 24 * time.Hour}}
}

// lacking is what is remembered of a volume that was watched to be absent for so long.
func lacking(d time.Duration) track {
	return track{absent: absenceStart{since: ago(d), watch: watchPoint{1, 24*time.Hour - d}, judge: "cluster"}}
}

// offlineBefore is what is remembered of a write that has just failed, of a record that was at
// that version.
func offlineBefore(version string) track {
	was := recordOf(rightState())
	was.ResourceVersion, was.Copies = version, state.Intern(record.HealthStatus{Health: v1.HealthOffline})
	return track{unanswered: unanswered{was: was, health: was.Copies.Value().Health}}
}

func reasons(events []event) []string {
	var r []string
	for _, e := range events {
		r = append(r, e.reason)
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
		o       observation
		verdict verdict
		want    *state.Summary // with save
		content bool
		levels  levels
		reports []string
		after   time.Duration
		next    bool
		forgets bool // all that was remembered
	}{
		"a record that says the right thing is not written": {
			o: observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState())},
		},
		"a new volume gets a record": {
			o:       observation{sight: seen(noon), pv: pvBound()},
			verdict: save, content: true, want: ptr(rightState()),
		},
		"a new volume gets none before it is known which cluster lists it": {
			o: func() observation {
				s := seen(noon)
				s.cluster, s.agreed = "", false
				return observation{sight: s, pv: pvBound()}
			}(),
			next: true,
		},
		"a new volume of a cluster that does not tell gets one": {
			o: func() observation {
				s := seen(noon)
				s.cluster = ""
				return observation{sight: s, pv: pvBound()}
			}(),
			verdict: save, content: true, want: ptr(rightState()),
		},
		"a changed volume is written": {
			o:       observation{sight: seen(noon), pv: pvBound(), record: recordOf(with(rightState(), func(s *state.Summary) { s.Content = 6 }))},
			verdict: save, content: true, want: ptr(rightState()),
		},
		"a bound PersistentVolume is written without the volume's content": {
			o:       observation{sight: seen(noon), pv: pvBound(), record: recordOf(unclaimed)},
			verdict: save, want: ptr(rightState()),
		},
		"before anything was heard, only the PersistentVolume is written": {
			o:       observation{pv: pvBound(), record: recordOf(unclaimed)},
			verdict: save, want: ptr(rightState()),
		},
		"before anything was heard, a PersistentVolume that has gone is what is written": {
			o:       observation{record: recordOf(rightState())},
			verdict: save, want: ptr(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
		},
		"before anything was heard, that a volume is unclaimed stays": {
			o: observation{record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed }))},
		},
		"what a listing that was not complete has shown is not absent by one before": {
			o: func() observation {
				s := gone(noon)
				s.forgotten = true
				return observation{sight: s, pv: pvBound(), record: recordOf(rightState())}
			}(),
			next: true,
		},
		"what was absent before that is absent still": {
			o: func() observation {
				s := gone(noon)
				s.forgotten = true
				return observation{sight: s, record: recordOf(lost(10 * time.Second)), track: lacking(10 * time.Second)}
			}(),
			next: true,
		},
		"the record of another cluster is taken over when its volume is listed": {
			o: func() observation {
				r := recordOf(rightState())
				r.ClusterID = state.Intern("other")
				return observation{sight: seen(noon), pv: pvBound(), record: r}
			}(),
			verdict: save, want: ptr(rightState()),
		},
		"a terminating record is left alone": {
			o: func() observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return observation{sight: seen(noon), pv: pvBound(), record: r}
			}(),
		},
		"whose volume goes is missed, if a PersistentVolume refers to it": {
			o: func() observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return observation{sight: gone(ago(time.Second)), pv: pvBound(), record: r, track: track{missing: since{at: ago(time.Minute)}}}
			}(),
			levels: levels{missing: true}, reports: []string{EventMissing},
		},
		"whose volume is back, no longer counts as absent": {
			o: func() observation {
				r := recordOf(unclaimed)
				r.Terminating = true
				return observation{sight: seen(noon), pv: pvBound(), record: r, track: track{levels: levels{absence: unexplained, namespace: "ns", held: heldMass}}}
			}(),
		},
		"what the API server pruned is not written again": {
			o: observation{
				sight: seen(noon), pv: pvBound(), record: recordOf(unclaimed),
				track: track{settled: settlement{want: rightState(), got: unclaimed}},
			},
		},
		"what the CRD is known to drop is not written": {
			o: observation{
				older: true, sight: seen(noon), pv: pvBound(),
				record: recordOf(rightState().Dropped(seen(noon).digest)),
			},
		},
		"what it keeps is": {
			o: observation{
				older: true, sight: seen(noon), pv: pvBound(),
				record: recordOf(with(rightState().Dropped(seen(noon).digest), func(s *state.Summary) { s.Content = 6 })),
			},
			verdict: save, content: true, want: ptr(rightState()),
		},
		"what was pruned is written again when a hand has edited it": {
			o: observation{
				sight: seen(noon), pv: pvBound(), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Content = 6 })),
				track: track{settled: settlement{want: rightState(), got: unclaimed}},
			},
			verdict: save, content: true, want: ptr(rightState()),
		},
		"what a write has changed that was not answered is said": {
			o:       observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState()), track: offlineBefore("6")},
			reports: []string{EventHealthy}, forgets: true,
		},
		"but not by the poller: a worker is to look": {
			o:     observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState()), track: offlineBefore("6"), polled: true},
			after: time.Nanosecond,
		},
		"nor before the record is known to be another: till then it is remembered": {
			o: observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState()), track: offlineBefore("7")},
		},
		"what was settled is forgotten when the record is right": {
			o: observation{
				sight: seen(noon), pv: pvBound(), record: recordOf(rightState()),
				track: track{settled: settlement{want: unclaimed, got: rightState()}},
			},
			forgets: true,
		},
		"a first record needs no memory": {
			o: func() observation {
				s := seen(noon)
				s.settling = true
				return observation{sight: s, pv: pvBound()}
			}(),
			verdict: save, content: true, want: ptr(rightState()), forgets: true,
		},
		"a record that Kubernetes refused is tried again after a while": {
			o:       observation{sight: seen(noon), pv: pvBound(), track: track{refused: refusal{content: 7, at: ago(time.Minute)}}},
			verdict: save, content: true, want: ptr(rightState()), levels: levels{invalid: true},
		},
		"what is not refused is written meanwhile": {
			o: observation{
				sight: seen(noon), pv: pvBound(), track: track{refused: refusal{content: 7, at: ago(time.Second)}},
				record: recordOf(with(unclaimed, func(s *state.Summary) { s.Content = 6 })),
			},
			verdict: save, want: ptr(with(rightState(), func(s *state.Summary) { s.Content = 6 })), after: 59 * time.Second, levels: levels{invalid: true},
		},
		"a record that Kubernetes refused is not tried again at once": {
			after: 59 * time.Second, levels: levels{invalid: true},
			o: observation{sight: seen(noon), pv: pvBound(), track: track{refused: refusal{content: 7, at: ago(time.Second)}}},
		},
		"a PersistentVolume that has just gone stays in the record": {
			o:       observation{sight: seen(ago(time.Second)), record: recordOf(rightState())},
			verdict: save, want: ptr(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
			after: 15 * time.Second, next: true,
		},
		"it leaves the record when a later listing shows the volume": {
			o: observation{
				sight: seen(ago(time.Second)), record: recordOf(with(rightState(), func(s *state.Summary) { s.Bound = state.BoundNone })),
				track: track{unreferenced: since{at: ago(2 * time.Second)}},
			},
			verdict: save, want: ptr(unclaimed), after: 13 * time.Second,
		},
		"after the grace, a listing begun since must still show the volume": {
			o: observation{
				sight: seen(ago(time.Second)), record: recordOf(unclaimed),
				track: track{unreferenced: since{at: ago(15 * time.Second)}},
			},
			next: true,
		},
		"then it is unclaimed, and that is said": {
			o: observation{
				sight: seen(noon), record: recordOf(unclaimed),
				track: track{unreferenced: since{at: ago(15 * time.Second)}},
			},
			verdict: save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: levels{unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"nothing is said of what was so when the process began": {
			o: observation{
				sight: seen(noon), record: recordOf(unclaimed),
				track: track{unreferenced: since{at: ago(15 * time.Second), quiet: true}},
			},
			verdict: save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: levels{unclaimed: true},
		},
		"a new volume is unclaimed too, but while PersistentVolumes come its own may": {
			o: observation{
				sight: seen(noon), record: recordOf(unclaimed), provisioned: ago(time.Second),
				track: track{unreferenced: since{at: ago(15 * time.Second), pending: true}},
			},
			verdict: save, want: ptr(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			levels: levels{unclaimed: true}, after: 14 * time.Second,
		},
		"then that is said": {
			o: observation{
				sight: seen(noon), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				provisioned: ago(15 * time.Second),
				track:       track{unreferenced: since{at: ago(time.Hour), pending: true}, levels: levels{unclaimed: true}},
			},
			levels: levels{unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"or after an hour, whatever comes": {
			o: observation{
				sight: seen(noon), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				provisioned: ago(time.Second),
				track:       track{unreferenced: since{at: ago(time.Hour), pending: true}, levels: levels{unclaimed: true}},
			},
			levels: levels{unclaimed: true}, reports: []string{EventUnclaimed},
		},
		"what was said is not said again": {
			o: observation{
				sight: seen(noon), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				track: track{unreferenced: since{at: ago(time.Hour), pending: true, said: true}, levels: levels{unclaimed: true}},
			},
			levels: levels{unclaimed: true},
		},
		"nor what the process before has said": {
			o: observation{
				sight: seen(noon), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
			},
			levels: levels{unclaimed: true},
		},
		"that a record says so before the grace is over is put back": {
			o: observation{
				sight: seen(noon), record: recordOf(with(unclaimed, func(s *state.Summary) { s.Bound = state.BoundUnclaimed })),
				track: track{unreferenced: since{at: ago(time.Second)}},
			},
			verdict: save, want: ptr(unclaimed), after: 14 * time.Second,
		},
		"an absent volume is marked first": {
			o:       observation{sight: gone(noon), record: recordOf(rightState())},
			verdict: save, want: ptr(with(marked(0), func(s *state.Summary) { s.Bound = state.BoundNone })), next: true,
		},
		"but not on the word of a cluster that does not judge it": {
			o: func() observation {
				s := gone(noon)
				s.cluster = "other"
				return observation{sight: s, pv: pvBound(), anyCluster: true, record: recordOf(rightState())}
			}(),
			next: true, after: 15 * time.Second,
		},
		"nor of one that does not tell which it is": {
			o: func() observation {
				s, r := gone(noon), recordOf(rightState())
				s.cluster, r.ClusterID = "", state.Intern("")
				return observation{sight: s, pv: pvBound(), anyCluster: true, record: r}
			}(),
			next: true, after: 15 * time.Second,
		},
		"a mark that cannot be read is set anew": {
			o:       observation{sight: gone(noon), pv: pvBound(), record: recordOf(with(marked(0), func(s *state.Summary) { s.Mark = "long ago" }))},
			verdict: save, want: ptr(marked(0)), after: 15 * time.Second, next: true,
		},
		"a mark in the future is set anew": {
			o:       observation{sight: gone(noon), pv: pvBound(), record: recordOf(marked(-time.Hour))},
			verdict: save, want: ptr(marked(0)), after: 15 * time.Second, next: true,
		},
		"within the grace it stays": {
			o:    observation{sight: gone(noon), record: recordOf(lost(10 * time.Second)), track: lacking(10 * time.Second)},
			next: true,
		},
		"however old the mark is": {
			o:       observation{sight: gone(noon), record: recordOf(lost(time.Hour)), track: lacking(10 * time.Second)},
			verdict: hold, levels: levels{held: heldNotWatched}, next: true,
		},
		"and begins to be watched where it was not": {
			o:       observation{sight: gone(noon), record: recordOf(lost(time.Hour))},
			verdict: hold, levels: levels{held: heldNotWatched}, next: true,
		},
		"after the grace StorageOS is asked": {
			o:       observation{sight: gone(noon), record: recordOf(lost(16 * time.Second)), track: lacking(16 * time.Second)},
			verdict: ask, next: true,
		},
		"but not when another cluster has answered since": {
			o: func() observation {
				s := gone(noon)
				s.watch = watchPoint{}
				return observation{sight: s, record: recordOf(lost(time.Minute)), track: lacking(time.Minute)}
			}(),
			verdict: hold, levels: levels{held: heldNotWatched}, next: true,
		},
		"but not while the last listing was incomplete": {
			o: func() observation {
				s := gone(ago(time.Minute))
				s.whole = false
				return observation{sight: s, record: recordOf(lost(time.Minute)), track: lacking(time.Minute)}
			}(),
			verdict: hold, levels: levels{held: heldIncomplete}, next: true,
		},
		"nor on the word of another cluster": {
			o: func() observation {
				s := gone(noon)
				s.cluster = "other"
				return observation{sight: s, anyCluster: true, record: recordOf(lost(time.Minute)), track: lacking(time.Minute)}
			}(),
			verdict: hold, levels: levels{held: heldOtherCluster}, next: true,
		},
		"nor again right after an answer that proved nothing": {
			o: observation{
				sight: gone(noon), record: recordOf(lost(time.Minute)),
				track: track{absent: lacking(time.Minute).absent, asked: ago(5 * time.Second)},
			},
			verdict: hold, levels: levels{held: heldNotProven}, after: 10 * time.Second, next: true,
		},
		"it is held until another answer comes": {
			o: observation{
				sight: gone(noon), record: recordOf(lost(time.Minute)),
				track: track{absent: lacking(time.Minute).absent, asked: ago(15 * time.Second)},
			},
			verdict: ask, levels: levels{held: heldNotProven}, next: true,
		},
		"or until its turn to be asked for comes": {
			o:       observation{sight: gone(noon), record: recordOf(lost(time.Minute)), track: lacking(time.Minute), aside: true},
			verdict: ask, levels: levels{held: heldNotAsked}, next: true,
		},
		"or until it is marked": {
			o: observation{
				sight: gone(noon), record: recordOf(with(lost(0), func(s *state.Summary) { s.Mark = "" })),
				track: lacking(time.Minute),
			},
			verdict: save, want: ptr(lost(0)), levels: levels{held: heldNotWritten}, next: true,
		},
		"a marked record that says it is well is corrected": {
			o:       observation{sight: gone(noon), pv: pvBound(), record: recordOf(with(marked(time.Minute), func(s *state.Summary) { s.Health = healthy }))},
			verdict: save, levels: levels{held: heldNotWatched}, want: ptr(marked(time.Minute)), after: 15 * time.Second, next: true,
		},
		"before anything was heard too": {
			o:       observation{pv: pvBound(), record: recordOf(with(marked(time.Minute), func(s *state.Summary) { s.Health = healthy }))},
			verdict: save, want: ptr(marked(time.Minute)),
		},
		"a volume that comes back loses the mark": {
			o:       observation{sight: seen(noon), pv: pvBound(), record: recordOf(marked(time.Hour))},
			verdict: save, want: ptr(rightState()),
		},
		"a volume that cannot be recorded is there: its record stays as it is": {
			o: func() observation {
				s := seen(noon)
				s.invalid, s.digest.Content = "too big", 0
				return observation{sight: s, pv: pvBound(), record: recordOf(rightState())}
			}(),
			reports: []string{EventInvalid}, levels: levels{invalid: true},
		},
		"a volume that may be listed in two namespaces waits for the end of the listing": {
			o: func() observation {
				s := seen(noon)
				s.moved, s.digest.Content = true, 9
				return observation{sight: s, pv: pvBound(), record: recordOf(rightState())}
			}(),
			next: true,
		},
		"but for the mark": {
			o: func() observation {
				s := seen(noon)
				s.invalid, s.digest.Content = "too big", 0
				return observation{sight: s, pv: pvBound(), record: recordOf(marked(time.Hour)), track: track{reported: "too big"}}
			}(),
			verdict: save, want: ptr(rightState()), levels: levels{invalid: true},
		},
		"a PersistentVolume without its volume is patient": {
			o:     observation{sight: gone(noon), pv: pvBound()},
			after: 15 * time.Second,
		},
		"it waits for a complete listing begun after it was seen": {
			o:    observation{sight: gone(ago(time.Minute)), pv: pvBound(), track: track{missing: since{at: ago(15 * time.Second)}}},
			next: true,
		},
		"then its volume is missing, and that is said": {
			o:      observation{sight: gone(ago(time.Second)), pv: pvBound(), track: track{missing: since{at: ago(15 * time.Second)}}},
			levels: levels{missing: true}, reports: []string{EventMissing},
		},
		"once": {
			o: observation{sight: gone(ago(time.Second)), pv: pvBound(), track: track{
				missing: since{at: ago(time.Minute), said: true}, levels: levels{missing: true},
			}},
			levels: levels{missing: true},
		},
		"its return is said": {
			o: observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState()), track: track{
				missing: since{at: ago(time.Minute), said: true}, levels: levels{missing: true},
			}},
			reports: []string{EventFound},
		},
		"but not that of one of so many that nothing was said of them": {
			o: observation{sight: seen(noon), pv: pvBound(), record: recordOf(rightState()), track: track{
				missing: since{at: ago(time.Minute)}, levels: levels{missing: true},
			}},
		},
		"of so many, none is said to be missing before the breaker lets go": {
			o:      observation{sight: gone(ago(time.Second)), pv: pvBound(), tripped: true, track: track{missing: since{at: ago(15 * time.Second)}}},
			levels: levels{missing: true}, next: true,
		},
		"a terminating PersistentVolume misses nothing": {
			o: func() observation {
				pv := pvBound()
				pv.Terminating = true
				return observation{sight: gone(ago(time.Second)), pv: pv, track: track{missing: since{at: ago(time.Hour)}}}
			}(),
		},
		"a released one with policy Delete misses nothing": {
			o: func() observation {
				pv := pvBound()
				pv.Phase = state.Intern(corev1.VolumeReleased)
				return observation{sight: gone(ago(time.Second)), pv: pv, track: track{missing: since{at: ago(time.Hour)}}}
			}(),
		},
		"sync progress alone waits for its turn": {
			o: func() observation {
				s := seen(noon)
				s.digest.Progress = 3
				return observation{sight: s, pv: pvBound(), record: recordOf(rightState()), track: track{progressed: ago(10 * time.Second)}}
			}(),
			after: 20 * time.Second,
		},
		"and is written then": {
			o: func() observation {
				s := seen(noon)
				s.digest.Progress = 3
				return observation{sight: s, pv: pvBound(), record: recordOf(rightState()), track: track{progressed: ago(30 * time.Second)}}
			}(),
			verdict: save, content: true, want: ptr(rightState()),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := DefaultSettings()
			tc.o.now = noon
			d := settings.decide(tc.o)
			if d.verdict != tc.verdict || d.content != tc.content {
				t.Errorf("verdict %v, content %v; want %v, %v", d.verdict, d.content, tc.verdict, tc.content)
			}
			if tc.want != nil {
				if diff := cmp.Diff(*tc.want, d.want, compared); diff != "" {
					t.Errorf("the record should say (-want +got):\n%s", diff)
				}
			}
			if tc.forgets && d.track != (track{}) {
				t.Errorf("remembered: %+v", d.track)
			}
			levels := d.track.levels
			levels.absence, levels.namespace = notAbsent, "" // TestExplained
			if levels != tc.levels {
				t.Errorf("levels %+v, want %+v", levels, tc.levels)
			}
			if diff := cmp.Diff(tc.reports, reasons(d.reports)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if d.after != tc.after || d.nextListing != tc.next {
				t.Errorf("look again after %v, after the next listing %v; want %v, %v", d.after, d.nextListing, tc.after, tc.next)
			}
		})
	}
}

// With deletion switched off, a proof is counted and not asked for again.
func TestDecideProvenButKept(t *testing.T) {
	t.Parallel()
	s := rightState()
	s.Present, s.Health, s.Mark, s.Bound = state.PresentFalse, state.NotListed, state.MarkAt(ago(time.Minute)), state.BoundNone
	settings := DefaultSettings()
	settings.DeleteOrphans = false
	d := settings.decide(observation{now: noon, sight: gone(noon), record: recordOf(s), track: track{proven: recordOf(s).ResourceVersion, absent: lacking(time.Minute).absent}})
	if d.verdict != keep || !d.track.levels.orphan {
		t.Errorf("verdict %v, levels %+v; want keep and an orphan", d.verdict, d.track.levels)
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
		want    absenceKind
		verdict verdict // while the breaker has tripped
	}{
		"its PersistentVolume is gone":       {nil, nil, explained, ask},
		"it is terminating":                  {pv(func(p *state.PV) { p.Terminating = true }), nil, explained, ask},
		"it was released with policy Delete": {pv(func(p *state.PV) { p.Phase = state.Intern(corev1.VolumeReleased) }), nil, explained, ask},
		"it was released with policy Retain": {pv(func(p *state.PV) {
			p.Phase = state.Intern(corev1.VolumeReleased)
			p.ReclaimPolicy = state.Intern(corev1.PersistentVolumeReclaimRetain)
		}), nil, unexplained, hold},
		"it is bound":         {pvBound(), nil, unexplained, hold},
		"there never was one": {nil, never, unexplained, hold},
		"there never was one, and the mark is old": {nil, func(s *state.Summary) { never(s); s.Mark = state.MarkAt(ago(10 * time.Minute)) }, unexplained, hold},
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
			settings := DefaultSettings()
			o := observation{now: noon, sight: gone(noon), pv: tc.pv, record: recordOf(s), track: lacking(time.Minute)}
			if d := settings.decide(o); d.track.levels.absence != tc.want || d.track.levels.namespace != "ns" || d.verdict != ask {
				t.Errorf("%+v, verdict %v; want %v, ask", d.track.levels, d.verdict, tc.want)
			}
			o.tripped = true
			if d := settings.decide(o); d.verdict != tc.verdict {
				t.Errorf("tripped: verdict %v, want %v", d.verdict, tc.verdict)
			}
			o.track = lacking(10 * time.Minute)
			if d := settings.decide(o); d.verdict != ask {
				t.Errorf("tripped, watched for the hold: verdict %v, want ask", d.verdict)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// The PersistentVolume of a new volume is waited for.
func TestPending(t *testing.T) {
	t.Parallel()
	s := DefaultSettings()
	for name, tc := range map[string]struct {
		record *state.Record
		want   bool
	}{
		"a new volume":          {nil, true},
		"one that has a record": {recordOf(rightState()), false},
	} {
		if got := s.decide(observation{now: noon, sight: seen(noon), record: tc.record}).track.unreferenced.pending; got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
