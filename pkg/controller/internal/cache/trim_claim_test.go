package cache

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	recordsfake "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/fake"
)

// The UID of a claim is kept only where claims are told of events.
func TestTrimPVClaim(t *testing.T) {
	t.Parallel()
	const claimUID = "c6066eef-2b51-435f-8a7f-516c34dfa082"
	for _, claims := range []bool{true, false} {
		c, err := New(fake.NewClientset(), recordsfake.NewSimpleClientset(), "d", claims, Changed{})
		if err != nil {
			t.Fatal(err)
		}
		pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}}
		pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "d", VolumeHandle: "ns/v"}
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "team", Name: "data", UID: claimUID}
		pv.Status.Phase = corev1.VolumeBound
		p, err := c.TrimPV(pv)
		if err != nil {
			t.Fatal(err)
		}
		claim := p.(*state.PV).Claim()
		if (claim != nil) != claims {
			t.Fatalf("claims %t: %+v", claims, claim)
		}
		released := *p.(*state.PV)
		if released.Phase = state.Intern(corev1.VolumeReleased); released.Claim() != nil {
			t.Error("a claim that has let go is told")
		}
		if claims && (*claim != corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "team", Name: "data", UID: claimUID}) {
			t.Errorf("the claim is %+v", claim)
		}
	}
}
