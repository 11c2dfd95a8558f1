package state

import "unique"

// Interned is a value that many objects of a cache have in common. It is kept once
// for all of them.
type Interned[T comparable] struct{ handle unique.Handle[T] }

// Intern returns the one copy of a value.
func Intern[T comparable](value T) Interned[T] {
	var zero T
	if value == zero {
		return Interned[T]{}
	}
	return Interned[T]{unique.Make(value)}
}

// Value is what was interned, or the zero value.
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
