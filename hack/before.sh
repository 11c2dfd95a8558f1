#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Shows a fault again: takes the tests of the commit that has cured it to the program of the
# commit before, and runs one of them, which fails.
#
# Usage: hack/before.sh COMMIT TEST PACKAGE     such as 93a613a TestStatusPageHosts ./cmd/...

set -euo pipefail
if [ $# -ne 3 ]; then
	sed -n '4,7s/^# //p' "$0" >&2
	exit 2
fi
test=$2 package=$3
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --verify "$1^{commit}")

dir=$(mktemp -d)
trap 'git worktree remove --force "$dir/before"; rmdir "$dir"' EXIT
git worktree add --quiet --detach "$dir/before" "$commit^"
cd "$dir/before"
git diff --name-only --diff-filter=AM "$commit^" "$commit" -- '*_test.go' '**/testdata/**' | xargs -r git checkout --quiet "$commit" --
git diff --name-only --diff-filter=D "$commit^" "$commit" -- '*_test.go' | xargs -r rm
go test -count=1 -run "^$test\$" "$package"
