#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes what a release consists of in bin/release, and checks it:
#
#   image-ARCH.tar       the image for each architecture
#   sbom-ARCH.json       what is in its binary (CycloneDX)
#   licences/            the licence of each dependency, licences.csv an overview
#   *.tgz                the chart
#   SHA256SUMS
#
# Usage: VERSION=v1.2.3 COMMIT=0123abc hack/release.sh IMAGE

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GOWORK=off
out=bin/release
rm -rf "$out"
mkdir -p "$out"

tool() { go tool -modfile=hack/tools/release/go.mod "$@"; }
say() { echo "release: $*"; }

say 'go.mod is tidy, the modules are as they were published'
go mod tidy -diff
go mod verify

say 'the manifests, the chart and the tag name one version'
deployed=$(sed -n 's/^ *newTag: *//p' deploy/kustomization.yaml)
charted=$(sed -n 's/^appVersion: *//p' deploy/chart/Chart.yaml)
[ "$deployed" = "$charted" ] || { say "deploy names $deployed, the chart $charted" >&2; exit 1; }
tagged=$(git tag --points-at HEAD 2>/dev/null | grep '^v' || true)
[ -z "$tagged" ] || [ "$tagged" = "$deployed" ] || { say "the commit is $tagged, the manifests deploy $deployed" >&2; exit 1; }

say 'licences'
# What an image that contains the dependencies may be given away under.
tool go-licenses check ./cmd/volume-sync-controller \
	--allowed_licenses=Apache-2.0,BSD-2-Clause,BSD-3-Clause,ISC,MIT 2>"$out/licences.log" || {
	cat "$out/licences.log" >&2
	exit 1
}
tool go-licenses report ./cmd/volume-sync-controller >"$out/licences.csv" 2>>"$out/licences.log"
tool go-licenses save ./cmd/volume-sync-controller --save_path "$out/licences" 2>>"$out/licences.log"
rm "$out/licences.log"

say 'images'
go test -C hack/image -count=1 ./...
hack/image.sh "$1" amd64 arm64
for arch in amd64 arm64; do
	mv "bin/image-$arch.tar" "$out"
	tool cyclonedx-gomod bin -json -output "$out/sbom-$arch.json" -version "$VERSION" "bin/linux-$arch/volume-sync-controller"
	# Each module of the binary has to be in it.
	modules=$(go version -m "bin/linux-$arch/volume-sync-controller" | grep -c '^	dep')
	listed=$(grep -c '"purl": "pkg:golang/' "$out/sbom-$arch.json")
	[ "$listed" -ge "$modules" ] || { say "the SBOM lists $listed of $modules modules" >&2; exit 1; }
done

say 'chart'
go run -C hack/deploy ./chart "$PWD/deploy/chart" "$PWD/$out"

(cd "$out" && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum >SHA256SUMS)
say "ok, see $out"
