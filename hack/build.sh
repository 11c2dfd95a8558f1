#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds programs of a module into bin, and shows how far it is while that takes long:
# hack/build.sh MODULE [go build's flags, with =] [PACKAGE...]; $BIN is another folder

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
module="$1" bin="${BIN:-$PWD/bin}"
shift
packages=()
for argument in "$@"; do
	[[ $argument == -* ]] || packages+=("$argument")
done

every=15 begin='' end='\n' # of what is read later
if [ -t 2 ]; then
	every=1 begin='\r\033[K' end=''
fi
todo=$(go list -C "$module" -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "${packages[@]}" | wc -l)
done=0 said=0
progress() {
	((todo > 20)) || return 0
	printf "${begin}build: %s: %d of %d packages, %d s$end" "$module" "$done" "$todo" "$SECONDS" >&2
	said=$SECONDS
}

# go build -v names each package that it compiles. Whatever else it says is shown.
mkdir -p "$bin"
go build -C "$module" -v -o "$bin/" "$@" 2>&1 | {
	while IFS= read -r line; do
		if [[ $line =~ ^[a-zA-Z0-9._~/+-]+$ ]]; then
			done=$((done < todo ? done + 1 : todo))
			((SECONDS - said < every)) || progress
		else
			printf "$begin%s\n" "$line" >&2
		fi
	done
	progress
	if [ -t 2 ] && ((todo > 20)); then echo >&2; fi
}
