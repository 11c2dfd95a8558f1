#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Fails if two of the go.mod files name different versions of a module: every package of
# it, and all that imports one, would be compiled once for each. Left out are the linter,
# govulncheck, the tools of a release and older versions of Kubernetes: they have little in
# common with the rest.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
differ=$(git ls-files go.mod '*/go.mod' |
	grep -vE '^hack/(tools/(golangci-lint|govulncheck|release)|kubernetes)/' |
	xargs awk '
		/^[a-z]+ \($/ { block = $1; next }
		/^\)/ { block = ""; next }
		{ what = block }
		/^(require|replace) / { what = $1; sub(/^[a-z]+ /, "") }
		what == "require" { take($1, $2) }
		what == "replace" && $2 == "=>" { take($1, $4) } # the version of another is required of it
		function take(module, version) {
			if (version !~ /^v/ || version ~ /^v0\.0\.0(-00010101000000-000000000000)?$/) return
			if (index(said[module], " " version " ")) return
			said[module] = said[module] " " version " "
			where[module] = where[module] "\n    " version " in " FILENAME
			versions[module]++
		}
		END { for (m in versions) if (versions[m] > 1) print "  " m where[m] }')
if [ -n "$differ" ]; then
	echo 'verify: modules that are needed in more than one version:'
	echo "$differ"
	echo 'verify: bring them to one by `go get MODULE@VERSION` in the folders that are behind, then `go mod tidy`'
	exit 1
fi
echo 'verify: each module has one version'
