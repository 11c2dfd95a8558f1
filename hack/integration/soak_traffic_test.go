package integration

import (
	"context"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/hack/soak/history"
)

// traffic changes volumes, and makes and deletes claims and volumes.
func (s *soak) traffic(random *rand.Rand, over <-chan struct{}) {
	for step := 0; ; step++ {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(50+random.IntN(150)) * time.Millisecond):
		}
		s.sim.Change(1 + random.IntN(5))
		if step == 40 && random.IntN(2) == 0 {
			s.endMany(random)
		}
		switch n := random.IntN(100); {
		case n < 8:
			s.makeClaim()
		case n < 14:
			s.endClaim(random)
		case n < 17:
			s.endVolume(random)
		case n < 20:
			s.makeVolume(random)
		}
	}
}

// makeClaim makes a claim, unless there is no API server.
func (s *soak) makeClaim() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	class := deletes
	_, _ = s.kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: s.name("claim")},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: resource.MustParse("2Gi"),
			}},
		},
	}, metav1.CreateOptions{})
}

// endClaim deletes a claim, unless there is no API server.
func (s *soak) endClaim(random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	claims := s.kube.CoreV1().PersistentVolumeClaims("default")
	list, err := claims.List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return
	}
	_ = claims.Delete(ctx, list.Items[random.IntN(len(list.Items))].Name, metav1.DeleteOptions{})
}

// byHand are the volumes that no claim has made.
func (s *soak) byHand() []simulator.Volume {
	var all []simulator.Volume
	for _, ns := range s.sim.Namespaces() {
		for _, v := range s.sim.Volumes(ns.ID) {
			if v.Labels[simulator.LabelPVName] == "" {
				all = append(all, v)
			}
		}
	}
	return all
}

// endVolume deletes a volume that no claim has made.
func (s *soak) endVolume(random *rand.Rand) {
	all := s.byHand()
	if len(all) > soakVolumes/2 {
		v := all[random.IntN(len(all))]
		_ = s.sim.RemoveVolume(v.NamespaceID, v.ID) // nobody else does
	}
}

// makeVolume makes a volume without a claim.
func (s *soak) makeVolume(random *rand.Rand) {
	namespaces := s.sim.Namespaces()
	_, err := s.sim.AddVolume(namespaces[random.IntN(len(namespaces))].ID, simulator.VolumeSpec{
		Name: s.name("by hand"), Replicas: 1, Labels: map[string]string{simulator.LabelReplicas: "1"},
	})
	if err != nil {
		s.t.Error(err)
	}
}

// endMany lets half of the volumes that no claim has made vanish at once, so that the breaker
// has to hold the deletions; a part of them is back after a while.
func (s *soak) endMany(random *rand.Rand) {
	all := s.byHand()
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:len(all)/2]
	if 3*len(all) < soakVolumes/2 {
		return
	}
	e := history.Event{Kind: history.Missing}
	for _, v := range all {
		e.Volumes = append(e.Volumes, v.ID)
	}
	s.log.Add(e)
	for _, v := range all {
		_ = s.sim.RemoveVolume(v.NamespaceID, v.ID) // nobody else does
	}
	time.AfterFunc(soakHold/4, func() {
		for _, v := range all[:len(all)/3] {
			if err := s.sim.SetVolume(v); err != nil {
				s.t.Error(err)
			}
		}
	})
}
