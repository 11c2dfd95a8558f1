package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// errNot is that the answer is no: something differs, or is not there.
var errNot = errors.New("no")

// said is an answer that has been printed: only its exit code is left to give.
type said int

func (s said) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

func unknownHealth(h string) error {
	return fmt.Errorf("unknown health %q: use --health with one of %s", h, strings.Join(healths, ", "))
}

// noNames is for a command that is about everything.
func noNames(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no names, and %q is one: see `kubectl storageos-volumes list NAME`", cmd.Name(), args[0])
	}
	return nil
}

// notFound says that nothing has these names, of what claims in a namespace use if one is given.
func notFound(names []string, namespace string) error {
	volume := "volume"
	if namespace != "" {
		volume += " of a claim in namespace " + namespace
	}
	return notFoundError("no " + volume + " is called " + strings.Join(names, ", ") +
		", nor does one have it as its ID, PersistentVolume or claim: see `kubectl storageos-volumes list`, and `orphans` for a claim whose volume is not there")
}

type notFoundError string

func (e notFoundError) Error() string { return string(e) }
func (e notFoundError) Unwrap() error { return errNot }
