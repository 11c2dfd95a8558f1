package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The sum that is kept is the one that going through all records gives, whatever comes, changes
// and goes, and if the clock goes back, and nothing is remembered of those that have become old.
func TestRecordSum(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_000_000, 0)
	var kept recordSum
	all := map[string]v1.Volume{}
	records := func() (is []*state.Record) {
		for _, r := range all {
			is = append(is, state.NewRecord(&r))
		}
		return is
	}
	change := func(name string, is *v1.Volume) {
		var old, obj *state.Record
		if was, ok := all[name]; ok {
			old = state.NewRecord(&was)
		}
		delete(all, name)
		if is != nil {
			obj, all[name] = state.NewRecord(is), *is
		}
		if old != nil || obj != nil {
			kept.change(old, obj, now)
		}
	}
	for n := range 5_000 {
		now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		if n%1000 == 999 {
			now = now.Add(-time.Hour) // somebody has set the clock
		}
		name := fmt.Sprint(random.IntN(50))
		switch random.IntN(4) {
		case 0:
			change(name, nil)
		case 1: // an edit, which may make it somebody else's
			if was, ok := all[name]; ok {
				is := was
				is.Status.VolumeID = []string{"", name}[random.IntN(2)]
				change(name, &is)
			}
		default: // made just now, or long ago, or by a clock that is ahead
			made := now.Add(time.Duration(random.IntN(60)-50) * time.Second)
			change(name, &v1.Volume{
				ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(fmt.Sprint(n)), CreationTimestamp: metav1.NewTime(made)},
				Status:     v1.VolumeStatus{VolumeID: name},
			})
		}
		var theirs []v1.Volume
		for _, r := range all {
			if r.Status.VolumeID != "" {
				theirs = append(theirs, r)
			}
		}
		if got, want := kept.of(now, records), record.SumOf(theirs, now); got != want {
			t.Fatalf("after %d changes: %d, want %d", n, got, want)
		}
	}
	kept.of(now.Add(2*time.Hour), records)
	if kept.new != nil {
		t.Errorf("%d are remembered", len(kept.new))
	}
}
