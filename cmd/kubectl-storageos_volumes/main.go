// kubectl-storageos_volumes is a kubectl plugin that shows the records of
// StorageOS volumes, what is orphaned, and whether records, PersistentVolumes and
// StorageOS agree.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // whatever a kubeconfig asks for
	"k8s.io/klog/v2"
)

// Exit codes.
const (
	exitOK    = 0
	exitNot   = 1 // there are differences, it is not safe, or a name is not there
	exitError = 2 // it cannot be told
)

// fewCollections is by how many percent memory may grow between two collections: most of what
// is read is needed to the end, which comes within seconds.
const fewCollections = 400

func main() {
	// What client-go and the client of StorageOS log is no answer to anybody's question: what
	// matters comes back as an error.
	klog.SetLogger(logr.Discard())
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(fewCollections)
	}
	os.Exit(run(os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}))
}

// run is the program without its end: it returns the exit code.
func run(args []string, streams genericiooptions.IOStreams) int {
	cmd := newCommand(streams)
	cmd.SetArgs(args)
	// Ctrl-C ends what runs; what was written for it is removed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return ended(ctx, cmd.ExecuteContext(ctx), streams.ErrOut)
}

// ended says what is left to be said of a command that has ended, and returns the exit code.
func ended(ctx context.Context, err error, stderr io.Writer) int {
	if code, ok := errors.AsType[said](err); ok {
		return int(code)
	}
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(stderr, "error:", err)
	if errors.Is(err, errNot) {
		return exitNot
	}
	return exitError
}
