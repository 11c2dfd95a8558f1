#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Writes the images that a node of the dev cluster needs, for this machine's
# architecture: of the container that holds a Pod's network (bin/pause.tar), of the
# simulated StorageOS (bin/storageos-simulator.tar), and of the controller, as
# deploy names it (bin/controller.tar) and as a version after it
# (bin/controller-next.tar).

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0
arch=$(go env GOARCH)

go build -C hack/image -o ../../bin/image .

# image FOLDER PROGRAM TAG
image() {
	bin/image -dockerfile "$1/Dockerfile" -arch "$arch" -tag "$3" -file "/$2=bin/$2" -o "bin/$2.tar"
}
go build -C hack/devcluster -trimpath -ldflags '-s -w' -o ../../bin/ ./pause
image hack/devcluster/pause pause devcluster/pause:latest
go build -trimpath -ldflags '-s -w' -o bin/ ./hack/simulator/storageos-simulator
image hack/simulator storageos-simulator storageos/simulator:dev

controller=storageos/volume-sync-controller
shipped=$(sed -n 's/^ *newTag: *//p' deploy/kustomization.yaml)
for version in "$shipped" next; do
	VERSION=$version COMMIT=$(git rev-parse HEAD 2>/dev/null || echo unknown) hack/image.sh "$controller" "$arch"
	mv "bin/image-$arch.tar" "bin/controller-$version.tar"
done
mv "bin/controller-$shipped.tar" bin/controller.tar
