#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Takes a cure out (hack/cures) and runs what has to find the fault that comes back: the search
# of the decision, or the perturbation of a run, which needs bin/devcluster.
#
# Usage: hack/without-cure.sh N      the number of the fault

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
patch=("$root"/hack/cures/"${1:-none}"-*.patch)
if [ $# -ne 1 ] || [ ! -e "${patch[0]}" ]; then
	sed -n '4,7s/^# //p' "$0" >&2
	ls "$root/hack/cures" >&2
	exit 2
fi
case $1 in
1 | 2) find=(./pkg/controller/internal/policy -run '^TestSearch' -disturbances 2) ;;
4) find=(./hack/integration -run 'TestPerturb/(references|runs)/a_name' -perturb-one-in 4) ;;
9) find=(./hack/integration -run 'TestPerturb/(references|runs)/a_volume_changes($|.*Lease)' -perturb-one-in 2) ;;
esac
if [[ ${find[0]} == ./hack/integration && ! -x $root/bin/devcluster ]]; then
	echo "without-cure: bin/devcluster is not there: make devcluster builds it" >&2
	exit 2
fi

dir=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$dir/without"; rmdir "$dir"' EXIT
git -C "$root" worktree add --quiet --detach "$dir/without"
cd "$dir/without"
git apply "${patch[0]}"
export DEVCLUSTER=$root/bin/devcluster
if go test -count=1 -timeout 0 "${find[@]}" >"$dir/without/found" 2>&1; then
	echo "without-cure: fault $1 was not found" >&2
	exit 1
fi
shown=$(grep -E -A14 'rule [0-9]|_test\.go:[0-9]+: .*(not within|after it has read)' "$dir/without/found") || {
	echo "without-cure: the test failed, but for another reason than a rule; the end of what it said:" >&2
	tail -20 "$dir/without/found" >&2
	exit 1
}
sed -n 1,60p <<<"$shown"
grep -E '^ *--- FAIL' "$dir/without/found" | sed -n 1,20p
echo "without-cure: fault $1 was found"
