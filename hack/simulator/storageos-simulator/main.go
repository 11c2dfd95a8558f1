// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Command storageos-simulator runs the StorageOS simulator as a program: the
// API under /v2, and under /sim the calls that change the simulated cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for flags that make no sense, 1 if the simulator
// cannot listen, 0 once it was asked to stop.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "storageos-simulator: %v\n", err)
		return 2
	}

	sim := simulator.New(simulator.Options{
		Username: o.username, Password: o.password, TokenExpiry: o.tokenExpiry,
		Seed: o.seed, NewerServer: o.newerServer,
	})
	for _, name := range o.nodeNames {
		sim.AddNode(name)
	}
	sim.Fill(simulator.FillOptions{Namespaces: o.namespaces, Nodes: o.nodes, Volumes: o.volumes, CSI: o.csi})

	mux := http.NewServeMux()
	mux.Handle("/sim/", sim.AdminHandler())
	mux.Handle("/", sim)
	url, err := sim.StartHandler(o.listen, mux)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "storageos-simulator: -listen: %v\n", err)
		return 1
	}
	defer sim.Close()
	_, _ = fmt.Fprintf(stdout, "StorageOS simulator on %s: cluster %s, %d nodes, %d namespaces, %d volumes\n",
		url, sim.ClusterID(), len(sim.Nodes()), len(sim.Namespaces()), o.volumes)

	change(ctx, sim, o.changeInterval)
	return 0
}

// change changes a few volumes at every interval, until the context ends.
func change(ctx context.Context, sim *simulator.Simulator, interval time.Duration) {
	if interval == 0 {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			sim.Change(3)
		}
	}
}
