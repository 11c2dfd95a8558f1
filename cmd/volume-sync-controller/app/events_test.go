package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

// mostInTest is how many events may wait in a test.
const mostInTest = 2000

var eventResource = schema.GroupResource{Resource: "events"}

// saying is what a test of events works with.
type saying struct {
	*events
	client        *fake.Clientset
	heard, failed atomic.Int32 // events said, events lost
	logged        func() string
	stop          func()
}

// newSaying starts to hand events to an API server that answers so: nil is success.
func newSaying(t *testing.T, answer func(try int, e *corev1.Event) error) *saying {
	t.Helper()
	s := &saying{client: fake.NewSimpleClientset()}
	tries := 0
	s.client.PrependReactor("create", "events", func(a clienttesting.Action) (bool, runtime.Object, error) {
		tries++
		e, _ := a.(clienttesting.CreateAction).GetObject().(*corev1.Event)
		err := answer(tries, e)
		return err != nil, nil, err
	})
	s.events = newEvents(s.client.CoreV1().Events(""), func() { s.failed.Add(1) },
		func(*corev1.ObjectReference, string, string, string) { s.heard.Add(1) })
	s.most = mostInTest
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	s.losses.logger = logger
	s.logged = logger.GetSink().(ktesting.Underlier).GetBuffer().String
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logger))
	over := make(chan struct{})
	go func() {
		s.run(ctx)
		close(over)
	}()
	s.stop = func() {
		cancel()
		<-over
	}
	return s
}

// all says one event on each of n records.
func (s *saying) all(n int) {
	for i := range n {
		on := &corev1.ObjectReference{APIVersion: "api.storageos.com/v1", Kind: "Volume", Name: fmt.Sprintf("v%d", i), UID: "u"}
		s.Event(on, corev1.EventTypeWarning, "VolumeDegraded", "only 1/2 copies are usable")
	}
}

func (s *saying) arrived(t *testing.T) int {
	t.Helper()
	list, err := s.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range list.Items {
		n += int(e.Count)
	}
	return n
}

// Whatever the API server does, each event arrives or is counted, is heard once, and
// the log says what was lost in few lines.
func TestEventsArriveOrAreCounted(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(eventResource, "", errors.New("no"))
	for name, tc := range map[string]struct {
		answer func(try int, e *corev1.Event) error
		said   int
		lost   int
		lasts  time.Duration // until all is over
		lines  int
		says   string
	}{
		"1,500 at once": {
			answer: func(int, *corev1.Event) error { return nil }, said: 1500,
		},
		"a slow API server": {
			answer: func(int, *corev1.Event) error {
				time.Sleep(50 * time.Millisecond)
				return nil
			},
			said: 1500, lasts: 75 * time.Second,
		},
		"more than are kept": {
			answer: func(int, *corev1.Event) error {
				time.Sleep(time.Millisecond)
				return nil
			},
			said: mostInTest + 1501, lost: 1500, lasts: time.Minute, lines: 1, says: `events=1500`,
		},
		"they are not permitted": {
			answer: func(int, *corev1.Event) error { return forbidden }, said: 1500, lost: 1500, lasts: time.Minute, lines: 1, says: "not permitted",
		},
		"the namespace is not there": {
			answer: func(int, *corev1.Event) error { return apierrors.NewNotFound(eventResource, "default") },
			said:   1500, lost: 1500, lasts: time.Minute, lines: 1, says: `events=1500`,
		},
		"one is refused": {
			answer: func(_ int, e *corev1.Event) error {
				if e.InvolvedObject.Name == "v7" {
					return apierrors.NewInvalid(schema.GroupKind{Kind: "Event"}, "v7", nil)
				}
				return nil
			},
			said: 20, lost: 1, lasts: time.Minute, lines: 1, says: `events=1`,
		},
		"there is no API server for ten minutes": {
			answer: func(try int, _ *corev1.Event) error {
				if try < 60 {
					return errBroken
				}
				return nil
			},
			said: 1500, lasts: 20 * time.Minute, lines: 2, says: "taken again",
		},
		"it has too much to do": {
			answer: func(try int, _ *corev1.Event) error {
				if try < 10 {
					return apierrors.NewTooManyRequests("", 1)
				}
				return nil
			},
			said: 20, lasts: 20 * time.Minute, lines: 2, says: "taken again",
		},
		"it fails at one, each time": {
			answer: func(_ int, e *corev1.Event) error {
				if e.InvolvedObject.Name == "v7" {
					return apierrors.NewInternalError(errBroken)
				}
				return nil
			},
			said: 20, lost: 1, lasts: 20 * time.Minute, lines: 2, says: `events=1`,
		},
		"it comes, and its answer does not": {
			answer: func(try int, _ *corev1.Event) error {
				switch try {
				case 1:
					return errBroken
				case 2:
					return apierrors.NewAlreadyExists(eventResource, "")
				}
				return nil
			},
			said: 20, lost: 0, lasts: time.Minute, lines: 2, says: "taken again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSaying(t, tc.answer)
				synctest.Wait()
				begun := time.Now()
				s.all(1)
				synctest.Wait() // it is on its way
				for i := range tc.said - 1 {
					s.Event(&corev1.ObjectReference{Kind: "Volume", Name: fmt.Sprintf("v%d", i+1), UID: "u"}, corev1.EventTypeWarning, "VolumeDegraded", "only 1/2 copies are usable")
				}
				if waited := time.Since(begun); waited > 0 {
					t.Errorf("whoever said them waited for %v", waited)
				}
				time.Sleep(tc.lasts)
				synctest.Wait()
				s.stop()
				arrived := tc.said - tc.lost
				if name == "it comes, and its answer does not" {
					arrived-- // of the first, the API server here has only said that it has it
				}
				if got, lost := s.arrived(t), int(s.failed.Load()); got != arrived || lost != tc.lost {
					t.Errorf("%d arrived and %d were counted, want %d and %d", got, lost, arrived, tc.lost)
				}
				if n := int(s.heard.Load()); n != tc.said {
					t.Errorf("%d were heard of %d", n, tc.said)
				}
				if log := s.logged(); strings.Count(log, "\n") != tc.lines || !strings.Contains(log, tc.says) {
					t.Errorf("want %d lines, one says %q:\n%s", tc.lines, tc.says, log)
				}
				time.Sleep(lossPause)
			})
		})
	}
}

