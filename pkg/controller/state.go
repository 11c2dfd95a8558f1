package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// state is what a record says, small enough to be kept for every record and
// comparable, so that == tells whether a record says the right thing.
type state struct {
	content uint64      // hash of the part that the volume decides
	join    join        // the PersistentVolume
	health  well        // status.health, status.ready, condition Healthy
	present statement   // condition Present
	bound   statement   // condition Bound
	mark    absenceMark // annotation absent-since
}

// join is what a record says of its PersistentVolume: status.persistentVolume.
type join struct {
	name           string
	phase          shared[corev1.PersistentVolumePhase]
	reclaimPolicy  shared[corev1.PersistentVolumeReclaimPolicy]
	claimNamespace shared[string]
	claimName      string
}

// statement is what many records say of one thing.
type statement = shared[record.Condition]

// well is what many records say of how their volumes are.
type well = shared[record.HealthStatus]

var notListed = share(record.HealthNotListed)

// absenceMark is the value of the annotation absent-since, "" if there is
// none.
type absenceMark string

var (
	presentTrue    = share(record.Listed)
	presentFalse   = share(record.NotListed)
	boundTrue      = share(record.Bound)
	boundNone      = share(record.NoPersistentVolume)
	boundUnclaimed = share(record.Unclaimed)
)

func boundOf(p *persistentVolume) statement { return share(record.BoundIn(p.phase.get())) }

// markAt is the mark of a volume that was found absent at that time, cut to
// whole seconds.
func markAt(t time.Time) absenceMark { return absenceMark(t.UTC().Format(time.RFC3339)) }

// since reads the mark. A mark that nobody can read, or that lies in the
// future, is no mark: a grace must neither end at once nor never.
func (m absenceMark) since(now time.Time) (time.Time, bool) {
	if m == "" {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(m))
	if err != nil || t.After(now.Add(time.Second)) {
		return time.Time{}, false
	}
	return t, true
}

// stateOf reads off a record what it says.
func stateOf(r *v1.Volume, content uint64) state {
	s := state{
		content: content,
		health:  share(record.ReadHealthStatus(r)),
		present: share(record.ReadCondition(r, v1.ConditionPresent)),
		bound:   share(record.ReadCondition(r, v1.ConditionBound)),
		mark:    absenceMark(r.Annotations[v1.AnnotationAbsentSince]),
	}
	if pv := r.Status.PersistentVolume; pv != nil {
		s.join.name = pv.Name
		s.join.phase = share(corev1.PersistentVolumePhase(pv.Phase))
		s.join.reclaimPolicy = share(corev1.PersistentVolumeReclaimPolicy(pv.ReclaimPolicy))
		if pv.Claim != nil {
			s.join.claimNamespace, s.join.claimName = share(pv.Claim.Namespace), pv.Claim.Name
		}
	}
	return s
}

// dropped is what an older CRD leaves of a state, whose content is that of the volume
// as it is listed, or one that it has left already.
func (s state) dropped(listed digest) state {
	if s.content == listed.content {
		s.content = withCapacity(listed.basic, -1)
	}
	s.join, s.health, s.present, s.bound = join{}, well{}, statement{}, statement{}
	return s
}

// apply writes into a record what it should say, but for its content.
func (s state) apply(r *v1.Volume, now time.Time) {
	r.Status.PersistentVolume = s.join.persistentVolume()
	s.health.get().Apply(r, now)
	s.present.get().Apply(r, v1.ConditionPresent, now)
	s.bound.get().Apply(r, v1.ConditionBound, now)
	if s.mark == "" {
		delete(r.Annotations, v1.AnnotationAbsentSince)
	} else {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationAbsentSince, string(s.mark))
	}
}

func (j join) persistentVolume() *v1.PersistentVolumeStatus {
	if j == (join{}) {
		return nil
	}
	pv := &v1.PersistentVolumeStatus{Name: j.name, Phase: string(j.phase.get()), ReclaimPolicy: string(j.reclaimPolicy.get())}
	if j.claimName != "" {
		pv.Claim = &v1.ClaimReference{Namespace: j.claimNamespace.get(), Name: j.claimName}
	}
	return pv
}
