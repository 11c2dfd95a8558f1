#!/usr/bin/env bash
# Runs every fuzz target: hack/fuzz.sh [HOW LONG], as go test's -fuzztime; 10000x unless
# said, which is so many inputs. With a time Go 1.26 fails now and then when it is over and a
# processor is not to be had (go.dev/issue/75804).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
long="${1:-10000x}"
grep -rhoP --include='*_test.go' '^func \KFuzz\w+' pkg | sort | while read -r target; do
	package="./$(dirname "$(grep -rl --include='*_test.go' "^func $target(" pkg)")"
	echo "fuzz: $target in $package for $long"
	if ! said="$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$long" "$package" 2>&1)"; then
		echo "$said"
		exit 1
	fi
done
