// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Package simulator is an HTTP server that speaks the part of the StorageOS v2
// API that the controller and a CSI driver use: login and refresh, cluster, nodes,
// listing and making namespaces, and listing, getting, making, resizing and
// deleting volumes.
//
// It exists so that tests and demonstrations can have a StorageOS cluster of
// any size, in any state, that fails in any way, without one. Its answers are
// checked against the OpenAPI file that ships in github.com/storageos/go-api/v2
// by the tests of the nested module in the folder conformance; that file is the
// source of every shape and status code here.
//
// A test usually does
//
//	sim := simulator.New(simulator.Options{})
//	url, err := sim.Start("127.0.0.1:0")
//	...
//	defer sim.Close()
//	made := sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 3, Volumes: 20, CSI: 20})
//	remove := sim.AddFault(simulator.Fault{
//		Match:  simulator.Match{Call: simulator.CallVolumes},
//		Effect: simulator.Status(503, "store unavailable"),
//		Count:  2,
//	})
//
// Everything exported may be used by many goroutines at once.
package simulator
