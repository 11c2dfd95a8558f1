#!/usr/bin/env bash
# Runs every fuzz target for a while: hack/fuzz.sh [TIME], 5s unless said.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time="${1:-5s}"
grep -rhoP --include='*_test.go' '^func \KFuzz\w+' pkg | sort | while read -r target; do
	package="./$(dirname "$(grep -rl --include='*_test.go' "^func $target(" pkg)")"
	echo "fuzz: $target in $package for $time"
	if ! said="$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" 2>&1)"; then
		echo "$said"
		exit 1
	fi
done
