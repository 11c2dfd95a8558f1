package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/record/util"
	"k8s.io/client-go/tools/reference"
	"k8s.io/klog/v2"
)

const (
	// maxEventsWaiting bounds the memory of events that Kubernetes has not taken yet.
	// It is more than a namespace of StorageOS has volumes, as a rule.
	maxEventsWaiting = 10_000
	// The pauses before an event is tried again: from the first to the longest,
	// doubling.
	firstEventPause, longestEventPause = time.Second, 10 * time.Second
	// maxEventTries is how often an event is tried that the API server answers with a
	// failure of its own: one event must not hold up all others for ever.
	maxEventTries = 12
	// lastEventMoment is for how long a process that stops still hands events over.
	lastEventMoment = time.Second
	// lossPause is how long losses are gathered into one line of the log.
	lossPause = 10 * time.Second
)

// said is an event that waits to be handed to Kubernetes.
type said struct {
	on                    *corev1.ObjectReference
	kind, reason, message string
	at                    time.Time
}

// events hands events to Kubernetes, one after the other, at the pace at which they
// are taken. client-go's own broadcaster keeps 1,000 and loses the rest without a
// word; here what is lost is counted and logged. What makes one event of many that
// are alike is client-go's.
type events struct {
	sink    typedcorev1.EventInterface
	dropped func() // counts one that was lost
	// heard is told of each event when it is said.
	heard      func(on *corev1.ObjectReference, kind, reason, message string)
	correlator *record.EventCorrelator
	most       int // how many may wait

	mu      sync.Mutex
	waiting []said
	busy    bool          // one was taken and has not been dealt with
	more    chan struct{} // something waits
	giveUp  func()        // ends the handing over; does nothing before run
	losses  losses
}

func newEvents(sink typedcorev1.EventInterface, dropped func(), heard func(on *corev1.ObjectReference, kind, reason, message string)) *events {
	return &events{
		sink: sink, dropped: dropped, heard: heard, more: make(chan struct{}, 1), giveUp: func() {},
		correlator: record.NewEventCorrelatorWithOptions(record.CorrelatorOptions{}),
		most:       maxEventsWaiting,
		losses:     losses{logger: klog.Background(), forbidden: map[string]bool{}},
	}
}

// Event never waits: what cannot be kept is lost, and counted.
func (e *events) Event(object runtime.Object, kind, reason, message string) {
	on, err := reference.GetReference(scheme.Scheme, object)
	if err != nil {
		e.lose(said{reason: reason}, fmt.Errorf("it is on no object: %w", err))
		return
	}
	if on.Kind != claimKind { // which repeats what was said of its volume
		e.heard(on, kind, reason, message)
	}
	s := said{on, kind, reason, message, time.Now()}
	e.mu.Lock()
	full := len(e.waiting) >= e.most
	if !full {
		e.waiting = append(e.waiting, s)
	}
	e.mu.Unlock()
	if full {
		e.lose(s, errTooManyEvents)
		return
	}
	select {
	case e.more <- struct{}{}:
	default: // it is known that something waits
	}
}

var (
	errTooManyEvents = errors.New("too many are waiting already")
	errSpam          = errors.New("there were too many on one object")
	errStopping      = errors.New("the process stops")
)

// next takes the oldest event that waits.
func (e *events) next() (said, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 {
		e.waiting, e.busy = nil, false // the memory is free again
		return said{}, false
	}
	s := e.waiting[0]
	e.waiting[0] = said{}
	e.waiting, e.busy = e.waiting[1:], true
	return s, true
}

// run hands events over until ctx ends or drain gives up. What is left then is lost, and counted.
func (e *events) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	e.giveUp = cancel
	e.mu.Unlock()
	for ctx.Err() == nil {
		s, ok := e.next()
		if !ok {
			select {
			case <-e.more:
			case <-ctx.Done():
			}
			continue
		}
		if err := e.hand(ctx, s); err != nil {
			e.lose(s, err)
		}
	}
	for {
		s, ok := e.next()
		if !ok {
			break
		}
		e.lose(s, errStopping)
	}
	e.losses.flush()
}

