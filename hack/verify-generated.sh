#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Fails if a generated file is stale, missing, or one too many. Generates into a
# temporary folder, so the repository stays as it is. Needs no git.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# collect copies the generated files of the tree $1, and only them, into $2.
# Everything below pkg/generated counts: nothing there is written by hand.
collect() {
	mkdir -p "$2"
	(
		cd "$1"
		for dir in pkg/apis pkg/generated deploy/crd deploy/chart/files; do
			[ -d "$dir" ] || continue
			find "$dir" -type f \( \
				-path 'pkg/apis/*/zz_generated.*' -o \
				-path 'pkg/generated/*' -o \
				-path 'deploy/crd/*_*.yaml' -o \
				-path 'deploy/chart/files/*' \)
		done
	) | while IFS= read -r file; do
		mkdir -p "$2/$(dirname "$file")"
		cp "$1/$file" "$2/$file"
	done
}

"$root/hack/generate.sh" "$tmp/out"
collect "$root" "$tmp/repository"
collect "$tmp/out" "$tmp/generated"

cd "$tmp"
# -N shows a file of one side only as a diff, but would overlook an empty one:
# so the names decide, and the diff is for the reader.
if ! diff -rq repository generated >names.txt; then
	diff -ruN repository generated || true
	echo
	echo 'verify: generated files differ from what their sources give (diff above):'
	sed -e 's/^/  /' names.txt
	echo "verify: run 'make generate' and commit the result."
	exit 1
fi
echo 'verify: generated files are up to date'
