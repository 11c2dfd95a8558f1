// Package app is the process around the controller: flags, wiring, election,
// HTTP, exit codes.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/version"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // could not go on: the lease was lost, a port is taken
	exitUsage = 2 // a flag makes no sense
)

// Main is the program without its end: it returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "volume-sync-controller:", oneLine(err))
		return exitUsage
	case o.version:
		fmt.Fprintln(stdout, version.String())
		return exitOK
	}
	setLogger(o.loggingFormat, stderr)
	spareMemory()

	defer klog.StopFlushDaemon() // flushes files, if klog writes any
	ctx, stop := untilSignal()
	defer stop()

	s, err := newServer(o)
	if err != nil {
		fmt.Fprintln(stderr, "volume-sync-controller:", oneLine(err))
		if errors.As(err, new(*flagError)) {
			return exitUsage
		}
		return exitError
	}
	if err := s.run(ctx); err != nil {
		klog.FromContext(ctx).Error(err, "Stopped")
		return exitError
	}
	return exitOK
}

// oneLine is the text of an error, which may quote a path with any character, as one line.
func oneLine(err error) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, err.Error())
}

// untilSignal returns a context that ends when the process is asked to stop. By
// then signals have their usual effect again: a second one ends the process at
// once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}