// The same event on one object again and again is one that is counted up, then it is
// too much: that is counted, too. One whose first is gone is made anew.
func TestEventsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSaying(t, func(int, *corev1.Event) error { return nil })
		for range 20 {
			s.all(1)
		}
		synctest.Wait()
		if n := s.arrived(t); n != 20 {
			t.Errorf("%d arrived of 20", n)
		}
		list, err := s.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			t.Fatalf("%d events, %v", len(list.Items), err)
		}
		if err := s.client.CoreV1().Events("default").Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.all(1)
		synctest.Wait()
		if n := s.arrived(t); n != 21 {
			t.Errorf("made anew, it counts %d", n)
		}
		for range 79 {
			s.all(1)
		}
		synctest.Wait()
		if n := s.arrived(t) + int(s.failed.Load()); n != 100 || s.failed.Load() != 75 {
			t.Errorf("%d arrived or were counted, %d counted", n, s.failed.Load())
		}
		s.stop()
		time.Sleep(lossPause)
	})
}

// A process that stops gives the lease back within 10 s, although Kubernetes answers
// neither an event nor another write.
func TestEventsHoldNoLease(t *testing.T) {
	t.Parallel()
	settings := workSettings(parsed(t))
	for name, write := range map[string]time.Duration{"nothing else is written": 0, "a write takes all its time": settings.StopTimeout} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(quiet(t))
				defer cancel()
				f, lock, on := newFence()
				if err := lock.Create(ctx, ours); err != nil {
					t.Fatal(err)
				}
				silent := roundTripper(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
				client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://kubernetes", Transport: f.transport(silent)})
				if err != nil {
					t.Fatal(err)
				}
				lost := 0
				e := newEvents(client.CoreV1().Events(""), func() { lost++ }, func(*corev1.ObjectReference, string, string, string) {})
				e.losses.logger = klog.FromContext(ctx)
				over := make(chan struct{})
				go func() {
					e.run(ctx)
					close(over)
				}()
				e.Event(&corev1.ObjectReference{Kind: "Volume", Name: "v"}, corev1.EventTypeNormal, "VolumeHealthy", "")
				synctest.Wait()
				begun := time.Now()
				time.Sleep(write)
				e.drain()
				giving, giveUp := context.WithTimeout(ctx, 10*time.Second)
				defer giveUp()
				err = lock.Update(giving, nobody)
				if took := time.Since(begun); err != nil || took > 10*time.Second || on.holder() != "" {
					t.Errorf("it took %v, error %v, the lease is held by %q", took, err, on.holder())
				}
				cancel()
				<-over
				if lost != 1 {
					t.Errorf("%d events are counted as lost", lost)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// A process that stops hands over what it can for a moment, and counts the rest.
func TestEventsAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes   time.Duration // each
		arrived int
	}{
		"all can be handed over": {time.Millisecond, 100},
		"not all can":            {100 * time.Millisecond, 11},
		"none can":               {time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var ended atomic.Bool
				s := newSaying(t, func(int, *corev1.Event) error {
					for begun := time.Now(); time.Since(begun) < tc.takes; time.Sleep(time.Millisecond) {
						if ended.Load() && tc.takes == time.Hour {
							return context.Canceled
						}
					}
					return nil
				})
				s.all(100)
				begun := time.Now()
				s.drain()
				if took := time.Since(begun); took > lastEventMoment+20*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				ended.Store(true)
				s.stop()
				if got, lost := s.arrived(t), int(s.failed.Load()); got+lost != 100 || got < tc.arrived-1 || got > tc.arrived+1 {
					t.Errorf("%d arrived and %d were counted, want about %d", got, lost, tc.arrived)
				}
				time.Sleep(lossPause)
			})
		})
	}
}
