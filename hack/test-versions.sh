#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the tests that Kubernetes matters most to on older versions of it:
# hack/test-versions.sh [VERSION...], all in hack/kubernetes unless said. Its API server and
# controller manager are the version's own; etcd, kubectl, the tests and the controller are
# the same for each.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests=(
	TestMainJob TestNames TestDescribe TestInvalid TestClaim TestPlugin          # the main job
	TestOlderCRD TestCRDReplaced                                               # adoption
	TestFaultKubernetes TestFaultQuietWatch TestFaultCRD TestFaultControlPlane # faults of the API server
	TestFaultLease TestFaultFailOver TestFaultGivenBack TestListingLease       # election
	TestFaultAccess TestCRDWithoutRight TestUnprivileged                       # rights
	TestDeploy                                                                 # manifests
)
run="^($(IFS='|' && echo "${tests[*]}"))\$"
there=$(CGO_ENABLED=1 go test -race -list "$run" ./hack/integration/ | grep -c '^Test')
if ((there != ${#tests[@]})); then
	echo "test-versions: of its ${#tests[@]} tests $there are there" >&2
	exit 1
fi
at_once=${AT_ONCE:-$((2 * $(nproc)))}

(($# > 0)) || set -- $(ls hack/kubernetes)
table='' failed=()
for version in "$@"; do
	begun=$SECONDS
	assets=$PWD/bin/kubernetes/$version
	BIN=$assets hack/build.sh "hack/kubernetes/$version" '-ldflags=-s -w' tool
	for program in etcd kubectl; do
		printf '#!/bin/sh\nunset KUBEBUILDER_ASSETS\nexec "%s" %s "$@"\n' "$PWD/bin/devcluster" "$program" >"$assets/$program"
		chmod +x "$assets/$program"
	done
	built=$SECONDS
	echo "test-versions: ${#tests[@]} tests on Kubernetes $version"
	became=passed
	KUBEBUILDER_ASSETS=$assets DEVCLUSTER=$PWD/bin/devcluster CGO_ENABLED=1 \
		go test -race -count=1 -timeout 30m -parallel "$at_once" -run "$run" ./hack/integration/ || {
		became=failed
		failed+=("$version")
	}
	table+="$version $became, built in $((built - begun)) s, tested in $((SECONDS - built)) s"$'\n'
done
printf '\n%s' "$table"
((${#failed[@]} == 0))
