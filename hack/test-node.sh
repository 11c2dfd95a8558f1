#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs what is shipped as Pods on a node of the dev cluster. Where a node cannot be
# had, one line says why and nothing is tested.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(containerd runc containernetworking-plugins nftables iproute2)

skip() {
	echo "test-node: skipped: $*"
	exit 0
}
[ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ] || skip 'it needs Linux and root'
[ -z "${KUBEBUILDER_ASSETS:-}" ] || skip 'the programs of KUBEBUILDER_ASSETS do not make a node'
unshare --mount --net --ipc --pid --fork true 2>/dev/null || skip 'this root may not make namespaces'
[ -w /sys/fs/cgroup ] || skip 'this root may not make cgroups'
for program in containerd containerd-shim-runc-v2 ctr runc nft ip /usr/lib/cni/ptp; do
	command -v "$program" >/dev/null || missing=yes
done
if [ -n "${missing:-}" ]; then
	command -v apt-get >/dev/null || skip "it needs ${packages[*]}, and there is no apt-get"
	echo "test-node: installing ${packages[*]}"
	install() { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null; }
	install 2>/dev/null || { apt-get update -qq && install; } || skip "${packages[*]} cannot be installed"
fi

hack/node-images.sh >/dev/null
DEVCLUSTER=$PWD/bin/devcluster NODE_IMAGES=$PWD/bin \
	CGO_ENABLED=1 go test -race -count=1 -timeout 20m -v -run '^TestNode' ./hack/integration/
