package state

import (
	"strings"
	"unique"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
)

// Interned is a value that many objects of a cache have in common. It is kept once
// for all of them.
type Interned[T comparable] struct{ handle unique.Handle[T] }

func Intern[T comparable](value T) Interned[T] {
	var zero T
	if value == zero {
		return Interned[T]{}
	}
	return Interned[T]{unique.Make(value)}
}

func (s Interned[T]) Value() (value T) {
	if s == (Interned[T]{}) {
		return value
	}
	return s.handle.Value()
}

// Reuse makes texts that are known already take no memory of their own.
func Reuse(known string, texts ...*string) {
	for _, text := range texts {
		if *text == known {
			*text = known
		}
	}
}

// UID is a types.UID in fewer bytes: those of a UUID behind a NUL, as all are that
// the API server makes; any other text is kept as it is.
type UID string

const uidIsUUID = "\x00"

func PackUID(text types.UID) UID {
	if u, err := uuid.Parse(string(text)); err == nil && u.String() == string(text) {
		return UID(uidIsUUID + string(u[:]))
	}
	return UID(text)
}

func (u UID) Unpack() types.UID {
	raw, ok := strings.CutPrefix(string(u), uidIsUUID)
	if !ok {
		return types.UID(u)
	}
	return types.UID(uuid.UUID([]byte(raw)).String())
}
