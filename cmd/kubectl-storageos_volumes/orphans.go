package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// orphan is something whose other half is not there. Its kinds are those of the
// metric storageos_volume_orphans.
type orphan struct {
	Kind     string       `json:"kind"`
	Name     string       `json:"name"` // of the record, or of the PersistentVolume
	VolumeID string       `json:"volumeID"`
	Since    *metav1.Time `json:"since,omitempty"`
	Why      string       `json:"why"`
}

// orphans is the command that shows them.
type orphans struct {
	*cli
	output
	grace time.Duration
}

func newOrphans(c *cli) *cobra.Command {
	o := &orphans{cli: c}
	cmd := &cobra.Command{
		Use:   "orphans",
		Short: "List records without volume, volumes without PersistentVolume, PersistentVolumes without volume",
		Long: `List what has lost its other half:

  record            its volume is not listed by StorageOS any more
  unclaimed_volume  no PersistentVolume refers to the volume
  missing_volume    a PersistentVolume refers to a volume that is not there`,
		Example: `  kubectl storageos-volumes orphans
  kubectl storageos-volumes orphans -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlag(cmd)
	cmd.Flags().DurationVar(&o.grace, "grace", time.Minute, "How old a PersistentVolume must be to be missed a volume")
	return cmd
}

func (o *orphans) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	kube, client, err := o.clients()
	if err != nil {
		return err
	}
	records, err := listRecords(ctx, client, "")
	if err != nil {
		return err
	}
	pvs, err := o.listPersistentVolumes(ctx, kube)
	if err != nil {
		return err
	}
	now := time.Now()
	found := findOrphans(records, pvs, now.Add(-o.grace))
	if len(found) == 0 && !o.isDocument() {
		fmt.Fprintln(o.Out, "There are no orphans.")
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
	return o.print(o.Out, columns([]string{"KIND", "NAME", "VOLUME-ID", "SINCE"}, []string{"WHY"}), rows, found,
		asObjects("Orphan", found, func(f orphan) string { return f.Name }))
}

// findOrphans finds them. PersistentVolumes younger than that time are given
// theirs to be recorded.
func findOrphans(records []v1.Volume, pvs []corev1.PersistentVolume, before time.Time) []orphan {
	found := []orphan{}
	present, absentSince := map[string]bool{}, map[string]*metav1.Time{}
	for i := range records {
		r := &records[i]
		id := identity(r)
		if id == "" {
			continue // not ours
		}
		if mark := r.Annotations[v1.AnnotationAbsentSince]; mark != "" {
			if t, err := time.Parse(time.RFC3339, mark); err == nil {
				absentSince[id] = &metav1.Time{Time: t}
			}
			found = append(found, orphan{metrics.OrphanRecord, r.Name, id, absentSince[id], "StorageOS does not list the volume"})
			continue
		}
		present[id] = true
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c != nil && c.Reason == record.ReasonUnclaimed {
			found = append(found, orphan{metrics.OrphanUnclaimed, r.Name, id, &c.LastTransitionTime, c.Message})
		}
	}
	for i := range pvs {
		pv := &pvs[i]
		id := volumeOf(pv)
		if present[id] || deletes(pv) || pv.CreationTimestamp.After(before) {
			continue
		}
		found = append(found, orphan{metrics.OrphanMissing, pv.Name, id, absentSince[id], "no record of a present volume has this ID"})
	}
	slices.SortFunc(found, func(a, b orphan) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return found
}
