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
certificates=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}

go build -C hack/image -o ../../bin/image .

# image FOLDER PROGRAM TAG
image() {
	bin/image -dockerfile "$1/Dockerfile" -arch "$arch" -tag "$3" -file "/$2=bin/$2" -o "bin/$2.tar"
}
go build -C hack/devcluster -ldflags '-s -w' -o ../../bin/ ./pause
image hack/devcluster/pause pause devcluster/pause:latest
go build -ldflags '-s -w' -o bin/ ./hack/simulator/storageos-simulator
image hack/simulator storageos-simulator storageos/simulator:dev

shipped=$(sed -n 's/^ *newTag: *//p' deploy/kustomization.yaml)
# controller VERSION FILE
controller() {
	make --no-print-directory build BIN=bin/node VERSION="$1"
	bin/image -arch "$arch" -tag "storageos/volume-sync-controller:$1" -o "$2" \
		-build-arg VERSION="$1" -file /src/bin/volume-sync-controller=bin/node/volume-sync-controller \
		-file /etc/ssl/certs/ca-certificates.crt="$certificates"
}
controller "$shipped" bin/controller.tar
controller next bin/controller-next.tar
