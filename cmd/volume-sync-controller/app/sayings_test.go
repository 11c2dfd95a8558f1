package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
)

// What is said on a claim is not heard again, is said in its namespace, and where that has gone
// nothing is lost.
func TestEventsOnClaims(t *testing.T) {
	t.Parallel()
	terminating := apierrors.NewForbidden(eventResource, "", errBroken)
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, tc := range map[string]struct {
		answer error
		lost   int32
	}{
		"it is taken":                  {},
		"the namespace has gone":       {answer: apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "team")},
		"the namespace is terminating": {answer: terminating},
		"it is not permitted":          {answer: apierrors.NewForbidden(eventResource, "", errBroken), lost: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSaying(t, func(int, *corev1.Event) error { return tc.answer })
				defer s.stop()
				for range 3 {
					s.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "team", Name: "data", UID: "u"},
						corev1.EventTypeWarning, "VolumeOffline", "the master is offline, 0/1 copies are usable")
				}
				time.Sleep(time.Minute)
				if s.heard.Load() != 0 || s.failed.Load() != tc.lost {
					t.Errorf("%d heard, %d lost, want %d", s.heard.Load(), s.failed.Load(), tc.lost)
				}
				if n := strings.Count(s.logged(), "not permitted"); n != int(min(tc.lost, 1)) {
					t.Errorf("it was logged %d times:\n%s", n, s.logged())
				}
				list, err := s.client.CoreV1().Events("team").List(t.Context(), metav1.ListOptions{})
				if err != nil || (len(list.Items) > 0) != (tc.answer == nil) {
					t.Errorf("%d events in the namespace of the claim, %v", len(list.Items), err)
				}
			})
		})
	}
}

// What is said on claims neither holds up what is said on others nor takes its place, however
// many they are and whatever happens in their namespaces; all that is said is handed over at the
// end.
func TestSayings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewSimpleClientset()
		client.PrependReactor("create", "events", func(a clienttesting.Action) (bool, runtime.Object, error) {
			failing := a.GetNamespace() == "team"
			return failing, nil, apierrors.NewInternalError(errBroken)
		})
		lost, heard := 0, 0
		var mu sync.Mutex
		one := func() *events {
			e := newEvents(client.CoreV1().Events(""), func() { mu.Lock(); lost++; mu.Unlock() }, func(*corev1.ObjectReference, string, string, string) { heard++ })
			e.most, e.losses.logger = 10, logr.Discard()
			return e
		}
		s := sayings{one(), one()}
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logr.Discard()))
		ended := make(chan struct{})
		go func() { s.run(ctx); close(ended) }()
		for range 20 {
			s.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "team", Name: "data", UID: "u"}, corev1.EventTypeWarning, "VolumeOffline", "x")
		}
		for n := range 10 {
			s.Event(&corev1.ObjectReference{APIVersion: "api.storageos.com/v1", Kind: "Volume", Name: fmt.Sprint("v", n), UID: "u"}, corev1.EventTypeWarning, "VolumeOffline", "x")
		}
		time.Sleep(time.Second)
		list, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 10 || heard != 10 {
			t.Errorf("%d events on records have arrived, %d were heard, %v", len(list.Items), heard, err)
		}
		begun := time.Now()
		s.drain()
		if took := time.Since(begun); took > lastEventMoment {
			t.Errorf("the end took %v", took)
		}
		cancel()
		<-ended
		if lost != 20 {
			t.Errorf("%d events on claims are counted as lost", lost)
		}
	})
}
