// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// driver is one that runs as the program does, and its StorageOS.
type driver struct {
	csi.ControllerClient
	sim    *simulator.Simulator
	socket string
}

func start(t *testing.T) *driver {
	t.Helper()
	d := &driver{socket: socketPath(t)}
	var endpoint string
	d.sim, endpoint = startStorageOS(t)
	dir := t.TempDir()
	for _, name := range []string{"username", "password"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("storageos\n"), 0o600))
	}
	must(t, os.WriteFile(d.socket, nil, 0o600)) // of a driver before

	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-socket", d.socket, "-api-endpoint", endpoint, "-api-secret-path", dir}, writer)
		_ = writer.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the driver ended with %v", err)
		}
	})
	_, err := bufio.NewReader(reader).ReadString('\n') // it serves
	must(t, err)
	connection, err := grpc.NewClient("unix:"+d.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	d.ControllerClient = csi.NewControllerClient(connection)
	return d
}

func startStorageOS(t *testing.T) (sim *simulator.Simulator, endpoint string) {
	t.Helper()
	sim = simulator.New(simulator.Options{})
	endpoint, err := sim.Start("127.0.0.1:0")
	must(t, err)
	t.Cleanup(sim.Close)
	sim.AddNode("node-01")
	sim.AddNode("node-02")
	return sim, endpoint
}

// socketPath is short, unlike one in t.TempDir: 107 characters are allowed.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "csi")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "socket")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
