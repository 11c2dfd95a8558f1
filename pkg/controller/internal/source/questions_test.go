package source

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// What destroyed data elsewhere.
func TestQuestionLessons(t *testing.T) {
	t.Parallel()
	t.Run("any error was read as gone", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{errBroken, storageostest.Forbidden, &storageos.APIError{Code: 404}, &storageos.APIError{Code: 500, Own: true}} {
			api := storageostest.New(map[string][]string{"one": nil})
			api.Fail = func(call string, _ int) error {
				if call == "volume vol" {
					return err
				}
				return nil
			}
			a := NewAsker(api, newView(), 1)
			if ok, _ := a.Gone(t.Context(), api.ClusterID, []Check{{"one", "vol"}}); ok {
				t.Errorf("%v proves that a volume is gone", err)
			}
		}
	})
	t.Run("the collection of orphans destroyed data", func(t *testing.T) {
		t.Parallel()
		api := reflect.TypeFor[storageos.Lister]()
		var can []string
		for i := range api.NumMethod() {
			can = append(can, api.Method(i).Name)
		}
		slices.Sort(can)
		if diff := cmp.Diff([]string{"Cluster", "ListVolumes", "Namespaces", "Nodes", "Volume"}, can); diff != "" {
			t.Errorf("what the controller can ask of StorageOS (-want +got):\n%s", diff)
		}
	})
}

// Where a volume is asked for: as rarely as will do for a proof.
func TestQuestions(t *testing.T) {
	t.Parallel()
	listed := []string{"a", "b", "c"}
	for name, tc := range map[string]struct {
		record *state.Record
		pv     string // the namespace that it names
		want   []Check
	}{
		"in the record's namespace":            {&state.Record{LabelID: "v", StatusID: "v", NamespaceID: state.Intern("b")}, "", []Check{{"b", "v"}}},
		"once, if both name it":                {&state.Record{LabelID: "v", NamespaceID: state.Intern("b")}, "b", []Check{{"b", "v"}}},
		"in both":                              {&state.Record{LabelID: "v", NamespaceID: state.Intern("b")}, "c", []Check{{"b", "v"}, {"c", "v"}}},
		"in one that has vanished":             {&state.Record{LabelID: "v", NamespaceID: state.Intern("gone")}, "", []Check{{"gone", "v"}}},
		"in the PersistentVolume's":            {&state.Record{LabelID: "v"}, "c", []Check{{"c", "v"}}},
		"everywhere, if none is named":         {&state.Record{StatusID: "v"}, "", []Check{{"a", "v"}, {"b", "v"}, {"c", "v"}}},
		"everywhere, if it was never listed":   {&state.Record{LabelID: "v", NamespaceID: state.Intern("x")}, "a", []Check{{"x", "v"}, {"a", "v"}, {"b", "v"}, {"c", "v"}}},
		"for both IDs, if a hand has made two": {&state.Record{LabelID: "v", StatusID: "w", NamespaceID: state.Intern("b")}, "", []Check{{"b", "v"}, {"b", "w"}}},
	} {
		var pv *state.PV
		if tc.pv != "" {
			pv = &state.PV{NamespaceID: state.Intern(tc.pv)}
		}
		got := Checks(tc.record, pv, listed, func(ns string) bool { return ns != "x" })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
