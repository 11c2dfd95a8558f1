package controller

import (
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// Reasons of the events. Each is said once per transition and has a metric beside it: see
// package policy for which.
const (
	EventMissing      = policy.EventMissing
	EventFound        = policy.EventFound
	EventDegraded     = policy.EventDegraded
	EventOffline      = policy.EventOffline
	EventHealthy      = policy.EventHealthy
	EventUnclaimed    = policy.EventUnclaimed
	EventNameConflict = policy.EventNameConflict
	EventHeld         = policy.EventHeld
	EventResumed      = policy.EventResumed
	EventInvalid      = policy.EventInvalid
)

// EventRecorder is the part of client-go's event recorder that is used.
type EventRecorder interface {
	Event(object runtime.Object, eventtype, reason, message string)
}

// sayOf says something of a volume, to its claim as well if that is wanted.
func (r *Reconciler) sayOf(volumeID string, events ...policy.Event) {
	r.say(events...)
	if !r.settings.ClaimEvents || len(events) == 0 {
		return
	}
	if pv := r.caches.PVOf(volumeID); pv != nil {
		r.say(policy.OnClaim(pv, events)...)
	}
}

// say says each as a sentence.
func (r *Reconciler) say(events ...policy.Event) {
	for _, e := range events {
		r.events.Event(e.On, e.Kind, e.Reason, capitalized(e.Message))
	}
}

func capitalized(text string) string {
	first, n := utf8.DecodeRuneInString(text)
	if first == utf8.RuneError {
		return text // there is nothing, or no character
	}
	return string(unicode.ToUpper(first)) + text[n:]
}
