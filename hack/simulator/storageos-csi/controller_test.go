// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// request asks for a volume as the provisioner does, with --extra-create-metadata.
func request(name string, change func(*csi.CreateVolumeRequest)) *csi.CreateVolumeRequest {
	r := &csi.CreateVolumeRequest{
		Name:          name,
		CapacityRange: &csi.CapacityRange{RequiredBytes: 2 << 30},
		VolumeCapabilities: []*csi.VolumeCapability{{
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "xfs"}},
		}},
		Parameters: map[string]string{
			simulator.LabelPVName: name, simulator.LabelPVCName: "data", simulator.LabelPVCNamespace: "shop",
			simulator.LabelReplicas: "1",
		},
	}
	if change != nil {
		change(r)
	}
	return r
}

// A claim's volume is made in the namespace of the claim, with all that the
// request says of it.
func TestCreateVolume(t *testing.T) {
	t.Parallel()
	d := start(t)
	r := request("pvc-1", nil)
	made, err := d.CreateVolume(t.Context(), r)
	must(t, err)
	namespaces := d.sim.Namespaces()
	if len(namespaces) != 1 || namespaces[0].Name != "shop" {
		t.Fatalf("namespaces %+v", namespaces)
	}
	namespaceID, id, _ := strings.Cut(made.GetVolume().GetVolumeId(), "/")
	v, err := d.sim.Volume(namespaceID, id)
	must(t, err)
	if v.NamespaceID != namespaces[0].ID || v.Name != "pvc-1" || v.SizeBytes != 2<<30 || v.FSType != "xfs" || len(v.Replicas) != 1 {
		t.Errorf("volume %+v", v)
	}
	if !maps.Equal(v.Labels, r.GetParameters()) || !maps.Equal(made.GetVolume().GetVolumeContext(), r.GetParameters()) {
		t.Errorf("labels %v, context %v, want %v", v.Labels, made.GetVolume().GetVolumeContext(), r.GetParameters())
	}
	again, err := d.CreateVolume(t.Context(), r)
	must(t, err)
	if again.GetVolume().GetVolumeId() != made.GetVolume().GetVolumeId() {
		t.Errorf("asked for again it is %s, not %s", again.GetVolume(), made.GetVolume())
	}
}

func TestCreateVolumeVariants(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*csi.CreateVolumeRequest)
		code   codes.Code
		check  func(simulator.Volume) bool
	}{
		"no namespace": {
			func(r *csi.CreateVolumeRequest) { r.Parameters = nil }, codes.OK,
			func(v simulator.Volume) bool { return len(v.Labels) == 0 },
		},
		"no file system": {
			func(r *csi.CreateVolumeRequest) { r.VolumeCapabilities[0].GetMount().FsType = "" }, codes.OK,
			func(v simulator.Volume) bool { return v.FSType == "ext4" },
		},
		"a block device": {
			func(r *csi.CreateVolumeRequest) {
				r.VolumeCapabilities[0].AccessType = &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}}
			}, codes.OK,
			func(v simulator.Volume) bool { return v.FSType == "block" },
		},
		"no size": {
			func(r *csi.CreateVolumeRequest) { r.CapacityRange = nil }, codes.OK,
			func(v simulator.Volume) bool { return v.SizeBytes == 5<<30 },
		},
		"only a limit": {
			func(r *csi.CreateVolumeRequest) { r.CapacityRange = &csi.CapacityRange{LimitBytes: 3 << 30} }, codes.OK,
			func(v simulator.Volume) bool { return v.SizeBytes == 3<<30 },
		},
		"an impossible size": {
			func(r *csi.CreateVolumeRequest) {
				r.CapacityRange = &csi.CapacityRange{RequiredBytes: 3 << 30, LimitBytes: 2 << 30}
			}, codes.OutOfRange, nil,
		},
		"too many replicas": {
			func(r *csi.CreateVolumeRequest) { r.Parameters[simulator.LabelReplicas] = "9" }, codes.InvalidArgument, nil,
		},
		"a file system that StorageOS does not know": {
			func(r *csi.CreateVolumeRequest) { r.VolumeCapabilities[0].GetMount().FsType = "fat" }, codes.InvalidArgument, nil,
		},
		"a source": {
			func(r *csi.CreateVolumeRequest) { r.VolumeContentSource = &csi.VolumeContentSource{} }, codes.InvalidArgument, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			made, err := d.CreateVolume(t.Context(), request("pvc-1", test.change))
			if status.Code(err) != test.code {
				t.Fatalf("%v, want %v", err, test.code)
			}
			if test.check == nil {
				return
			}
			namespaceID, id, _ := strings.Cut(made.GetVolume().GetVolumeId(), "/")
			v, err := d.sim.Volume(namespaceID, id)
			must(t, err)
			if !test.check(v) {
				t.Errorf("volume %+v", v)
			}
		})
	}
}

