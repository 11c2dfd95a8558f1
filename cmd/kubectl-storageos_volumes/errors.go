package main

import (
	"errors"
	"fmt"
	"strings"
)

// errDiffers is not printed: what differs has been.
var errDiffers = errors.New("there are differences")

func unknownHealth(h string) error {
	return fmt.Errorf("unknown health %q: use --health with one of %s", h, strings.Join(healths, ", "))
}

func notFound(names []string) error {
	return fmt.Errorf("no volume is called %s, nor does one have it as its ID, PersistentVolume or claim: see `kubectl storageos-volumes list`", strings.Join(names, ", "))
}
