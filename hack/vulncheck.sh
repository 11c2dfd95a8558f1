#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Fails if the product or the plugin calls anything that Go's vulnerability database knows.
#
# The database is a Go module too (golang.org/x/vulndb, pinned in hack/tools/govulncheck): a
# check depends on nothing but what is in the repository, and finds what was known on the day
# of that version. To look with what is known today:
#
#   (cd hack/tools/govulncheck && go get golang.org/x/vulndb@latest && go mod tidy)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GOWORK=off
hack/build.sh hack/tools/govulncheck tool

vulndb=$(go mod download -modfile=hack/tools/govulncheck/go.mod -json golang.org/x/vulndb)
said() { sed -n "s/^\t\"$1\": \"\(.*\)\",*$/\1/p" <<<"$vulndb"; }
version=$(said Version)
day=${version#v0.0.0-}
echo "vulncheck: the database is of ${day:0:4}-${day:4:2}-${day:6:2}"
db=bin/vulndb/$version
if ! [ -d "$db" ]; then
	mkdir -p bin/vulndb
	bin/indexdb -vulns "$(said Dir)/data/osv" -out "$db.new"
	mv "$db.new" "$db"
fi

# found checks packages and leaves what was found in $out: vulnerabilities that are called.
out=$(mktemp)
trap 'rm -f "$out"' EXIT
code=0
found() { # MODULE PACKAGES...
	echo "vulncheck: $1"
	code=0
	bin/govulncheck -db "file://$PWD/$db" -C "$@" >"$out" 2>&1 || code=$?
	((code == 0 || code == 3)) || { # 3: some were found
		cat "$out" >&2
		exit 1
	}
}

# A tiny program that calls what is known to be vulnerable. A check that is silent about that
# says nothing of the others.
found hack/tools/govulncheck/testdata ./...
grep -q 'GO-2021-0113' "$out" && grep -q '^ *Module: golang.org/x/text$' "$out" || {
	cat "$out"
	echo 'vulncheck: GO-2021-0113, which is called there, was not found: the check is worth nothing' >&2
	exit 1
}

failed=false
for where in '. ./cmd/... ./pkg/...' 'cmd/kubectl-storageos_volumes ./...'; do
	# shellcheck disable=SC2086 # a module and its packages
	found $where
	if grep -q '^ *Module: ' "$out"; then
		cat "$out"
		failed=true
	elif grep -q '^ *Standard library$' "$out"; then
		# Not of this repository: whoever builds has chosen his Go.
		echo "vulncheck: $(go env GOVERSION), which is installed here, has holes that are called. Build a release with a later Go:"
		awk '/^Vulnerability/ { id = $3 } /Fixed in:/ { sub("@", " of ", $3); print "  " id ", mended in " $3 }' "$out"
	elif ((code != 0)); then
		cat "$out"
		echo "vulncheck: something was found in $where that is neither a module nor the standard library" >&2
		exit 1
	fi
done
if $failed; then
	echo 'vulncheck: a dependency has a hole that is called: `go get` the version that mends it, in all modules (make verify)' >&2
	exit 1
fi
echo 'vulncheck: nothing that is called is known to be vulnerable in a dependency'
