package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// absentRecord is the kind of a record whose volume is not listed. Whether it is proven gone,
// which is what the metric counts as "record", only the controller knows.
const absentRecord = "absent_record"

// orphan is something whose other half is not there. Its other kinds are those of the metric
// storageos_volume_orphans.
type orphan struct {
	Kind     string       `json:"kind"`
	Name     string       `json:"name"` // of the record, or of the PersistentVolume
	VolumeID string       `json:"volumeID"`
	Since    *metav1.Time `json:"since,omitempty"`
	Why      string       `json:"why"`

	namespace string // of the claim that uses it, or did, "" if nobody knows
}

// orphans is the command that shows them.
type orphans struct {
	*cli
	output
	grace time.Duration
}

const orphansName = "orphans"

func newOrphans(c *cli) *cobra.Command {
	o := &orphans{cli: c}
	cmd := &cobra.Command{
		Use:   orphansName,
		Short: "List records without volume, volumes without PersistentVolume, PersistentVolumes without volume",
		Long: `List what has lost its other half:

  absent_record     StorageOS does not list its volume; it goes once that is proven gone
  unclaimed_volume  no PersistentVolume refers to the volume
  missing_volume    a PersistentVolume refers to a volume that is not there

With --namespace, only what claims in that namespace use or, where the record does not say that any
more, what was made for one. How many nobody knows that of, standard error says.

If the records are old or not all of them true, or nobody says whether they are, standard error says
so. With -o jsonpath and other templates they are the .items of a List.`,
		Example: `  kubectl storageos-volumes orphans
  kubectl storageos-volumes orphans -n team-01
  kubectl storageos-volumes orphans -o json`,
		Args:              noNames,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlag(cmd)
	o.addAllNamespaces(cmd)
	cmd.Flags().DurationVar(&o.grace, "grace", time.Minute, "How old a PersistentVolume must be to be missed a volume")
	return cmd
}

func (o *orphans) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.grace < 0 {
		return fmt.Errorf("--grace %v is less than 0: say how old a PersistentVolume must be", o.grace)
	}
	kube, client, err := o.clients()
	if err != nil {
		return err
	}
	beat, unknown := o.heartbeat(ctx, kube) // first: what is read then may only be newer
	now := o.clock.now()
	records, err := o.completeRecords(ctx, kube, client)
	if err != nil {
		return err
	}
	pvs, err := o.listPersistentVolumes(ctx, kube)
	if err != nil {
		return err
	}
	found := findOrphans(records, pvs, now.Add(-o.grace), beat)
	ns := o.namespace()
	said := o.doubts(records, beat, unknown, o.clock.now())
	if ns != "" {
		said = strings.TrimSpace(said + " " + nobodys(found))
		found = slices.DeleteFunc(found, func(f orphan) bool { return f.namespace != ns })
	}
	early := notYet(records, byVolume(pvs), ns, now.Add(-o.grace), beat)
	kept := notElsewhere(theirs(records), beat)
	if strange := cmp.Or(strangeDriver(kept, pvs, o.csiDriver), unjoined(kept, o.csiDriver)); strange != "" {
		early, said = "", strings.TrimSpace(said+" "+capital(strange)+".")
	}
	defer o.warn(strings.TrimSpace(early + " " + said)) // after what was asked for
	if len(found) == 0 && !o.isDocument() {
		none := "There are no orphans"
		if ns != "" {
			none += " of claims in namespace " + ns
		}
		if said != "" {
			none += " among what is recorded"
		}
		fmt.Fprintln(o.Out, none+".")
		return nil
	}
	var rows [][]any
	for _, f := range found {
		since := "<unknown>"
		if f.Since != nil {
			since = age(f.Since.Time, now)
		}
		rows = append(rows, []any{f.Kind, f.Name, f.VolumeID, since, f.Why})
	}
	return o.print(o.Out, columns([]string{"KIND", "NAME", "VOLUME-ID", "SINCE"}, []string{"WHY"}), rows,
		asFindings(found, func(f orphan) string {
			if f.Kind == metrics.OrphanMissing {
				return persistentVolumeName(f.Name)
			}
			return volumeName(f.Name)
		}))
}

// findOrphans finds them. What is younger than that time is given its own to be joined. A volume
// of another cluster than the one that was listed is not there, as far as anybody knows. That a
// PersistentVolume refers to a volume counts, whatever its record says: it was read before.
func findOrphans(records []v1.Volume, pvs []corev1.PersistentVolume, before time.Time, beat record.Heartbeat) []orphan {
	found := []orphan{}
	records = slices.Clone(records) // the first of several with one ID counts
	slices.SortFunc(records, func(a, b v1.Volume) int { return recordRank(&a).Compare(recordRank(&b)) })
	claims := byVolume(pvs)
	present, absentSince := map[string]bool{}, map[string]*metav1.Time{}
	for i := range records {
		r := &records[i]
		id := identity(r)
		_, known := present[id]
		if id == "" || known {
			continue // not ours, or a copy
		}
		if isElsewhere(r, beat) {
			present[id] = false
			continue
		}
		if present[id] = !isAbsent(r); !present[id] {
			if t, err := time.Parse(time.RFC3339, r.Annotations[v1.AnnotationAbsentSince]); err == nil {
				absentSince[id] = &metav1.Time{Time: t}
			}
			found = append(found, orphan{absentRecord, r.Name, id, absentSince[id], "StorageOS does not list the volume", usedFrom(r)})
			continue
		}
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c != nil && isUnclaimed(r, c, before) && len(claims[id]) == 0 {
			since := &c.LastTransitionTime
			if since.IsZero() {
				since = nil
			}
			found = append(found, orphan{metrics.OrphanUnclaimed, r.Name, id, since, c.Message, usedFrom(r)})
		}
	}
	why := "no record of a present volume has this ID"
	if n := beat.Invalid + beat.Unwritten; n > 0 {
		why += "; " + how(n, "volume or PersistentVolume cannot be recorded, and it may be that", "volumes or PersistentVolumes cannot be recorded, and it may be one of them")
	}
	for i := range pvs {
		pv := &pvs[i]
		id := volumeOf(pv)
		if present[id] || deletes(pv) || pv.CreationTimestamp.After(before) {
			continue
		}
		found = append(found, orphan{metrics.OrphanMissing, pv.Name, id, absentSince[id], why, claimNamespace(pv)})
	}
	slices.SortFunc(found, func(a, b orphan) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// isUnclaimed reads off a record that nobody claims its volume. Where an older CRD has kept
// the record from saying so, that no PersistentVolume refers to it must do.
func isUnclaimed(r *v1.Volume, c *metav1.Condition, before time.Time) bool {
	return c.Reason == record.ReasonUnclaimed ||
		c.Reason == record.ReasonNoPersistentVolume && c.LastTransitionTime.IsZero() && !r.CreationTimestamp.After(before)
}

func recordRank(r *v1.Volume) record.Rank {
	return record.Rank{Created: r.CreationTimestamp.Unix(), Name: r.Name}
}
