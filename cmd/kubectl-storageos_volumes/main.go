// kubectl-storageos_volumes is a kubectl plugin that shows the records of
// StorageOS volumes, what is orphaned, and whether records, PersistentVolumes and
// StorageOS agree.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Exit codes.
const (
	exitOK      = 0
	exitDiffers = 1 // verify has found differences
	exitError   = 2 // it cannot be told
)

func main() {
	os.Exit(run(os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}))
}

// run is the program without its end: it returns the exit code.
func run(args []string, streams genericiooptions.IOStreams) int {
	cmd := newCommand(streams)
	cmd.SetArgs(args)
	// Ctrl-C ends what runs; what was written for it is removed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := cmd.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errDiffers):
		return exitDiffers
	default:
		fmt.Fprintln(streams.ErrOut, "error:", err)
		return exitError
	}
}
