package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func defaultRules() policy.Rules {
	s := DefaultSettings()
	return s.rules()
}

// aRecord is a record that says nothing of its volume.
func aRecord() *state.Record {
	return &state.Record{
		Name: "rec", UID: state.UIDOf("rec-uid"), LabelID: "vol", StatusID: "vol",
		NamespaceID: state.Intern("ns"), ClusterID: state.Intern("cluster"), ResourceVersion: "7",
	}
}

func digestOf(c record.Content) state.Digest {
	d, _ := state.DigestContent(c)
	return d
}

// put puts objects into the caches, as the informers do.
func (r *Reconciler) put(t testing.TB, pv *state.PV, rec *state.Record) {
	t.Helper()
	if pv != nil {
		if err := r.caches.PVs.GetStore().Add(pv); err != nil {
			t.Fatal(err)
		}
		r.caches.PVChanged(nil, pv)
	}
	if rec != nil {
		if err := r.caches.Records.GetStore().Add(rec); err != nil {
			t.Fatal(err)
		}
		r.caches.RecordChanged(nil, rec)
	}
}

var errBroken = errors.New("broken")
