#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Writes the image for each architecture as bin/image-ARCH.tar, or into $OUT, without a Docker
# engine. If there is one, it is asked to build the same image too.
#
# Usage: VERSION=v1.2.3 COMMIT=0123abc hack/image.sh IMAGE ARCH...
#
# The CAs in the image are those of this machine, $CA_BUNDLE.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=$1
shift
certificates=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
[ -r "$certificates" ] || {
	echo "image: $certificates cannot be read: install ca-certificates, or say by CA_BUNDLE where the CAs are" >&2
	exit 1
}
# The time of the commit is that of the image: building it again gives the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# As in the Dockerfile: COMMIT says all.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

go build -C hack/image -o ../../bin/image .
out=${OUT:-bin}
for arch; do
	GOOS=linux GOARCH=$arch make --no-print-directory build BIN="bin/linux-$arch"
	bin/image -arch "$arch" -tag "$image:$VERSION" -o "$out/image-$arch.tar" \
		-build-arg VERSION="$VERSION" -build-arg COMMIT="$COMMIT" \
		-file /src/bin/volume-sync-controller="bin/linux-$arch/volume-sync-controller" \
		-file /etc/ssl/certs/ca-certificates.crt="$certificates"
	echo "image: $out/image-$arch.tar is $image:$VERSION for linux/$arch"
done

if docker info >/dev/null 2>&1; then
	platforms=$(printf ',linux/%s' "$@")
	docker buildx build --platform "${platforms#,}" --build-arg VERSION="$VERSION" --build-arg COMMIT="$COMMIT" -t "$image:$VERSION" .
else
	echo 'image: there is no Docker engine, so the Dockerfile itself was not built'
fi
