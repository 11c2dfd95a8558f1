// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ListVolumes lists the volumes of all namespaces, in the order of their handles.
// A token is the last handle of a page: it is good whatever comes and goes.
func (d *controller) ListVolumes(ctx context.Context, r *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	after := r.GetStartingToken()
	if after != "" && !strings.Contains(after, "/") {
		return nil, status.Error(codes.Aborted, "starting token: not one that was given")
	}
	if r.GetMaxEntries() < 0 {
		return nil, status.Error(codes.InvalidArgument, "max entries: negative")
	}
	namespaces, err := d.storageos.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	var entries []*csi.ListVolumesResponse_Entry
	for _, ns := range namespaces {
		volumes, err := d.storageos.volumes(ctx, ns.Id)
		if err != nil {
			return nil, err
		}
		for _, v := range volumes {
			if found := describe(v); found.VolumeId > after {
				entries = append(entries, &csi.ListVolumesResponse_Entry{Volume: found})
			}
		}
	}
	slices.SortFunc(entries, func(a, b *csi.ListVolumesResponse_Entry) int {
		return cmp.Compare(a.Volume.VolumeId, b.Volume.VolumeId)
	})
	next := ""
	if n := int(r.GetMaxEntries()); n > 0 && n < len(entries) {
		entries = entries[:n]
		next = entries[n-1].Volume.VolumeId
	}
	return &csi.ListVolumesResponse{Entries: entries, NextToken: next}, nil
}
