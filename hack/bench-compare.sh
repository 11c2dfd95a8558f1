#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Compares the Go benchmarks of the hot paths with those of another commit:
# hack/bench-compare.sh COMMIT

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base="${1:?usage: hack/bench-compare.sh COMMIT}"
work="$(mktemp -d)"
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT
before="${base//\//-}.txt" # BASE may be a branch of a remote
git worktree add --quiet --detach "$work/base" "$base"

bench() { # in a folder, into a file; in turn, so that the machine's moods are shared
	(cd "$1" && go test -run '^$' -bench '^Benchmark(List|DecodeVolume|Decide|Content|Patch|TrimRecord|WireEvent|Frames)$' \
		-benchtime 200ms ./pkg/storageos ./pkg/controller) | grep -E '^(Benchmark|goos|goarch|pkg|cpu)' >> "$2"
}
for round in 1 2 3 4 5 6; do
	echo "bench-compare: round $round of 6"
	bench "$work/base" "$work/$before"
	bench . "$work/now.txt"
done
(cd "$work" && go tool -modfile="$OLDPWD/hack/tools/go.mod" benchstat "$before" now.txt)
