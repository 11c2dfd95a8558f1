package main

import (
	"errors"
	"fmt"
	"strings"
)

// errNot is that the answer is no: something differs, or is not there.
var errNot = errors.New("no")

// errDiffers is not printed: what differs has been.
var errDiffers = fmt.Errorf("there are differences: %w", errNot)

func unknownHealth(h string) error {
	return fmt.Errorf("unknown health %q: use --health with one of %s", h, strings.Join(healths, ", "))
}

func notFound(names []string) error {
	return notFoundError("no volume is called " + strings.Join(names, ", ") +
		", nor does one have it as its ID, PersistentVolume or claim: see `kubectl storageos-volumes list`")
}

type notFoundError string

func (e notFoundError) Error() string { return string(e) }
func (e notFoundError) Unwrap() error { return errNot }
