// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

type options struct {
	listen         string
	username       string
	password       string
	volumes        int
	csi            int
	namespaces     int
	nodes          int
	nodeNames      []string // of more nodes
	tokenExpiry    time.Duration
	seed           uint64
	changeInterval time.Duration
	newerServer    bool
}

// parse reads the flags. Its error is one line that names the flag, or
// flag.ErrHelp after the usage went to output.
func parse(args []string, output io.Writer) (options, error) {
	var o options
	var usage bytes.Buffer
	flags := flag.NewFlagSet("storageos-simulator", flag.ContinueOnError)
	flags.SetOutput(&usage) // a wrong flag is worth a line, not the whole usage
	flags.StringVar(&o.listen, "listen", "127.0.0.1:5705", "address to listen on; it has no protection, so keep it on loopback")
	flags.StringVar(&o.username, "username", simulator.DefaultUsername, "the only user who can log in")
	flags.StringVar(&o.password, "password", simulator.DefaultPassword, "that user's password")
	flags.IntVar(&o.volumes, "volumes", 20, "number of volumes at the start")
	flags.IntVar(&o.csi, "csi", -1, "how many of the volumes look as if the CSI driver had made them; -1: all")
	flags.IntVar(&o.namespaces, "namespaces", 2, "number of namespaces at the start")
	flags.IntVar(&o.nodes, "nodes", 3, "number of nodes at the start, which are called node-01 and so on; those of -node are counted first")
	flags.Func("node", "`name` of one more node, the first of all; may be said more than once", func(name string) error {
		if name == "" {
			return errors.New("empty")
		}
		o.nodeNames = append(o.nodeNames, name)
		return nil
	})
	flags.DurationVar(&o.tokenExpiry, "token-expiry", simulator.DefaultTokenExpiry, "life of a token")
	flags.Uint64Var(&o.seed, "seed", 1, "start of the generator of IDs: the same seed makes the same cluster")
	flags.DurationVar(&o.changeInterval, "change-interval", 0, "how often some volumes change by themselves; 0: never")
	flags.BoolVar(&o.newerServer, "newer-server", false, "send the fields that servers from 2.6 on have")

	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = usage.WriteTo(output)
		}
		return options{}, err
	}
	return o, o.validate(flags.Args())
}

func (o options) validate(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", strings.Join(rest, " "))
	}
	for _, number := range []struct {
		flag       string
		value, min int
	}{
		{"-volumes", o.volumes, 0}, {"-csi", o.csi, -1}, {"-namespaces", o.namespaces, 0}, {"-nodes", o.nodes, 0},
	} {
		if number.value < number.min {
			return fmt.Errorf("%s %d: less than %d", number.flag, number.value, number.min)
		}
	}
	switch {
	case o.csi > o.volumes:
		return fmt.Errorf("-csi %d: more than -volumes %d", o.csi, o.volumes)
	case o.username == "":
		return errors.New("-username: empty")
	case o.password == "":
		return errors.New("-password: empty")
	case o.tokenExpiry < time.Second:
		return fmt.Errorf("-token-expiry %s: less than a second, in which the API counts", o.tokenExpiry)
	case o.changeInterval < 0:
		return fmt.Errorf("-change-interval %s: negative", o.changeInterval)
	}
	return nil
}
