#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Compares the Go benchmarks of the hot paths with those of another commit:
# hack/bench-compare.sh COMMIT
#
# BENCH_ROUNDS (6) times each of the two, BENCH_TIME (200ms) for each benchmark, as -benchtime.

set -euo pipefail
export CGO_ENABLED=0 # as everything is built but for the race detector
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base="${1:?usage: hack/bench-compare.sh COMMIT}"
rounds="${BENCH_ROUNDS:-6}"
work="$(mktemp -d)"
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/base" "$base"

bench() { # in a folder, into a file; in turn, so that the machine's moods are shared
	(cd "$1" && go test -run '^$' -bench '^Benchmark(List|DecodeVolume|Decide|Content|Patch|TrimRecord|Event)$' \
		-benchtime "${BENCH_TIME:-200ms}" ./pkg/...) | grep -E '^(Benchmark|goos|goarch|pkg|cpu)' >> "$2"
}
for ((round = 1; round <= rounds; round++)); do
	echo "bench-compare: round $round of $rounds"
	bench "$work/base" "$work/before.txt"
	bench . "$work/now.txt"
done
go tool -modfile=hack/tools/go.mod benchstat -ignore pkg "$base=$work/before.txt" "now=$work/now.txt"
