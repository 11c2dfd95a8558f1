package controller

import (
	"strings"
	"unique"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
)

// shared is a value that many objects of a cache have in common. It is kept once
// for all of them.
type shared[T comparable] struct{ handle unique.Handle[T] }

func share[T comparable](value T) shared[T] {
	var zero T
	if value == zero {
		return shared[T]{}
	}
	return shared[T]{unique.Make(value)}
}

func (s shared[T]) get() (value T) {
	if s == (shared[T]{}) {
		return value
	}
	return s.handle.Value()
}

// reuse makes texts that are known already take no memory of their own.
func reuse(known string, texts ...*string) {
	for _, text := range texts {
		if *text == known {
			*text = known
		}
	}
}

// uid is a types.UID in fewer bytes: those of a UUID behind a NUL, as all are that
// the API server makes; any other text is kept as it is.
type uid string

const uidIsUUID = "\x00"

func packUID(text types.UID) uid {
	if u, err := uuid.Parse(string(text)); err == nil && u.String() == string(text) {
		return uid(uidIsUUID + string(u[:]))
	}
	return uid(text)
}

func (u uid) unpack() types.UID {
	raw, ok := strings.CutPrefix(string(u), uidIsUUID)
	if !ok {
		return types.UID(u)
	}
	return types.UID(uuid.UUID([]byte(raw)).String())
}
