package state

import (
	"hash/maphash"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Summary is what a record says, small enough to be kept for every record and
// comparable, so that == tells whether a record says the right thing.
type Summary struct {
	Content uint64    // hash of the part that the volume decides
	PV      PVSummary // the PersistentVolume
	Health  Health    // status.health, status.ready, condition Healthy
	Present Condition // condition Present
	Bound   Condition // condition Bound
	Mark    Mark      // annotation absent-since
}

// PVSummary is what a record says of its PersistentVolume: status.persistentVolume.
type PVSummary struct {
	Name           string
	Phase          Interned[corev1.PersistentVolumePhase]
	ReclaimPolicy  Interned[corev1.PersistentVolumeReclaimPolicy]
	ClaimNamespace Interned[string]
	ClaimName      string
}

// Condition is what many records say of one thing.
type Condition = Interned[record.Condition]

// Health is what many records say of how their volumes are.
type Health = Interned[record.HealthStatus]

// NotListed is the health of a volume that is absent, whatever it was before.
var NotListed = Intern(record.HealthNotListed)

// Mark is the value of the annotation absent-since, "" if there is
// none.
type Mark string

// What the conditions Present and Bound can say.
var (
	PresentTrue    = Intern(record.Listed)
	PresentFalse   = Intern(record.NotListed)
	BoundTrue      = Intern(record.Bound)
	BoundNone      = Intern(record.NoPersistentVolume)
	BoundUnclaimed = Intern(record.Unclaimed)
)

// BoundOf is the condition Bound of a volume with that PersistentVolume.
func BoundOf(p *PV) Condition {
	if is, ok := boundIn[p.Phase]; ok {
		return is
	}
	return Intern(record.BoundIn(p.Phase.Value())) // a phase of a later Kubernetes
}

// boundIn is the condition Bound by phase, as each decision asks for it: to look for it among
// all that is interned took a tenth of the decision.
var boundIn = func() map[Interned[corev1.PersistentVolumePhase]]Condition {
	is := map[Interned[corev1.PersistentVolumePhase]]Condition{}
	for _, phase := range []corev1.PersistentVolumePhase{"", corev1.VolumePending, corev1.VolumeAvailable, corev1.VolumeBound, corev1.VolumeReleased, corev1.VolumeFailed} {
		is[Intern(phase)] = Intern(record.BoundIn(phase))
	}
	return is
}()

// MarkAt is the mark of a volume that was found absent at that time, cut to
// whole seconds.
func MarkAt(t time.Time) Mark { return Mark(t.UTC().Format(time.RFC3339)) }

// Since reads the mark. A mark that nobody can read, or that lies in the
// future, is no mark: a grace must neither end at once nor never.
func (m Mark) Since(now time.Time) (time.Time, bool) {
	if m == "" {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(m))
	if err != nil || t.After(now.Add(time.Second)) {
		return time.Time{}, false
	}
	return t, true
}

// SummaryOf reads off a record what it says.
func SummaryOf(r *v1.Volume, content uint64) Summary {
	s := Summary{
		Content: content,
		Health:  Intern(record.ReadHealthStatus(r)),
		Present: Intern(record.ReadCondition(r, v1.ConditionPresent)),
		Bound:   Intern(record.ReadCondition(r, v1.ConditionBound)),
		Mark:    Mark(r.Annotations[v1.AnnotationAbsentSince]),
	}
	if pv := r.Status.PersistentVolume; pv != nil {
		s.PV.Name = pv.Name
		s.PV.Phase = Intern(corev1.PersistentVolumePhase(pv.Phase))
		s.PV.ReclaimPolicy = Intern(corev1.PersistentVolumeReclaimPolicy(pv.ReclaimPolicy))
		if pv.Claim != nil {
			s.PV.ClaimNamespace, s.PV.ClaimName = Intern(pv.Claim.Namespace), pv.Claim.Name
		}
	}
	return s
}

// Dropped is what an older CRD leaves of a state, whose content is that of the volume
// as it is listed, or one that it has left already.
func (s Summary) Dropped(listed Digest) Summary {
	if s.Content == listed.Content {
		s.Content = withCapacity(listed.basic, -1)
	}
	s.PV, s.Health, s.Present, s.Bound = PVSummary{}, Health{}, Condition{}, Condition{}
	return s
}

// KnownToKubernetes is what is true of a PersistentVolume, nil if there is none, whatever
// is known of its volume. The last one stays in the record: it may explain why the volume
// goes too, unless that is known to have outlived it.
func (s *Summary) KnownToKubernetes(pv *PV, outlived bool) {
	if pv != nil {
		s.Refer(pv)
		return
	}
	if s.Bound != BoundUnclaimed {
		s.Bound = BoundNone
	}
	if outlived {
		s.PV = PVSummary{}
	}
}

// Refer is what is true of the PersistentVolume that refers to a volume.
func (s *Summary) Refer(pv *PV) { s.PV, s.Bound = pv.PVSummary, BoundOf(pv) }

// Complete tells whether a record says what every record says behind a current CRD.
func (s Summary) Complete() bool { return s.Present != Condition{} && s.Bound != Condition{} }

// Apply writes into a record what it should say, but for its content. What follows from an
// absence is so since the mark says, also if it is written later: behind an older CRD only the
// mark could be.
func (s Summary) Apply(r *v1.Volume, now time.Time) {
	since, marked := s.Mark.Since(now)
	if !marked {
		since = now
	}
	r.Status.PersistentVolume = s.PV.Status()
	s.Health.Value().Apply(r, since)
	s.Present.Value().Apply(r, v1.ConditionPresent, since)
	s.Bound.Value().Apply(r, v1.ConditionBound, now)
	if s.Mark == "" {
		delete(r.Annotations, v1.AnnotationAbsentSince)
	} else {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationAbsentSince, string(s.Mark))
	}
}

// Hash is one of all that it says, of which a few first values are kept for others.
func (s Summary) Hash() uint64 { return max(maphash.Comparable(hashSeed, s), 10) }

// Status is the summary as a record has it, nil if there is no PersistentVolume.
func (j PVSummary) Status() *v1.PersistentVolumeStatus {
	if j == (PVSummary{}) {
		return nil
	}
	pv := &v1.PersistentVolumeStatus{Name: j.Name, Phase: string(j.Phase.Value()), ReclaimPolicy: string(j.ReclaimPolicy.Value())}
	if j.ClaimName != "" {
		pv.Claim = &v1.ClaimReference{Namespace: j.ClaimNamespace.Value(), Name: j.ClaimName}
	}
	return pv
}
