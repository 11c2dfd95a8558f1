// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"context"
	"flag"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// The driver is what the CSI community's own tests want of one, as far as it goes:
// nothing is mounted, so there is no node service.
func TestSanity(t *testing.T) {
	if count := flag.Lookup("test.count").Value.String(); count != "1" {
		t.Skip("Ginkgo runs a suite once: -count=" + count)
	}
	sim, endpoint := startStorageOS(t)
	server := newServer(newClient(endpoint, simulator.DefaultUsername, simulator.DefaultPassword))
	csi.RegisterNodeServer(server, noNode{})
	listener, err := listen(socketPath(t))
	must(t, err)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	config := sanity.NewTestConfig()
	config.Address = listener.Addr().String()
	config.TargetPath, config.StagingPath = t.TempDir()+"/mount", t.TempDir()+"/staging"
	suiteContext := sanity.GinkgoTest(&config)
	defer suiteContext.Finalize()

	passed := 0
	ginkgo.ReportAfterSuite("count", func(report ginkgo.Report) {
		passed = report.SpecReports.CountWithState(types.SpecStatePassed)
	})
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.SkipStrings = []string{"Node Service"}
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "CSI", suite, reporter)
	// It leaves out what a driver says that it cannot do: this one can do so much.
	const want = 24
	if passed != want {
		t.Errorf("%d tests have passed, want %d", passed, want)
	}
	for _, ns := range sim.Namespaces() {
		if n := len(sim.Volumes(ns.ID)); n != 0 {
			t.Errorf("%d volumes are left", n)
		}
	}
}

// noNode is what each test calls when it cleans up: nothing was mounted.
type noNode struct{ csi.UnimplementedNodeServer }

func (noNode) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (noNode) NodeUnpublishVolume(context.Context, *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
