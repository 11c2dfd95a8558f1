package controller

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// only lets a deletion be judged by one rule: to see whether histories find that one.
var only = flag.String("model.only", "", "the only rule that TestModel looks at; empty: all")

// The rules that a history may break. Their texts are constant: rapid takes two failures
// for the same only if they say the same.
const (
	ruleLiving     = "living: the record of a volume that exists was deleted"
	ruleIncomplete = "incomplete: a record was deleted though the last listing was not complete"
	ruleJudge      = "judge: a record was deleted on the word of another cluster"
	ruleWatched    = "watched: a record was deleted though its volume's absence was not watched for the grace"
	ruleListings   = "listings: a record was deleted after fewer listings than it takes"
	ruleMark       = "mark: a record was marked and no complete listing of its judge lacks the volume"
	ruleAsked      = "asked: a record was deleted and its volume was not asked for in every right namespace"
	ruleBetween    = "between: a record was deleted and the question was not between two answers of its judge"
	ruleVersion    = "version: a record was deleted that was edited after the question began"
	ruleBreaker    = "breaker: too many records were deleted within the hold and nothing explains it"
	ruleUnnamed    = "stranger: many records that name no cluster were deleted on the word of one that has never listed a volume of a record"
	ruleSecond     = "second: a volume that has a record got another"
	ruleTold       = "told: what Kubernetes says of a PersistentVolume waits for StorageOS"
	ruleAgree      = "agree: volumes and records do not agree in the end"
	ruleRest       = "rest: something is written or remembered at rest"
	ruleBelieved   = "believed: a record is behind, and is not counted"
	ruleWell       = "well: the record of an absent volume says that it is well"
)

