#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes one target after the other, until one fails, and says how long each took:
# hack/stages.sh TARGET[+TARGET]...
#
# The second of two that are joined is made beside the first; both wait more than they work.
# What it says comes afterwards.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

table='' n=0
begun=$SECONDS
note() { # with what became of it
	table+=$(printf '%4d min %02d s  %s%s' $((($SECONDS - begun) / 60)) $((($SECONDS - begun) % 60)) "$stage" "$1")$'\n'
}
for stage in "$@"; do
	printf '\n==> make %s (%d of %d)\n' "$stage" $((n += 1)) $#
	begun=$SECONDS second='' ok=true
	if [[ "$stage" == *+* ]]; then
		second=${stage#*+} said=$(mktemp)
		"${MAKE:-make}" --no-print-directory "$second" >"$said" 2>&1 &
	fi
	"${MAKE:-make}" --no-print-directory "${stage%%+*}" || ok=false
	if [ -n "$second" ]; then
		wait $! || ok=false
		printf '\n==> make %s, beside it\n' "$second"
		cat "$said"
		rm "$said"
	fi
	$ok || {
		note ', failed'
		failed=$stage
		break
	}
	note ''
done
begun=0 stage='in all'
note ''
printf '\n%s' "$table"
[ -z "${failed:-}" ]
