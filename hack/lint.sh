#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Lints the product and the modules under cmd and hack, with golangci-lint
# (.golangci.yml) and, the product, with logcheck.
#
# Usage: hack/lint.sh [-a | -c]
#
# Modules that build a whole control plane take minutes to type-check with an
# empty build cache, so they are linted only with -a. With -c, only modules are in which
# something differs from the branch that this one follows, or from the last commit.
#
# All of it is run, whatever fails: one run shows everything there is to mend.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
export GOWORK=off

all=false only=''
case "${1:-}" in
-a) all=true ;;
-c)
	base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || git rev-parse HEAD)
	only=' '
	while IFS= read -r file; do
		dir=$(dirname "$file")
		until [ "$dir" = . ] || [ -e "$dir/go.mod" ]; do dir=$(dirname "$dir"); done
		only+="$dir "
	done < <({ git diff --name-only "$base"; git ls-files --others --exclude-standard; } | grep -E '\.go$|(^|/)go\.mod$|^\.golangci\.yml$')
	;;
esac
left_out() { [ -n "$only" ] && [[ "$only" != *" $1 "* ]]; }

golangci() {
	go tool -modfile="$root/hack/tools/golangci-lint/go.mod" golangci-lint run \
		--config "$root/.golangci.yml" ./...
}

failed=()

echo 'lint: golangci-lint in .'
golangci || failed+=('golangci-lint in .')

# As a vet tool it shares go vet's cache, and reads what the compiler wrote of
# the dependencies instead of their sources.
echo 'lint: logcheck in .'
logcheck=$(go tool -modfile=hack/tools/go.mod -n logcheck)
go vet -vettool="$logcheck" -check-contextual ./... || failed+=('logcheck in .')

while IFS= read -r mod; do
	dir=$(dirname "$mod")
	# A module may hold only versions of tools, and what they are tried on.
	[ -n "$(find "$dir" -name '*.go' ! -path '*/testdata/*' -print -quit)" ] && ! left_out "$dir" || continue
	if ! $all && grep -q 'k8s\.io/kubernetes v' "$mod"; then
		echo "lint: $dir left out, -a includes it"
		continue
	fi
	echo "lint: golangci-lint in $dir"
	(cd "$dir" && golangci) || failed+=("golangci-lint in $dir")
done < <(find cmd hack -name go.mod | sort)

if [ ${#failed[@]} -gt 0 ]; then
	echo
	printf 'lint: failed: %s\n' "${failed[@]}"
	exit 1
fi
echo 'lint: ok'