// Many first claims of a namespace make it once.
func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	d := start(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			// Each name is asked for many times, as by a provisioner that was
			// started again.
			if _, err := d.CreateVolume(t.Context(), request("pvc-1", nil)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	namespaces := d.sim.Namespaces()
	if len(namespaces) != 1 || len(d.sim.Volumes(namespaces[0].ID)) != 1 {
		t.Errorf("%d namespaces, %d volumes", len(namespaces), len(d.sim.Volumes(namespaces[0].ID)))
	}
	if n := d.sim.Stats().Requests[simulator.CallLogin]; n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestDeleteAndExpand(t *testing.T) {
	t.Parallel()
	d := start(t)
	made, err := d.CreateVolume(t.Context(), request("pvc-1", nil))
	must(t, err)
	handle := made.GetVolume().GetVolumeId()
	namespaceID, id, _ := strings.Cut(handle, "/")

	for _, test := range []struct {
		gib, want int64
	}{{3, 3}, {3, 3}, {2, 3}} {
		got, err := d.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{
			VolumeId: handle, CapacityRange: &csi.CapacityRange{RequiredBytes: test.gib << 30},
		})
		must(t, err)
		v, err := d.sim.Volume(namespaceID, id)
		must(t, err)
		if got.GetCapacityBytes() != test.want<<30 || v.SizeBytes != uint64(test.want)<<30 || got.GetNodeExpansionRequired() {
			t.Errorf("expanded to %d GiB: %v, volume of %d bytes", test.gib, got, v.SizeBytes)
		}
	}

	attach := func(node string) {
		must(t, d.sim.UpdateVolume(namespaceID, id, func(v *simulator.Volume) { v.AttachedOn = node }))
	}
	attach(d.sim.Nodes()[0].ID)
	if _, err := d.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: handle}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("deleted while in use: %v", err)
	}
	attach("")
	for range 2 {
		if _, err := d.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: handle}); err != nil {
			t.Error(err)
		}
	}
	if n := len(d.sim.Volumes(namespaceID)); n != 0 {
		t.Errorf("%d volumes are left", n)
	}
}

// What StorageOS answers becomes a code that the provisioner understands; a token
// that has expired is nobody's trouble.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		effect simulator.Effect
		count  int
		want   codes.Code
	}{
		"one token is refused": {simulator.Status(401, "expired"), 1, codes.OK},
		"each token is":        {simulator.Status(401, "no"), simulator.Always, codes.Unauthenticated},
		"no rights":            {simulator.Status(403, "no"), simulator.Always, codes.PermissionDenied},
		"no store":             {simulator.Status(503, "no"), simulator.Always, codes.Unavailable},
		"no space":             {simulator.Status(507, "no"), simulator.Always, codes.ResourceExhausted},
		"a fault":              {simulator.Status(500, "no"), simulator.Always, codes.Internal},
		"no answer":            {simulator.Disconnect(), simulator.Always, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			d.sim.AddFault(simulator.Fault{
				Match: simulator.Match{Call: simulator.CallCreateVolume}, Effect: test.effect, Count: test.count,
			})
			if _, err := d.CreateVolume(t.Context(), request("pvc-1", nil)); status.Code(err) != test.want {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// Pages hold what is there, whatever comes and goes between them.
func TestListVolumes(t *testing.T) {
	t.Parallel()
	d := start(t)
	made := d.sim.Fill(simulator.FillOptions{Namespaces: 3, Volumes: 10, CSI: -1})
	seen := map[string]bool{}
	token, pages := "", 0
	for pages == 0 || token != "" {
		page, err := d.ListVolumes(t.Context(), &csi.ListVolumesRequest{MaxEntries: 4, StartingToken: token})
		must(t, err)
		for _, e := range page.GetEntries() {
			seen[e.GetVolume().GetVolumeId()] = true
		}
		token = page.GetNextToken()
		if namespaceID, id, ok := strings.Cut(token, "/"); ok { // the last of the page
			must(t, d.sim.RemoveVolume(namespaceID, id))
		}
		pages++
	}
	for _, f := range made {
		if !seen[f.Handle()] {
			t.Errorf("%s was not listed", f.Handle())
		}
	}
	if pages != 3 || len(seen) != len(made) {
		t.Errorf("%d pages, %d volumes", pages, len(seen))
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                                 "-socket",
		"-socket x -api-secret-path /none": "-api-secret-path",
		"-socket /none/x":                  "-api-secret-path",
		"-nonsense":                        "-nonsense",
	} {
		if err := run(t.Context(), strings.Fields(args), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}
