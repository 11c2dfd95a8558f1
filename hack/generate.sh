#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Generates all that is derived from the types in pkg/apis:
#
#   pkg/apis/**/zz_generated.*.go          deep copies
#   pkg/generated/                         clientset, listers and informers
#   deploy/crd/<group>_<plural>.yaml       the CRD
#   deploy/chart/files/                    copies of what the chart shares with kustomize
#
# Usage: hack/generate.sh [DIR]
#
# The result goes into the repository or, if DIR is given, into that folder; the
# repository is then left as it is.
#
# There are no apply configurations: the controller writes by merge patch, whoever
# else uses the clientset reads, and a fake clientset that supports apply would
# need a schema that yet two more programs have to generate.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
mkdir -p "${1:-$root}"
out=$(cd "${1:-$root}" && pwd -P)

module=github.com/storageos/volume-sync-controller
# The group versions, as paths below pkg/apis.
versions=(storageos/v1)
header=$root/hack/boilerplate.go.txt

# Everything is generated beside the repository: nothing stale can leak into the
# result, and a generator that fails leaves the old files in place.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/pkg" "$stage/deploy"
cp "$root/go.mod" "$root/go.sum" "$stage"
cp -R "$root/pkg/apis" "$stage/pkg"
find "$stage/pkg/apis" -name 'zz_generated.*' -delete
cd "$stage"

# A workspace around the repository would change which versions are used.
export GOWORK=off

tool() {
	go tool -modfile="$root/hack/tools/go.mod" "$@"
}

packages=()
inputs=()
for version in "${versions[@]}"; do
	packages+=("$module/pkg/apis/$version")
	inputs+=(--input "$version")
done

echo 'generate: deep copies'
tool deepcopy-gen \
	--go-header-file "$header" \
	--output-file zz_generated.deepcopy.go \
	"${packages[@]}"

echo 'generate: clientset'
tool client-gen \
	--go-header-file "$header" \
	--clientset-name versioned \
	--input-base "$module/pkg/apis" "${inputs[@]}" \
	--output-dir pkg/generated/clientset \
	--output-pkg "$module/pkg/generated/clientset"

echo 'generate: listers'
tool lister-gen \
	--go-header-file "$header" \
	--output-dir pkg/generated/listers \
	--output-pkg "$module/pkg/generated/listers" \
	"${packages[@]}"

echo 'generate: informers'
tool informer-gen \
	--go-header-file "$header" \
	--versioned-clientset-package "$module/pkg/generated/clientset/versioned" \
	--listers-package "$module/pkg/generated/listers" \
	--output-dir pkg/generated/informers \
	--output-pkg "$module/pkg/generated/informers" \
	"${packages[@]}"

echo 'generate: CRD'
tool controller-gen crd paths=./pkg/apis/... output:crd:artifacts:config=deploy/crd

# From here on nothing is expected to fail: put the result in place. What is no
# longer generated goes; what is written by hand beside it stays.
mkdir -p "$out/pkg/apis" "$out/deploy/crd"
find "$out/pkg/apis" -name 'zz_generated.*' -delete
find "$out/deploy/crd" -name '*_*.yaml' -delete
rm -rf "$out/pkg/generated"
(cd pkg/apis && find . -name 'zz_generated.*') | while IFS= read -r file; do
	mkdir -p "$out/pkg/apis/$(dirname "$file")"
	cp "pkg/apis/$file" "$out/pkg/apis/$file"
done
cp -R pkg/generated "$out/pkg/generated"
cp deploy/crd/*_*.yaml "$out/deploy/crd/"
# Copies, not links: who packs a chart may drop links without a word.
rm -rf "$out/deploy/chart/files"
mkdir -p "$out/deploy/chart/files"
cp deploy/crd/*_*.yaml "$root"/deploy/components/prometheus-rule/prometheus-rule.yaml \
	"$root"/deploy/components/dashboard/*.json "$out/deploy/chart/files/"
