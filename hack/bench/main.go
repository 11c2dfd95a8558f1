// The bench measures the controller as a whole process, against a real control
// plane and a simulated StorageOS, beside what it is to be compared with, and
// prints a table. `make bench` builds what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// usualVolumes is the largest number of volumes unless said.
const usualVolumes = 10_000

func main() {
	o := options{}
	flag.IntVar(&o.volumes, "volumes", usualVolumes, "the largest `number` of volumes; 1,000 and 10,000 are measured too, if that is less")
	flag.BoolVar(&o.alone, "alone", false, "measure the largest number only")
	flag.BoolVar(&o.early, "early", false, "measure only what early reads bring and cost")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of devcluster and volume-sync-controller")
	flag.StringVar(&o.crd, "crd", "deploy/crd/api.storageos.com_volumes.yaml", "`file` of the CRD")
	flag.StringVar(&o.out, "o", "", "`file` to write the tables to as well")
	rival := flag.String("rival", "", "be what the controller is compared with: floor, decode or informers")
	var r rivalOptions
	flag.StringVar(&r.endpoint, "endpoint", "", "of StorageOS, for -rival floor and decode")
	flag.IntVar(&r.polls, "polls", 10, "for -rival floor and decode")
	flag.StringVar(&r.kubeconfig, "kubeconfig", "", "for -rival informers")
	stalls := flag.Bool("stalls", false, "only tell when the machine stood still, until the input ends")
	flag.Parse()

	runtime.LockOSThread() // what it starts dies with this thread
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := o.run
	if *rival != "" {
		run = func(ctx context.Context) error { return r.run(ctx, *rival) }
	}
	if *stalls {
		run = func(context.Context) error { return printStalls(os.Stdin, os.Stdout) }
	}
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
