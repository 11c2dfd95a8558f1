#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Signs a release: SHA256SUMS.sig is the signature of SHA256SUMS, which has the sum of
# every other file. docs/release.md says how it is verified.
#
# Usage: hack/release-sign.sh KEY [FOLDER]
#
# KEY is the private key of an SSH key pair, or the public one of a pair that ssh-agent has.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
key=$1 release=${2:-bin/release}
fail() {
	echo "release-sign: $*" >&2
	exit 1
}
[ -n "$key" ] || fail 'with which key? make release-sign KEY=FILE, of ssh-keygen -t ed25519'
[ -r "$key" ] || fail "the key $key cannot be read"
command -v ssh-keygen >/dev/null || fail 'there is no ssh-keygen: install openssh-client'
[ -r "$release/SHA256SUMS" ] || fail "$release has no SHA256SUMS: make release"
(cd "$release" && sha256sum --check --quiet SHA256SUMS) || fail "$release is not what its SHA256SUMS says: make release"
rm -f "$release/SHA256SUMS.sig"
ssh-keygen -Y sign -q -n file -f "$key" "$release/SHA256SUMS"
echo "release-sign: $release/SHA256SUMS.sig"