// violated takes note that a rule was broken. It is raised later, by raise: calls of the
// model come from goroutines that must not end.
func (m *model) violated(rule, format string, args ...any) {
	if m.violation != "" || *only != "" && !strings.HasPrefix(rule, *only+":") {
		return
	}
	m.violation = rule
	m.t.Logf("%v: "+format, append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// raise ends a history that has broken a rule.
func (m *model) raise() {
	if m.violation != "" {
		m.t.Fatal(m.violation)
	}
}

// checkWrite looks at what a process writes, before it is stored.
func (m *model) checkWrite(ctx context.Context, old, obj *v1.Volume) {
	a := activityOf(ctx)
	switch {
	case obj == nil:
		m.checkDeletion(a, old)
	case old == nil:
		m.checkCreation(obj)
	case obj.Annotations[v1.AnnotationAbsentSince] != "" && old.Annotations[v1.AnnotationAbsentSince] == "":
		m.checkMark(a, old)
	}
}

// checkCreation: a volume has one record.
func (m *model) checkCreation(r *v1.Volume) {
	for _, other := range m.records.records {
		if other.Labels[v1.LabelVolumeID] == r.Labels[v1.LabelVolumeID] {
			m.violated(ruleSecond, "volume %s has record %s, and %s is made", r.Labels[v1.LabelVolumeID], other.Name, r.Name)
		}
	}
}

// checkMark: what is marked absent is so on the word of the record's judge. A mark is written in two
// halves, between which a listing of another cluster may end.
func (m *model) checkMark(a *activity, r *v1.Volume) {
	by, now := a.by, a.by.witness.answering
	if by == m.leader && !m.judges(by, r, now) && !m.judges(by, r, a.judge) { // the lease stops a former one
		m.violated(ruleMark, "record %s names %q, and %q answers", r.Name, r.Annotations[v1.AnnotationClusterID], now)
	}
}

// judges tells whether a cluster is the judge of a record, as far as a process was told.
func (m *model) judges(by *replica, r *v1.Volume, cluster string) bool {
	if names := r.Annotations[v1.AnnotationClusterID]; names != "" {
		return names == cluster
	}
	if cluster != unnamed {
		return cluster != ""
	}
	for _, other := range m.toldRecords(by) {
		if other.Annotations[v1.AnnotationClusterID] != "" {
			return false
		}
	}
	return true
}

// toldRecords are the records as the watch of a process has told them.
func (m *model) toldRecords(by *replica) map[string]*v1.Volume {
	all := map[string]*v1.Volume{}
	for _, c := range m.records.history[:by.recordsTold] {
		if c.obj != nil {
			all[c.obj.Name] = c.obj
		} else {
			delete(all, c.old.Name)
		}
	}
	return all
}

// toldPV is the PersistentVolume of a volume as the watch of a process has told it.
func (m *model) toldPV(by *replica, id string) *state.PV {
	all := map[string]*state.PV{}
	for _, c := range m.pvTold[:by.pvsTold] {
		if c.old != nil {
			delete(all, c.old.Name) // another one may have its name
		}
		if c.obj != nil && c.obj.VolumeID == id {
			all[c.obj.Name] = c.obj
		}
	}
	return state.ChoosePV(slices.Collect(maps.Values(all)))
}

// checkDeletion demands of each deletion all that the rules of deletion ask for.
func (m *model) checkDeletion(a *activity, r *v1.Volume) {
	p, w := a.by, a.by.witness
	names := r.Annotations[v1.AnnotationClusterID]
	ids := state.NewRecord(r).IDs()
	id := r.Status.VolumeID
	if id == "" {
		id = r.Labels[v1.LabelVolumeID]
	}
	pv := m.toldPV(p, id)
	for _, id := range ids {
		// What comes back while StorageOS is asked may be missed. One that names no cluster, because StorageOS refused to tell, is not
		// protected against another cluster; nor one that a hand has moved to another
		// namespace.
		ns := r.Annotations[v1.AnnotationNamespaceID]
		moved := slices.Contains(m.api.NamespaceIDs, ns) && m.namespaceOf(id) != ns
		if m.exists(id) && (names != "" || m.api.Elsewhere == nil) && !moved && a.moves == m.moves {
			m.violated(ruleLiving, "volume %s, record %s: %+v", id, r.Name, r)
		}
	}
	if !w.whole {
		m.violated(ruleIncomplete, "record %s", r.Name)
	}
	if !m.judges(p, r, w.answering) || w.answering != w.word {
		m.violated(ruleJudge, "record %s names %q, %q was listed, and %q has answered last", r.Name, names, w.answering, w.word)
	}
	m.checkQuestion(a, r, ids, pv)

	watched, listings := w.watched(id)
	if watched < m.settings.OrphanGracePeriod {
		m.violated(ruleWatched, "record %s: absent since %q, watched for %v in %d listings", r.Name, r.Annotations[v1.AnnotationAbsentSince], watched, listings)
	}
	least := 1
	if m.settings.OrphanGracePeriod > 0 {
		least = 2
	}
	if listings < least {
		m.violated(ruleListings, "record %s: absent since %q, watched for %v in %d listings", r.Name, r.Annotations[v1.AnnotationAbsentSince], watched, listings)
	}
	if pv != nil && pv.Deletes() || pv == nil && r.Status.PersistentVolume != nil {
		return // explained
	}
	p.deleted = append(p.deleted, time.Now())
	p.deleted = slices.DeleteFunc(p.deleted, func(at time.Time) bool { return time.Since(at) >= m.settings.MassOrphanHold })
	before := len(m.records.records) + len(p.deleted) - 1
	if n := len(p.deleted); n <= m.settings.MaxOrphanCount || n*100 <= m.settings.MaxOrphanPercent*before {
		return
	}
	if watched < m.settings.MassOrphanHold {
		m.violated(ruleBreaker, "record %s is one of %d of %d, watched for %v; they went at %v", r.Name, len(p.deleted), before, watched, p.deleted)
	}
	if names == "" && !m.known(w, r) {
		m.violated(ruleUnnamed, "record %s: %q has listed no volume of a record of the replaced program, nor of one that is not younger", r.Name, w.word)
	}
}

// surelyKnown tells whether who answers has listed the volume of an older record, when that was there.
// Whether a process has seen one of the replaced program before it was adopted is for the process to know.
func (m *model) surelyKnown(w *witness, r *v1.Volume) bool {
	for _, other := range m.records.records {
		created := other.CreationTimestamp
		if w.listed[w.word][other.Labels[v1.LabelVolumeID]].After(created.Add(time.Second)) && created.Before(&r.CreationTimestamp) {
			return true
		}
	}
	return false
}

// known tells whether who answers may have listed the volume of a record of the replaced program, or of one
// that is not younger than this.
func (m *model) known(w *witness, r *v1.Volume) bool {
	m.learn(w)
	created, ok := w.knew[w.word]
	return ok && (created.IsZero() || !created.After(r.CreationTimestamp.Time))
}

// learn takes down the oldest record of those whose volumes who answers has listed: the zero time, if it
// was of the replaced program, or named no cluster where none tells its name. One that has gone since a
// cache may have had still.
func (m *model) learn(w *witness) {
	for _, change := range m.records.history {
		r := change.obj
		if r == nil {
			continue
		}
		for _, id := range []string{r.Labels[v1.LabelVolumeID], r.Status.VolumeID} {
			if w.listed[w.word][id].IsZero() {
				continue
			}
			created := r.CreationTimestamp.Time
			if r.Annotations[v1.AnnotationClusterID] == "" && (ofReplaced(r) || w.word == unnamed) {
				created = time.Time{}
			}
			if was, ok := w.knew[w.word]; !ok || created.Before(was) {
				w.knew[w.word] = created
			}
		}
	}
}

// ofReplaced tells whether a record is one of the replaced program, which nobody has adopted yet.
func ofReplaced(r *v1.Volume) bool {
	return r.Labels[v1.LabelVolumeID] == "" && r.Annotations[v1.AnnotationNamespaceID] == "" &&
		!meta.IsStatusConditionTrue(r.Status.Conditions, v1.ConditionPresent)
}

// checkQuestion: StorageOS was asked for the volume of a record, as the record is now.
func (m *model) checkQuestion(a *activity, r *v1.Volume, ids []string, pv *state.PV) {
	var namespaces []string
	switch ns := r.Annotations[v1.AnnotationNamespaceID]; {
	case ns != "":
		namespaces = []string{ns}
	case pv != nil:
		namespaces = []string{pv.NamespaceID.Value()}
	default:
		namespaces = m.api.NamespaceIDs
	}
	first, last := len(a.asked), -1
	for _, id := range ids {
		for _, ns := range namespaces {
			at := slices.IndexFunc(a.asked, func(q answered) bool { return q.id == id && q.ns == ns && q.gone })
			if at < 0 {
				m.violated(ruleAsked, "record %s: %s was not asked for in namespace %s: %+v", r.Name, id, ns, a.asked)
				return
			}
			first, last = min(first, at), max(last, at)
		}
	}
	judge := func(q answered) bool {
		return q.id == "" && m.judges(a.by, r, q.cluster) && q.cluster == a.by.witness.word
	}
	if last < 0 || !slices.ContainsFunc(a.asked[:first], judge) || !slices.ContainsFunc(a.asked[last:], judge) {
		m.violated(ruleBetween, "record %s: %+v", r.Name, a.asked)
	}
	if version, err := strconv.Atoi(r.ResourceVersion); err != nil || version > a.version {
		m.violated(ruleVersion, "record %s was at most at version %d and is at %s", r.Name, a.version, r.ResourceVersion)
	}
}

// checkTold: what Kubernetes alone tells is in the records though StorageOS fails.
func (m *model) checkTold() {
	if m.records.pruned || m.records.fail != nil || m.records.lost != nil {
		return
	}
	for name, r := range m.records.records {
		pv := m.pvOf(r.Status.VolumeID)
		if pv == nil || r.Labels[v1.LabelVolumeID] != r.Status.VolumeID {
			continue
		}
		if state.SummaryOf(r, 0).Present == (state.Condition{}) {
			continue // it looks like a record of the older CRD, which drops what is told
		}
		if got := state.SummaryOf(r, 0); got.PV != pv.PVSummary || got.Bound != state.BoundOf(pv) {
			m.violated(ruleTold, "record %s: %+v and %+v, and it is %+v", name, got.PV, got.Bound.Value(), pv.PVSummary)
		}
	}
}

// checkWell: a record whose volume is absent does not say that it is well.
func (m *model) checkWell() {
	if m.records.pruned {
		return
	}
	for name, r := range m.records.records {
		if r.Annotations[v1.AnnotationAbsentSince] == "" || len(state.NewRecord(r).IDs()) == 0 {
			continue
		}
		c := meta.FindStatusCondition(r.Status.Conditions, "Healthy")
		if r.Status.Health != v1.HealthUnknown || r.Status.Ready != "" || c == nil || c.Status != metav1.ConditionUnknown || c.Reason != record.ReasonNotListed {
			m.violated(ruleWell, "record %s: %+v", name, r.Status)
		}
	}
}

// checkBelieved: a record that the leader does not count says what was listed of its volume.
// What its watch has not told it, it cannot know.
func (m *model) checkBelieved() {
	p := m.leader
	if p.recordsTold < len(m.records.history) || m.records.pruned {
		return
	}
	records := map[string][]*state.Record{}
	for _, r := range m.records.records {
		is := state.NewRecord(r)
		id := is.Identity(p.view.Lists)
		records[id] = append(records[id], is)
	}
	for _, id := range p.view.IDs() {
		is, _ := state.ChooseRecord(records[id])
		want, t := p.view.Look(id), p.tracker.all[id]
		_, behind := p.backlog.right[id]
		switch {
		case behind || t.Gauges.Invalid || t.Gauges.Held != "" || is != nil && is.Terminating:
		case is == nil:
			m.violated(ruleBelieved, "volume %s has no record: %+v, %+v", id, want, t)
		case !want.LastComplete: // it may say what StorageOS has answered since
		case is.Summary.Content != want.Digest.Content && t.Applied.Observed != is.Summary:
			m.violated(ruleBelieved, "the record of volume %s is wrong: %+v, %+v, %+v", id, is, want, t)
		}
	}
}

// namespaceOf is where a volume is, "" if it is nowhere.
func (m *model) namespaceOf(id string) string {
	for _, volumes := range []map[string][]string{m.api.Lists, m.api.Elsewhere} {
		for ns, all := range volumes {
			if slices.ContainsFunc(all, func(v string) bool { return strings.HasPrefix(v, id+" ") }) {
				return ns
			}
		}
	}
	return ""
}

func (m *model) exists(id string) bool { return m.namespaceOf(id) != "" }

// check: after the last fault, records and volumes agree within a bounded
// number of listings, and then nothing is written any more.
func (m *model) check() {
	m.heal()
	if m.zombie != nil {
		m.zombie.queue.ShutDown()
		m.zombie = nil
	}
	// A mark that was refused is written when the pause is over, and the hold
	// begins with the mark.
	patience := policy.RefusedPause + m.settings.MassOrphanHold + m.settings.OrphanGracePeriod
	if m.upgraded {
		patience += m.settings.ResyncInterval
	}
	for range patience/m.settings.PollInterval + 6 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	m.agree()
	m.remembered()
	m.checkWell()
	writes := m.records.writes
	for range 3 {
		m.round()
		m.sleep(m.settings.PollInterval)
	}
	if n := m.records.writes - writes; n > 0 {
		m.violated(ruleRest, "%d writes at rest", n)
	}
	if most := 6*m.changes + 20; m.records.writes > most {
		m.violated(ruleRest, "%d writes for %d changes", m.records.writes, m.changes)
	}
	m.raise()
}

// remembered: nothing that the cache knows, for every volume that ever was, nor what was
// wrong with it once.
func (m *model) remembered() {
	for id := range m.leader.backlog.right {
		if t := m.leader.tracker.all[id]; t.Gauges.Held == "" { // which is so for as long as another cluster answers
			m.violated(ruleRest, "the record of volume %s is behind: %+v", id, t)
		}
	}
	for id, t := range m.leader.tracker.all {
		o := m.leader.observe(id)
		if t.Written != nil && policy.Newest(t.Written, o.Record) == o.Record {
			m.violated(ruleRest, "volume %s: what was written last is remembered, and known: %+v, cached %+v", id, t.Written, o.Record)
		}
		if o.Source.Presence == policy.Present && (t.Gauges.Invalid || t.Reported != "" || t.Refused != (policy.Refusal{})) {
			m.violated(ruleRest, "volume %s: it cannot be recorded or was refused, and nothing is wrong with it: %+v", id, t)
		}
		if t.Applied != (policy.Applied{}) && o.Record != nil && o.Record.Summary == t.Applied.Desired {
			m.violated(ruleRest, "volume %s: it is remembered as settled, and is right: %+v", id, t.Applied)
		}
	}
}

// agree: one record for each volume, right in every field that the model knows.
func (m *model) agree() {
	byID := map[string]*v1.Volume{}
	for _, r := range m.records.records {
		if len(state.NewRecord(r).IDs()) == 0 {
			continue // somebody else's
		}
		id := cmp.Or(r.Status.VolumeID, r.Labels[v1.LabelVolumeID]) // of one whose status was never written
		if other := byID[id]; other != nil {
			m.violated(ruleAgree, "records %s and %s describe volume %s", r.Name, other.Name, id)
		}
		byID[id] = r
	}
	for ns, volumes := range m.api.Lists {
		for _, v := range volumes {
			is, err := storageos.DecodeVolume(storageostest.Entry(ns, v).Raw)
			must(m.t, err)
			should, err := record.FromVolume(is, ns, m.api.NodeNames)
			must(m.t, err)
			id := is.Id
			r := byID[id]
			if r == nil {
				m.violated(ruleAgree, "volume %s has no record", id)
				continue
			}
			delete(byID, id)
			if !m.records.pruned && digestOf(record.FromRecord(r)) != digestOf(should) || m.foreign[r.UID] != (meta.FindStatusCondition(r.Status.Conditions, "Theirs") != nil) {
				m.violated(ruleAgree, "volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			if m.annotated[r.UID] && r.Annotations["theirs"] == "" {
				m.violated(ruleAgree, "volume %s: its record has lost an annotation of somebody else: %+v", v, r)
			}
			if r.Spec.SizeBytes != should.Spec.SizeBytes || r.Labels[v1.LabelVolumeID] != id || r.Annotations[v1.AnnotationNamespaceID] != ns || r.Annotations[v1.AnnotationAbsentSince] != "" {
				m.violated(ruleAgree, "volume %s in %s: its record is wrong: %+v", v, ns, r)
			}
			if is := r.Annotations[v1.AnnotationClusterID]; is != m.api.ClusterID {
				m.violated(ruleAgree, "volume %s in %s: its record names the cluster %q", v, ns, is)
			}
			want, bounds := state.PVSummary{}, []state.Condition{state.BoundNone, state.BoundUnclaimed}
			if pv := m.pvOf(id); pv != nil {
				want, bounds = pv.PVSummary, []state.Condition{state.BoundOf(pv)}
			}
			if got := state.SummaryOf(r, 0); !m.records.pruned && (got.PV != want || got.Present != state.PresentTrue || !slices.Contains(bounds, got.Bound)) {
				m.violated(ruleAgree, "volume %s: its record says %+v, %+v and %+v, not %+v and one of %+v", id, got.PV, got.Present.Value(), got.Bound.Value(), want, bounds)
			}
		}
	}
	for id, r := range byID {
		if r.Annotations[v1.AnnotationClusterID] == "other" {
			continue // only that cluster may end it
		}
		if r.Annotations[v1.AnnotationClusterID] == "" && !m.surelyKnown(m.leader.witness, r) {
			continue // nobody knows the cluster that answers: the breaker may hold it for good
		}
		o, d := m.leader.decide(id, false)
		m.violated(ruleAgree, "volume %s has gone, its record %s has not: it is %+v, observed %+v, decided %+v", id, r.Name, r, o, d)
	}
}