// drain waits for a moment until everything has been handed over, and then gives up, also
// what is on its way: after it nothing may be written any more, and the lease is not given
// back while a write waits for its answer.
func (e *events) drain() {
	for begun := time.Now(); time.Since(begun) < lastEventMoment; time.Sleep(10 * time.Millisecond) {
		e.mu.Lock()
		done := len(e.waiting) == 0 && !e.busy
		e.mu.Unlock()
		if done {
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.giveUp()
}

// hand hands one event over. It returns when Kubernetes has it, or why it never will.
func (e *events) hand(ctx context.Context, s said) error {
	result, err := e.correlator.EventCorrelate(s.event())
	switch {
	case err != nil:
		return err
	case result.Skip:
		return errSpam
	}
	pause, logged := firstEventPause, false
	for try := 1; ; try++ {
		err := e.write(ctx, result)
		if try > 1 && apierrors.IsAlreadyExists(err) {
			err = nil // it came before, only the answer did not
		}
		switch {
		case s.on.Kind == claimKind && namespaceGone(err):
			return nil // nobody is left who could read it
		case err == nil:
			if logged {
				klog.FromContext(ctx).Info("Events are taken again", "tries", try)
			}
			return nil
		case ctx.Err() != nil:
			return errStopping
		case !passes(err) || isStatus(err) && try >= maxEventTries:
			return err
		}
		if !logged {
			logged = true
			klog.FromContext(ctx).Error(err, "An event cannot be written, it will be tried again, and others wait")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errStopping
		}
		pause = min(2*pause, longestEventPause)
	}
}

// write writes an event, or that it has come again. Where the first is gone, it is
// made anew.
func (e *events) write(ctx context.Context, r *record.EventCorrelateResult) error {
	var is *corev1.Event
	var err error
	again := r.Event.Count > 1
	if again {
		is, err = e.sink.PatchWithEventNamespaceWithContext(ctx, r.Event, r.Patch)
	}
	if !again || util.IsKeyNotFoundError(err) {
		r.Event.ResourceVersion = "" // as a creation must have it
		is, err = e.sink.CreateWithEventNamespaceWithContext(ctx, r.Event)
	}
	if err == nil {
		e.correlator.UpdateState(is)
	}
	return err
}

// event is what Kubernetes is told.
func (s said) event() *corev1.Event {
	at := metav1.Time{Time: s.at}
	namespace := s.on.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: util.GenerateEventName(s.on.Name, s.at.UnixNano()), Namespace: namespace},
		InvolvedObject: *s.on,
		Type:           s.kind, Reason: s.reason, Message: s.message,
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
		Source:              corev1.EventSource{Component: component},
		ReportingController: component,
	}
}

const claimKind = "PersistentVolumeClaim"

// namespaceGone tells whether the namespace of an event has gone, or is about to.
func namespaceGone(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// passes tells whether a failure may pass: the API server is not there, or is busy.
func passes(err error) bool {
	if _, ok := errors.AsType[*rest.RequestConstructionError](err); ok {
		return false
	}
	return !isStatus(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsInternalError(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsUnauthorized(err)
}

// isStatus tells whether the API server itself has answered.
func isStatus(err error) bool {
	_, ok := errors.AsType[*apierrors.StatusError](err)
	return ok
}

// lose counts an event that is lost, and has it logged.
func (e *events) lose(s said, err error) {
	e.dropped()
	kind := ""
	if s.on != nil {
		kind = s.on.Kind
	}
	e.losses.add(kind, err)
}

// losses logs what was lost in few lines: one for all of a while, and one only where
// events on a kind of object are not permitted.
type losses struct {
	logger    klog.Logger
	mu        sync.Mutex
	n         int
	last      error
	forbidden map[string]bool // kinds of object of which that was said
}

func (l *losses) add(kind string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if apierrors.IsForbidden(err) {
		if !l.forbidden[kind] {
			l.forbidden[kind] = true
			l.logger.Error(err, "Events are not permitted: they are lost and counted, and this is not said again", "kind", kind)
		}
		return
	}
	l.last = err
	if l.n++; l.n == 1 {
		time.AfterFunc(lossPause, l.flush)
	}
}

// flush logs what was lost since it was last logged.
func (l *losses) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n > 0 {
		l.logger.Error(l.last, "Events are lost", "events", l.n)
		l.n = 0
	}
}
