#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes what a release consists of in bin/release, and checks it. The same commit, Go and CAs
# give the same bytes: every time is that of the commit, or SOURCE_DATE_EPOCH.
#
#   install.yaml, crds.yaml                 the whole installation; the CRD alone
#   *.tgz, chart.oci.tar                    the chart; the same as an OCI layout
#   image-ARCH.tar                          the image for each architecture, for `docker load`
#   image.oci.tar                           one image for all of them, as an OCI layout
#   kubectl-storageos_volumes-OS-ARCH.*     the kubectl plugin
#   storageos-volumes.yaml                  by which krew installs it
#   sbom-*.json                             what is in each program (CycloneDX)
#   licences.tar.gz, licences.csv           the licence of each dependency; an overview
#   SHA256SUMS                              of all of them; hack/release-sign.sh signs it
#
# Usage: VERSION=v1.2.3 COMMIT=0123abc hack/release.sh IMAGE
#
# $RELEASE_URL is the folder that people will get the files from, without the version.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022
export GOWORK=off LC_ALL=C
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# What Go would write of a checkout says no more than COMMIT, and whether tags were fetched.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"
image=$1
out=bin/release
plugin=cmd/kubectl-storageos_volumes
platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64)
rm -rf "$out" bin/licences
mkdir -p "$out" bin/licences

tool() { go tool -modfile="$PWD/hack/tools/release/go.mod" -n "$1"; } # where it is
say() { echo "release: $*"; }

say 'go.mod is tidy, the modules are as they were published'
for module in . "$plugin"; do
	go -C "$module" mod tidy -diff
	go -C "$module" mod verify
done

say 'the manifests, the chart and the tag name one version'
deployed=$(sed -n 's/^ *newTag: *//p' deploy/kustomization.yaml)
charted=$(sed -n 's/^appVersion: *//p' deploy/chart/Chart.yaml)
[ "$deployed" = "$charted" ] || { say "deploy names $deployed, the chart $charted" >&2; exit 1; }
tagged=$(git tag --points-at HEAD 2>/dev/null | grep '^v' || true)
[[ ! "$VERSION" =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ || "$VERSION" = "$deployed" ]] || { say "VERSION is $VERSION, the manifests deploy $deployed" >&2; exit 1; }
[ -z "$tagged" ] || [ "$tagged" = "$deployed" ] || { say "the commit is $tagged, the manifests deploy $deployed" >&2; exit 1; }

say 'the image for each architecture'
OUT=$out hack/image.sh "$image" amd64 arm64

# gather collects the licences of what is in a program, as it is built for a platform.
# Where each is on the web is left out: what is found depends on the network.
licences=$(tool go-licenses)
own=$(go list -m)
saved=$(mktemp -d)
trap 'rm -rf "$saved"' EXIT
echo '{{range .}}{{.Name}},{{.Version}},{{.LicenseName}}{{"\n"}}{{end}}' >"$saved/columns"
gather() { # MODULE PACKAGE OS/ARCH
	local log=$saved/log root=$PWD
	(
		cd "$1" && export GOOS=${3%/*} GOARCH=${3#*/} &&
			"$licences" report "$2" --ignore "$own" --template "$saved/columns" >>"$root/bin/licences.csv" &&
			"$licences" save "$2" --ignore "$own" --force --save_path "$saved/licences"
	) 2>"$log" || {
		cat "$log" >&2
		return 1
	}
	chmod -R u+w "$saved/licences"
	cp -R "$saved/licences/." bin/licences
}

# list writes what is in a program. Each module of it has to be there.
cyclonedx=$(tool cyclonedx-gomod)
list() { # PROGRAM FILE
	local modules listed
	"$cyclonedx" bin -json -noserial -notimestamp -output "$2" -version "$VERSION" "$1"
	modules=$(go version -m "$1" | grep -c '^	dep')
	listed=$(grep -c '"purl": "pkg:golang/' "$2")
	[ "$listed" -ge "$modules" ] || { say "$2 lists $listed of $modules modules" >&2; exit 1; }
}

mkdir -p "bin/licences/$own"
cp LICENSE "bin/licences/$own"
rm -f bin/licences.csv
for platform in "${platforms[@]}"; do
	name=${platform/\//-}
	say "the plugin for $platform"
	GOOS=${platform%/*} GOARCH=${platform#*/} make --no-print-directory plugin BIN="bin/$name"
	program=bin/$name/kubectl-storageos_volumes
	[[ $platform != windows/* ]] || program+=.exe
	list "$program" "$out/sbom-plugin-$name.json"
	gather "$plugin" . "$platform"
done
for arch in amd64 arm64; do
	list "bin/linux-$arch/volume-sync-controller" "$out/sbom-$arch.json"
	gather . ./cmd/volume-sync-controller "linux/$arch"
done
grep . bin/licences.csv | sort -u >"$out/licences.csv"
# What archives and images with the dependencies in them may be given away under.
if grep -vE ',(Apache-2\.0|BSD-2-Clause|BSD-3-Clause|ISC|MIT)$' "$out/licences.csv"; then
	say 'these modules have another licence than Apache-2.0, BSD, ISC or MIT' >&2
	exit 1
fi

say 'manifests, chart, image and archives'
go run -C hack/release . -source "$PWD" -bin "$PWD/bin" -o "$PWD/$out" -version "$VERSION" -image "$image" \
	-url "${RELEASE_URL:-https://$own/releases/download}/$VERSION"

(cd "$out" && sha256sum -- * >"$OLDPWD/bin/SHA256SUMS" && mv "$OLDPWD/bin/SHA256SUMS" .)
say "ok, see $out"
