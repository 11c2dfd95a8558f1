// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	api "github.com/storageos/go-api/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// labelNamespace is the label, and the parameter of the provisioner, that names
// the namespace of the claim.
const labelNamespace = "csi.storage.k8s.io/pvc/namespace"

const (
	defaultNamespace = "default" // of a volume for which there is no claim
	defaultSize      = 5 << 30
	defaultFSType    = "ext4"
)

// controller makes, deletes, resizes and lists volumes.
type controller struct {
	csi.UnimplementedControllerServer
	storageos *client
}

// ControllerGetCapabilities implements csi.ControllerServer.
func (*controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	var all []*csi.ControllerServiceCapability
	for _, c := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
	} {
		all = append(all, &csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{
			Rpc: &csi.ControllerServiceCapability_RPC{Type: c},
		}})
	}
	return &csi.ControllerGetCapabilitiesResponse{Capabilities: all}, nil
}

// CreateVolume makes a volume in the StorageOS namespace of the claim's name. All
// parameters become labels: those of the storage class, and the three that name
// the claim and the PersistentVolume.
func (d *controller) CreateVolume(ctx context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	fsType, err := fileSystem(r.GetVolumeCapabilities())
	switch {
	case r.GetName() == "":
		return nil, status.Error(codes.InvalidArgument, "name: missing")
	case err != nil:
		return nil, err
	case r.GetVolumeContentSource() != nil:
		return nil, status.Error(codes.InvalidArgument, "volume content source: not supported")
	}
	size, err := sizeOf(r.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	namespaceID, err := d.storageos.namespace(ctx, cmp.Or(r.GetParameters()[labelNamespace], defaultNamespace))
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(r.GetName()) // of a PersistentVolume it is in lower case already
	v, err := d.storageos.create(ctx, api.CreateVolumeData{
		NamespaceID: namespaceID, Name: name, Labels: r.GetParameters(), FsType: api.FsType(fsType), SizeBytes: size,
	})
	if status.Code(err) == codes.AlreadyExists {
		v, err = d.existing(ctx, namespaceID, name, r.GetCapacityRange())
	}
	if err != nil {
		return nil, err
	}
	made := describe(v)
	made.VolumeContext = r.GetParameters()
	return &csi.CreateVolumeResponse{Volume: made}, nil
}

// existing finds the volume that was made before, if it is what is asked for.
func (d *controller) existing(ctx context.Context, namespaceID, name string, size *csi.CapacityRange) (api.Volume, error) {
	list, err := d.storageos.volumes(ctx, namespaceID)
	if err != nil {
		return api.Volume{}, err
	}
	for _, v := range list {
		if v.Name != name {
			continue
		}
		has := int64(v.SizeBytes)
		if has < size.GetRequiredBytes() || size.GetLimitBytes() > 0 && has > size.GetLimitBytes() {
			return v, status.Errorf(codes.AlreadyExists, "volume %s has another size", name)
		}
		return v, nil
	}
	return api.Volume{}, status.Errorf(codes.Aborted, "volume %s was deleted meanwhile", name)
}

// DeleteVolume implements csi.ControllerServer.
func (d *controller) DeleteVolume(ctx context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if r.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "volume ID: missing")
	}
	namespaceID, id, ok := strings.Cut(r.GetVolumeId(), "/")
	if !ok {
		return &csi.DeleteVolumeResponse{}, nil // it was never one of ours
	}
	switch err := d.storageos.remove(ctx, namespaceID, id); status.Code(err) {
	case codes.OK, codes.NotFound:
		return &csi.DeleteVolumeResponse{}, nil
	case codes.AlreadyExists: // what a conflict means elsewhere
		return nil, status.Error(codes.FailedPrecondition, "the volume is in use")
	default:
		return nil, err
	}
}

// ControllerExpandVolume implements csi.ControllerServer.
func (d *controller) ControllerExpandVolume(ctx context.Context, r *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if r.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "capacity range: missing")
	}
	size, err := sizeOf(r.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	v, err := d.find(ctx, r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if size > v.SizeBytes {
		if err := d.storageos.resize(ctx, v, size); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: int64(max(size, v.SizeBytes))}, nil
}

// ValidateVolumeCapabilities implements csi.ControllerServer.
func (d *controller) ValidateVolumeCapabilities(ctx context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if _, err := fileSystem(r.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	if _, err := d.find(ctx, r.GetVolumeId()); err != nil {
		return nil, err
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext: r.GetVolumeContext(), VolumeCapabilities: r.GetVolumeCapabilities(), Parameters: r.GetParameters(),
	}}, nil
}

// find returns the volume of a handle.
func (d *controller) find(ctx context.Context, handle string) (api.Volume, error) {
	if handle == "" {
		return api.Volume{}, status.Error(codes.InvalidArgument, "volume ID: missing")
	}
	namespaceID, id, ok := strings.Cut(handle, "/")
	if !ok {
		return api.Volume{}, status.Error(codes.NotFound, "volume ID: not <namespace ID>/<volume ID>")
	}
	return d.storageos.volume(ctx, namespaceID, id)
}

func describe(v api.Volume) *csi.Volume {
	return &csi.Volume{VolumeId: v.NamespaceID + "/" + v.Id, CapacityBytes: int64(v.SizeBytes)}
}

// fileSystem is the file system that capabilities ask for.
func fileSystem(capabilities []*csi.VolumeCapability) (string, error) {
	if len(capabilities) == 0 {
		return "", status.Error(codes.InvalidArgument, "volume capabilities: missing")
	}
	fsType := ""
	for _, c := range capabilities {
		if c.GetBlock() != nil {
			return "block", nil
		}
		fsType = cmp.Or(fsType, c.GetMount().GetFsType())
	}
	return cmp.Or(fsType, defaultFSType), nil
}

// sizeOf is the size to make: what is required, else what is allowed.
func sizeOf(r *csi.CapacityRange) (uint64, error) {
	required, limit := r.GetRequiredBytes(), r.GetLimitBytes()
	if required < 0 || limit < 0 || limit > 0 && required > limit {
		return 0, status.Error(codes.OutOfRange, "capacity range: impossible")
	}
	if required > 0 {
		return uint64(required), nil
	}
	if limit > 0 {
		return uint64(min(limit, defaultSize)), nil
	}
	return defaultSize, nil
}
