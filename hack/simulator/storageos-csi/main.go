// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Command storageos-csi is the CSI driver of the simulated StorageOS: identity and
// controller services on a Unix socket, for the sidecar containers of Kubernetes
// that make and resize volumes. It works through the StorageOS API alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "storageos-csi:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	var usage strings.Builder
	flags := flag.NewFlagSet("storageos-csi", flag.ContinueOnError)
	flags.SetOutput(&usage) // a wrong flag is worth a line, not the whole usage
	socket := flags.String("socket", "", "`path` of the Unix socket to serve on")
	endpoint := flags.String("api-endpoint", "http://127.0.0.1:5705", "`URL` of the StorageOS API")
	secret := flags.String("api-secret-path", "", "`folder` with the files username and password")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(stdout, usage.String())
			return nil
		}
		return err
	}
	if *socket == "" {
		return errors.New("-socket: missing")
	}
	username, password, err := credentials(*secret)
	if err != nil {
		return fmt.Errorf("-api-secret-path: %w", err)
	}
	listener, err := listen(*socket)
	if err != nil {
		return fmt.Errorf("-socket: %w", err)
	}
	server := newServer(newClient(*endpoint, username, password))
	defer context.AfterFunc(ctx, server.GracefulStop)()
	_, _ = fmt.Fprintln(stdout, "storageos-csi: serving on", *socket)
	return server.Serve(listener)
}

// listen listens on a Unix socket, in the place of one that was left.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

func credentials(folder string) (username, password string, err error) {
	for name, value := range map[string]*string{"username": &username, "password": &password} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", "", err
		}
		*value = strings.TrimSpace(string(text))
	}
	return username, password, nil
}

// newServer makes a server of both services.
func newServer(c *client) *grpc.Server {
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, &identity{})
	csi.RegisterControllerServer(server, &controller{storageos: c})
	return server
}
